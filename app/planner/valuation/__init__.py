"""What each source's deliveries are worth, and what shutting a source would cost."""

from app.planner.valuation.deliveries import Delivered, PlayerValue, SourceValues, closing_costs, source_values

__all__ = ["Delivered", "PlayerValue", "SourceValues", "closing_costs", "source_values"]
