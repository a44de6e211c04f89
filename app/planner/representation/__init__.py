"""How far what is held is like the people it is meant for."""

from app.planner.representation.raking import Margin, Raking, effective_size, growth, rake, standardised

__all__ = ["Margin", "Raking", "effective_size", "growth", "rake", "standardised"]
