"""A project's curves, fitted once per data version."""
