"""Labeling vendors by page: connecting them, what they sent, and what their words mean."""
