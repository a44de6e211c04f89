"""How far what a project holds is like the people it is meant for."""
