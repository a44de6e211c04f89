"""What each source's deliveries are worth: every group's curve read with and without them (method.md 9).

v(S) = U(initial + what the players in S delivered), U the problem's utility. A player is worth its Shapley value, and
its share is of their sum.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from app.planner.arrays import BoolArray, FloatArray
from app.planner.errors import InfeasibleError
from app.planner.plan.compare import Outlooks
from app.planner.plan.decide import decide
from app.planner.plan.plan import Interval
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.quantiles import quantiles
from app.planner.relaxation.compromise import with_base
from app.planner.utility.values import Values
from app.planner.valuation.shapley import by_permutations, coalitions, exact

MOST_EXACT, MOST_AT_MEAN = 12, 20
"""Up to so many players all coalitions are looked at, draw by draw; and up to so many at the mean over draws."""
MOST_VALUED_CURVES = 40_000_000
"""Curve values, coalitions times groups times draws, that a valuation may ask for."""
CHUNK = 2**15
"""Coalitions looked at together at the mean."""


@dataclass(frozen=True)
class Delivered:
    """What a player delivered: effective samples [groups, in the order of the problem's] that are held now."""

    key: str
    counts: FloatArray


@dataclass(frozen=True)
class PlayerValue:
    """What a player's deliveries are worth in utility. share: of all players' (None where that is nothing).
    leave_one_out: what would be missing without it alone. p05, p95 of `value` are nan where draws were not looked at.
    """

    key: str
    value: Interval
    share: float | None
    leave_one_out: float


@dataclass(frozen=True)
class SourceValues:
    """base: utility without any delivery; total: what all bring together. error: the largest standard error of a value,
    0 where all coalitions were looked at. players: in the order asked.
    """

    base: float
    total: float
    method: Literal["exact", "permutations"]
    error: float
    players: tuple[PlayerValue, ...]


@dataclass(frozen=True)
class _Coalitions:
    """What any coalition is worth. initial [groups]: effective counts without any delivery; brought [k, groups]."""

    values: Values
    initial: FloatArray
    brought: FloatArray

    @property
    def draws(self) -> int:
        return self.values.utility.posterior.draws

    @property
    def is_tabled(self) -> bool:
        """Whether every group's value hangs on its own count alone, so that `worth_at_mean` may be asked."""
        return not self.values.crossed and not self.values.utility.kind.needs_stakeholders

    def worth(self, members: BoolArray) -> FloatArray:
        """v [coalitions, draws] of coalitions [coalitions, k]."""
        return np.array([self.values.moved(counts).draws(counts) for counts in self.initial + members @ self.brought])

    def worth_at_mean(self, members: BoolArray) -> FloatArray:
        """v [coalitions, 1] at the mean over draws, each group's curve asked once for each of its counts."""
        utility = self.values.utility
        counts = self.initial + members @ self.brought
        value = np.empty(counts.T.shape)
        for group in range(counts.shape[1]):
            sizes, place = np.unique(counts[:, group], return_inverse=True)
            value[group] = utility.select(np.array([group])).terms(sizes[None, :]).value[0][place]
        return utility.aggregate.totals(value)[:, None]

    def expected(self, members: BoolArray) -> float:
        """v of one coalition [k] at the mean over draws."""
        counts = self.initial + members @ self.brought
        return self.values.moved(counts).level(counts)


def source_values(problem: Problem, delivered: Sequence[Delivered], seed: int = 0) -> SourceValues:
    """The values of the players, at least one, at the counts held now; pending samples are nobody's yet.

    Raises SolverError.
    """
    form = with_base(Canonical.of(replace(problem, pending=None, pending_raw=None)))
    brought = np.array([one.counts[form.order] for one in delivered])
    initial = np.maximum(form.held - brought.sum(axis=0), 0.0)
    players = len(delivered)
    each = _Coalitions(_thinned(form, players), initial, brought)
    error, is_exact = 0.0, True
    if players <= MOST_EXACT and 2**players * len(form.keys) * each.draws <= MOST_VALUED_CURVES:
        found = exact(each.worth(coalitions(players)))
    elif players <= MOST_AT_MEAN and 2**players * len(form.keys) <= MOST_VALUED_CURVES and each.is_tabled:
        steps = range(0, 2**players, CHUNK)
        parts = [coalitions(players, at, min(at + CHUNK, 2**players)) for at in steps]
        found = exact(np.concatenate([each.worth_at_mean(part) for part in parts]))
    else:
        found, errors = by_permutations(each.worth, players, MOST_VALUED_CURVES // (len(form.keys) * each.draws), seed)
        error, is_exact = float(errors.max()), False
    everybody = np.ones(players, dtype=np.bool_)
    base, whole = each.expected(~everybody), each.expected(everybody)
    values = found.mean(axis=1)
    # Shares are of what the values sum to, so that they sum to 1.
    summed = float(values.sum())
    low, high = quantiles(found, (0.05, 0.95)) if found.shape[1] > 1 else np.full((2, players), np.nan)
    return SourceValues(
        base=base,
        total=whole - base,
        method="exact" if is_exact else "permutations",
        error=error,
        players=tuple(
            PlayerValue(
                key=one.key,
                value=Interval(mean=float(values[at]), p05=float(low[at]), p95=float(high[at])),
                share=float(values[at]) / summed if summed else None,
                leave_one_out=whole - each.expected(np.arange(players) != at),
            )
            for at, one in enumerate(delivered)
        ),
    )


def _thinned(form: Canonical, players: int) -> Values:
    """The values on so few draws, 100 at least, that the curves to be asked are no more than MOST_VALUED_CURVES."""
    looked_at = min(2**players, 2**MOST_EXACT)
    together = Outlooks.of(form, 1.0)
    return together.fewer(max(1, MOST_VALUED_CURVES // looked_at)).values


def closing_costs(problem: Problem, players: Sequence[Collection[str]]) -> tuple[float | None, ...]:
    """By how much the utility that the best next round reaches falls where the sources of a player, by key, are shut;
    None where bounds and limits cannot be met without them.

    Raises InfeasibleError where they cannot be met with them either, SolverError.
    """
    whole = _reached(problem)
    found: list[float | None] = []
    for keys in players:
        shut = tuple(replace(one, excluded=one.excluded or one.key in keys) for one in problem.sources)
        try:
            found.append(whole - _reached(replace(problem, sources=shut)))
        except InfeasibleError:
            found.append(None)
    return tuple(found)


def _reached(problem: Problem) -> float:
    decision = decide(Canonical.of(problem), "optimal")
    return decision.form.values.moved(decision.counts).level(decision.counts)
