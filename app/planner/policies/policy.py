"""What a policy is: its name, the words about it, and the orders it places."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.planner.arrays import IntArray
from app.planner.problem.canonical import Canonical

PolicyName = Literal[
    "optimal", "greedy", "thompson", "worst_first",
    "equal", "equal_spend", "proportional", "water_filling", "slice_tuner",
]  # fmt: skip

UNSPENT = "It does not buy one more step for every group, and this policy favours none."


@dataclass(frozen=True)
class Means:
    """What a policy may use beside the problem. seed: of what it draws.

    best: the best whole orders [S] of a problem, never worse than any allowed ones of those given.
    """

    seed: int
    best: Callable[[Canonical, Sequence[IntArray]], IntArray]


@dataclass(frozen=True)
class Policy:
    """A way to spend the money; one row of `table.POLICIES`.

    label: its name in charts and tables. rule: how the money is split, as in "split by …" and in lists. reason: why a
    group gets what it gets, {weight} its weight; empty where that differs from group to group. unspent: why money is
    left that would still buy something. needs_curves: it asks the groups' curves.
    orders: whole orders [S] of a problem, which need not know its bounds and limits.
    """

    key: PolicyName
    label: str
    rule: str
    orders: Callable[[Canonical, Means], IntArray]
    needs_curves: bool
    reason: str = ""
    unspent: str = UNSPENT
