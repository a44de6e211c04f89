"""Every policy: a new one is a file with its row, and here its place."""

from collections.abc import Mapping
from types import MappingProxyType

from app.planner.policies.greedy import GREEDY, WORST_FIRST
from app.planner.policies.heuristics import EQUAL, EQUAL_SPEND, PROPORTIONAL, WATER_FILLING
from app.planner.policies.optimal import OPTIMAL, THOMPSON
from app.planner.policies.policy import Policy, PolicyName
from app.planner.policies.slice_tuner import SLICE_TUNER

POLICIES: Mapping[PolicyName, Policy] = MappingProxyType(
    {
        row.key: row
        for row in (
            OPTIMAL, GREEDY, THOMPSON, WORST_FIRST,
            EQUAL, EQUAL_SPEND, PROPORTIONAL, WATER_FILLING, SLICE_TUNER,
        )
    }
)  # fmt: skip
"""By key, in the order of `PolicyName`."""
