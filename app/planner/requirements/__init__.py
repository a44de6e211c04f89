"""The reverse question: the least money that reaches targets at a stated chance."""

from app.planner.requirements.chance_problem import chance_of
from app.planner.requirements.requirements import Requirements, requirements

__all__ = ["Requirements", "chance_of", "requirements"]
