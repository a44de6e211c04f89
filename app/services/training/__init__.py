"""How to train on what a project holds."""
