"""Draws charts in a process of its own: drawing holds Python's lock, and meanwhile nobody else would be answered."""
