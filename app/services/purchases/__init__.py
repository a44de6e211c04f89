"""The life of a round, from its proposal to its close."""
