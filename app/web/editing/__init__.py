"""Pages that change a project: itself, its groups, sources, limits, objective and runs."""
