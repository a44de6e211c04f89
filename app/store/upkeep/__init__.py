"""Keeping the database: whether it can be written, its backups, and who changes its schema."""
