"""What other splits of past purchases' money would have come to, on the curves as they are known now (method.md 9).

A policy buys with a purchase's money at the counts, prices and limits of that time; sources deliver to it what they
delivered then. Its utility E U(n_π) and the actual one are taken on the same draws, so that what is unknown of both
cancels. k groups in the order of `Problem.keys`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.errors import InfeasibleError
from app.planner.plan.compare import Outlook, Outlooks, gain_of
from app.planner.plan.decide import choose, decide
from app.planner.plan.plan import Gain, Interval
from app.planner.policies.policy import PolicyName
from app.planner.policies.table import POLICIES
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source
from app.planner.relaxation.compromise import with_base

BEST: PolicyName = "optimal"
"""The policy that, on the curves as they are known now, is the best that could have been done."""


@dataclass(frozen=True)
class Came:
    """What one ordered sample of a source came to: accepted samples [k], and what an accepted one is worth in clean
    ones."""

    accepted: FloatArray
    quality: float

    @classmethod
    def expected(cls, source: Source, groups: int) -> "Came":
        """What is to be expected of a source, by the rates known now."""
        accepted = np.zeros(groups)
        for group, share in source.yields:
            accepted[group] += share * source.acceptance_rate
        return cls(accepted, source.quality)


@dataclass(frozen=True)
class Purchase:
    """A purchase that was made. problem: what was asked at its time, with the curves of now. orders: ordered samples by
    source. came: by source, what became of the orders; of other sources what is expected holds."""

    problem: Problem
    orders: Mapping[str, int]
    came: Mapping[str, Came]

    def arrived(self, orders: Mapping[str, int]) -> tuple[FloatArray, FloatArray]:
        """Accepted samples [k] that orders bring, and what they are worth in clean ones [k]."""
        groups = len(self.problem.keys)
        accepted, clean = np.zeros(groups), np.zeros(groups)
        for source in self.problem.sources:
            order = orders.get(source.key, 0)
            if order:
                one = self.came.get(source.key) or Came.expected(source, groups)
                accepted += order * one.accepted
                clean += order * one.accepted * one.quality
        return accepted, clean


@dataclass(frozen=True)
class Instead:
    """A policy in the place of what was done. added [k]: accepted samples. difference: its utility less the actual one.
    All are None where its bounds and limits could not be met with the money."""

    policy: PolicyName
    added: FloatArray | None = None
    utility: Interval | None = None
    difference: Gain | None = None

    @property
    def hindsight(self) -> bool:
        """Whether it asks the curves, and so knows what nobody knew then."""
        return POLICIES[self.policy].needs_curves


@dataclass(frozen=True)
class Review:
    """A purchase, or all of them, looked back on. added [k]: accepted samples that came."""

    added: FloatArray
    utility: Interval
    policies: tuple[Instead, ...]
    best: Instead


def look_back(
    purchases: Sequence[Purchase], policies: Sequence[PolicyName], seed: int = 0
) -> tuple[tuple[Review, ...], Review]:
    """Every purchase, at least one, by itself from the counts that it began with; and all of them together, each policy
    going on from what it would have had. seed: of `thompson`.

    Raises SolverError.
    """
    each = tuple(_look_at(purchase, policies, seed) for purchase in purchases)
    return each, _whole(purchases, policies, seed)


def _look_at(purchase: Purchase, policies: Sequence[PolicyName], seed: int) -> Review:
    outlooks, form = _outlooks(purchase.problem)
    added, clean = purchase.arrived(purchase.orders)
    actual = outlooks.at(form.held + clean[form.order])

    def instead(policy: PolicyName) -> Instead:
        orders = _orders(purchase.problem, policy, seed)
        if orders is None:
            return Instead(policy)
        accepted, counted = purchase.arrived(orders)
        return _compared(policy, accepted, outlooks.at(form.held + counted[form.order]), actual)

    return Review(added, actual.interval, tuple(map(instead, policies)), instead(BEST))


def _whole(purchases: Sequence[Purchase], policies: Sequence[PolicyName], seed: int) -> Review:
    """All purchases: what a policy holds more, or less, than was held in truth it takes along from one to the next."""
    first, last = purchases[0].problem, purchases[-1].problem
    budget = sum(one.problem.budget for one in purchases)
    outlooks, form = _outlooks(replace(first, budget=budget))
    came = [one.arrived(one.orders) for one in purchases]
    end = last.held + (0.0 if last.pending is None else last.pending) + came[-1][1]
    actual = outlooks.at(end[form.order])

    def instead(policy: PolicyName) -> Instead:
        more, added = np.zeros(len(first.keys)), np.zeros(len(first.keys))
        for at, (purchase, (_, clean)) in enumerate(zip(purchases, came, strict=True)):
            orders = _orders(_holding(purchase.problem, more), policy, seed + at)
            if orders is None:
                return Instead(policy)
            accepted, counted = purchase.arrived(orders)
            more, added = more + counted - clean, added + accepted
        return _compared(policy, added, outlooks.at(np.maximum(end + more, 0.0)[form.order]), actual)

    bought = np.sum([accepted for accepted, _ in came], axis=0)
    return Review(bought, actual.interval, tuple(map(instead, policies)), instead(BEST))


def _holding(problem: Problem, more: FloatArray) -> Problem:
    """The problem with so many more clean samples [k] held, or fewer, raw ones likewise."""
    raw = problem.held if problem.raw is None else problem.raw
    return replace(problem, held=np.maximum(problem.held + more, 0.0), raw=np.maximum(raw + more, 0.0))


def _outlooks(problem: Problem) -> tuple[Outlooks, Canonical]:
    form = with_base(Canonical.of(problem))
    return Outlooks.of(form, problem.widening), form


def _orders(problem: Problem, policy: PolicyName, seed: int) -> dict[str, int] | None:
    """What the policy orders, by source; None where bounds and limits cannot be met. Raises SolverError."""
    form = Canonical.of(problem)
    try:
        orders = decide(form, policy).orders if policy == BEST else choose(form, policy, seed)
    except InfeasibleError:
        return None
    return {source.key: order for source, order in zip(form.sources, orders.tolist(), strict=True)}


def _compared(policy: PolicyName, added: FloatArray, outlook: Outlook, actual: Outlook) -> Instead:
    return Instead(policy, added, outlook.interval, gain_of(outlook, actual))
