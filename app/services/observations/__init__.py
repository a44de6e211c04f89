"""Runs in: forecast first, then stored."""
