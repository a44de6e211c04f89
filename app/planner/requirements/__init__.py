"""The reverse question: the least money that reaches targets at a stated chance."""

from app.planner.requirements.chance_problem import HARDLY_EVER, chance_of
from app.planner.requirements.requirements import Requirements, requirements
from app.planner.requirements.shortfalls import Offer

__all__ = ["HARDLY_EVER", "Offer", "Requirements", "chance_of", "requirements"]
