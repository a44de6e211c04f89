"""The database's tables, by domain."""
