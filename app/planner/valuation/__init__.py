"""What was bought, looked back on: what each source's deliveries are worth, what shutting a source would cost, and what
other splits of the money would have come to."""

from app.planner.valuation.deliveries import Delivered, PlayerValue, SourceValues, closing_costs, source_values
from app.planner.valuation.hindsight import Came, Instead, Purchase, Review, look_back

__all__ = [
    "Came",
    "Delivered",
    "Instead",
    "PlayerValue",
    "Purchase",
    "Review",
    "SourceValues",
    "closing_costs",
    "look_back",
    "source_values",
]  # fmt: skip
