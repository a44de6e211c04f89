"""A plan from files: what the service answers, without server, database file or key."""
