"""What the planner refuses, and what it blames (planner.md 4)."""

from dataclasses import dataclass


class SolverError(Exception):
    """The linear solver gave up on the numbers; the message is in the planner's own words."""


class ProblemError(ValueError):
    """The problem contradicts itself; the message says what to change."""


@dataclass(frozen=True)
class Culprit:
    """A constraint that cannot be met: all culprits moved from `have` to `need`, the problem can be.

    constraint: "budget", "group:KEY:min_count", "group:KEY:target", "source:KEY:max_order", "set:NAME" and the like.
    have, need: in the constraint's unit, money in millionths. change: the least change, one sentence.
    """

    constraint: str
    have: float
    need: float
    change: str


class InfeasibleError(Exception):
    """The constraints cannot be met together; `culprits` lists all that must move."""

    def __init__(self, culprits: tuple[Culprit, ...]) -> None:
        super().__init__(" ".join(culprit.change for culprit in culprits))
        self.culprits = culprits
