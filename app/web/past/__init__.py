"""Pages that look back on what was bought."""
