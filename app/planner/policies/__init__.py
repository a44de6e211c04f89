"""Ways to split the money: heuristics, greedy, Slice Tuner, and the table of them all."""

from app.planner.policies.heuristics import BASELINES
from app.planner.policies.policy import PolicyName
from app.planner.policies.table import POLICIES

__all__ = ["BASELINES", "POLICIES", "PolicyName"]
