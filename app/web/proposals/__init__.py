"""Proposals on pages: what waits for whom, and other orders than those proposed."""
