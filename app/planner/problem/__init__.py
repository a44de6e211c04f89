"""What is asked and what can be bought, in words and in arrays, and whether anything is allowed at all."""

from app.planner.problem.problem import Limit, Problem
from app.planner.problem.rates import Rate, acceptance, yields
from app.planner.problem.sources import Source, SourceError, Tier

__all__ = ["Limit", "Problem", "Rate", "Source", "SourceError", "Tier", "acceptance", "yields"]
