"""What the planner refuses, and what it blames (method.md 6)."""

from dataclasses import dataclass
from typing import Literal


class SolverError(Exception):
    """The linear solver gave up on the numbers; the message is in the planner's own words."""


class ProblemError(ValueError):
    """The problem contradicts itself; the message says what to change."""


@dataclass(frozen=True)
class Constraint:
    """Which number of the problem holds orders back: the budget, the `field` of the group or the source `key`, such as
    min_count or max_order, or the limit over a set, whose name is `key`; or the licence rule, which is no number."""

    kind: Literal["budget", "group", "source", "set", "licence"]
    key: str = ""
    field: str = ""


BUDGET = Constraint("budget")
LICENCE = Constraint("licence")


@dataclass(frozen=True)
class Culprit:
    """A constraint that cannot be met: all culprits moved from `have` to `need`, the problem can be.

    have, need: in the constraint's unit, money in millionths. change: the least change, one sentence.
    """

    constraint: Constraint
    have: float
    need: float
    change: str


class InfeasibleError(Exception):
    """The constraints cannot be met together; `culprits` lists all that must move."""

    def __init__(self, culprits: tuple[Culprit, ...]) -> None:
        super().__init__(" ".join(culprit.change for culprit in culprits))
        self.culprits = culprits
