"""Keeping the database: what goes wrong in it told apart, and whether it can be written."""
