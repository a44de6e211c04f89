"""Simulations of a project's policies: asked for, frozen, played in parts."""
