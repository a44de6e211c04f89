"""The policies by name: the planner's table as everything beside it reads it."""

from collections.abc import Mapping
from types import MappingProxyType

from app.planner.policies import BASELINES, POLICIES, PolicyName
from app.planner.simulation import ORACLE

__all__ = ["BASELINE_KEYS", "CHOICES", "PLAYERS", "POLICY_KEYS", "RULES", "PolicyName"]

POLICY_KEYS: tuple[PolicyName, ...] = tuple(POLICIES)
BASELINE_KEYS: tuple[PolicyName, ...] = tuple(row.key for row in BASELINES)
"""What every plan is compared with."""
PLAYERS: Mapping[str, str] = MappingProxyType({**{key: row.label for key, row in POLICIES.items()}, ORACLE: "Oracle"})
"""The names of all that play in a simulation."""
CHOICES = tuple((key, f"{row.rule[0].upper()}{row.rule[1:]}") for key, row in POLICIES.items())
"""Keys and how each splits the money, as lists to choose from say it."""
RULES: Mapping[str, str] = MappingProxyType({key: row.rule for key, row in POLICIES.items()})
"""How each splits the money, as in "split by …"."""
