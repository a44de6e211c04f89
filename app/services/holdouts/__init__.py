"""How often a project's holdouts were used, to choose what, and how far they can still be trusted."""
