"""Keeping the database: whether it can be written."""
