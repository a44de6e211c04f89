"""The best orders were samples divisible, and the certificate that none are better."""
