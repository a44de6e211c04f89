"""The HTTP API: routes and their shapes."""
