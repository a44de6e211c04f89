"""The reverse question: the least cost at which every group reaches its target with a stated chance (planner.md 5)."""

from dataclasses import dataclass
from typing import Literal

Cause = Literal["floor", "noise", "no_source", "bound"]
"""Why a target is out of reach: the curve's floor, what is not known of the curve, no source, or limits on buying."""


@dataclass(frozen=True)
class GroupRequirement:
    """One group with a target. Counts are effective samples, chances probabilities under the predictive law.

    target: in the metric's units. count_now: held and pending. count_needed: the least count that gives the chance
    asked of it, None where no count does. count: with the orders. chance_now, chance: at these counts.
    chance_reachable: that the curve's asymptote beats the target. reason: one sentence.
    """

    key: str
    target: float
    count_now: float
    count_needed: float | None
    count: float
    chance_now: float
    chance: float
    chance_reachable: float
    reason: str


@dataclass(frozen=True)
class SourceRequirement:
    """One source's order in samples and its cost in millionths."""

    key: str
    order: int
    cost: int


@dataclass(frozen=True)
class BudgetChance:
    """What a budget in millionths can reach: `level` is the highest chance that it gives every group (with `joint`:
    all of them together); `joint_chance` that all reach their targets with those orders, `chances` per group of
    `Requirements.groups`. spend: what those orders cost."""

    budget: int
    spend: int
    level: float
    joint_chance: float
    chances: tuple[float, ...]


@dataclass(frozen=True)
class Unreachable:
    """A group whose target cannot be reached with the chance asked, why, and what could be done: one sentence."""

    key: str
    cause: Cause
    chance: float
    reason: str


@dataclass(frozen=True)
class Requirements:
    """The answer. groups: those with a target, in the problem's order; sources in the problem's order.

    Where `unreachable` names groups, the orders serve all the others. spend: millionths. method: "exact", or
    "conservative" where other groups' data moves the curves and a sufficient condition stands for the chance.
    joint_chance: that all groups reach their targets. curve: chances by budget, ascending.
    """

    chance: float
    joint: bool
    groups: tuple[GroupRequirement, ...]
    sources: tuple[SourceRequirement, ...]
    spend: int
    method: Literal["exact", "conservative"]
    joint_chance: float
    curve: tuple[BudgetChance, ...]
    unreachable: tuple[Unreachable, ...]
