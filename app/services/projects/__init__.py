"""Projects with their groups, sources and limits: made, read and changed."""
