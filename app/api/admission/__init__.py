"""What may be asked of the service at once, and how much of it."""
