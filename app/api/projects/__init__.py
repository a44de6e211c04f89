"""Routes of projects, their groups, sources, limits and objectives, and of keys."""
