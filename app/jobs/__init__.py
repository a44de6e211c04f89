"""Durable work apart from requests: the engine, its workers, and the workflows that call services."""
