"""A project's curves, fitted once per data version, and the record of its forecasts."""
