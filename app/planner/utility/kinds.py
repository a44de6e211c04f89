"""The kinds of utility (method.md 5): a new one is a row here, with a φ or an F of its own where it needs one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from app.planner.arrays import FloatArray
from app.planner.utility.aggregate import Aggregate, Least, WeightedSum, WorstShare, WorstWeights
from app.planner.utility.benefit import Phi, linear, prioritarian, shortfall
from app.planner.utility.objective import KindName, Objective


@dataclass(frozen=True)
class UtilityKind:
    """One kind: the words about it, its parameters and its functions.

    label: what it is for, in lists, with its parameters at their defaults. sentence: what it maximises. parameters:
    their defaults; every kind takes `risk` too. aggregate: F. phi: φ. lags: V is less by λ times what it lacks of the
    mean m̄. has_kinks: whether V has kinks, given the parameters. needs_target: only groups with a target count.
    needs_vectors: `weight_vectors`, without defaults, stand in for the weights. needs_stakeholders: the problem's
    stakeholders, with utilities of their own, stand in for weights and φ.
    """

    key: KindName
    label: str
    sentence: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    aggregate: type[Aggregate] = WeightedSum
    phi: Phi = linear
    has_kinks: Callable[[Objective], bool] = lambda _: False
    lags: bool = False
    needs_target: bool = False
    needs_vectors: bool = False
    needs_stakeholders: bool = False


_ROWS = (
    UtilityKind("utilitarian", "Everyone's average", "the weighted sum of the groups' benefits"),
    UtilityKind(
        "isoelastic",
        "Gains of the worse off count for more",
        "the groups' benefits, gains of the worse off counting for more",
        {"aversion": 1.0},
        phi=prioritarian,
    ),
    UtilityKind(
        "maximin",
        "The worst-off group first",
        "the worst-off group first, then the next",
        {"stop_ratio": 0.0},
        aggregate=Least,
    ),
    UtilityKind(
        "cvar", "The worst-off quarter", "the mean benefit of the worst-off", {"tail": 0.25}, aggregate=WorstShare
    ),
    UtilityKind(
        "targets",
        "Reach the targets",
        "coming as near as possible to every group's target",
        {"power": 1},
        phi=shortfall,
        has_kinks=lambda objective: objective.power == 1,
        needs_target=True,
    ),
    UtilityKind(
        "gap",
        "Close the gap to the mean",
        "the groups' benefits, less what groups fall short of the mean",
        {"lambda": 1.0},
        has_kinks=lambda _: True,
        lags=True,
    ),
    UtilityKind(
        "robust",
        "The worst of given weights",
        "the worst case over given weights",
        {"mode": "worst_case"},
        aggregate=WorstWeights,
        needs_vectors=True,
    ),
    UtilityKind(
        "compromise",
        "A compromise of the stakeholders",
        "the least share of its own best gain that any stakeholder gets",
        needs_stakeholders=True,
    ),
)
KINDS: Mapping[KindName, UtilityKind] = MappingProxyType({row.key: row for row in _ROWS})
"""By key, in the order of `KindName`."""


def phi(objective: Objective, scaled: FloatArray, bounded: bool, goal: FloatArray) -> tuple[FloatArray, FloatArray]:
    """φ and −dφ/dℓ at ℓ, at a kink from the side of the smaller loss; goal: ℓ at the targets, inf = none."""
    return KINDS[objective.kind].phi(objective, scaled, bounded, goal)
