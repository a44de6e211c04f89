"""What an operator sees of the service: its log, its metrics and its traces, without a secret in any of them."""
