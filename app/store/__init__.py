"""The database: its tables, its queries, and how it is reached."""
