"""What to buy: the policy's whole orders, and how far they can be from the best (method.md 6 and 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.integer.least_share import least_raised
from app.planner.integer.whole_orders import Answer, best_whole, within
from app.planner.policies.heuristics import BASELINES
from app.planner.policies.policy import Means, PolicyName
from app.planner.policies.table import POLICIES
from app.planner.problem.canonical import Canonical
from app.planner.problem.feasibility import check_feasible
from app.planner.relaxation.certificate import LEAST_GAIN, Relaxation
from app.planner.relaxation.compromise import prepared, with_base
from app.planner.relaxation.relax import Divisible, relax
from app.planner.utility.utility import ValueAndSlope

Rule = PolicyName | Literal["given"]
"""A policy, or orders typed in by hand."""


@dataclass(frozen=True)
class Decision:
    """Orders [S] and what they lead to; arrays in canonical order. divisible: the divisible optimum,
    whose relaxation is `relaxed`.

    added [groups]: effective samples bought; accepted [groups]: raw ones. spent [S]: millionths. rows [R]: shadow
    prices of the region's rows. bound: no whole orders reach a higher U (with `stop_ratio`: the U of its
    divisible resting point). form: the one solved, which knows regret's best values. explored [groups]: millionths that
    went to learning of each though nobody asked for it, None where none did. optimum [groups]: the counts of `optimal`
    with all the money, None where it was not asked.
    """

    form: Canonical
    policy: Rule
    method: str
    orders: IntArray
    spent: IntArray
    added: FloatArray
    accepted: FloatArray
    counts: FloatArray
    now: ValueAndSlope
    after: ValueAndSlope
    divisible: Divisible
    bound: float
    gap: float
    proof: str
    left: int
    baselines: dict[PolicyName, IntArray]
    explored: FloatArray | None = None
    optimum: FloatArray | None = None

    @property
    def relaxed(self) -> Relaxation:
        return self.divisible.relaxation

    @property
    def rows(self) -> FloatArray:
        return self.divisible.rows

    def instead(self, orders: IntArray) -> "Decision":
        """What other orders [S] of the same problem, which must keep its limits, lead to."""
        bound, proof = self.relaxed.bound, self.divisible.proof
        other = _decision(self.form, self.policy, self.divisible, self.baselines, orders, bound, "given", proof)
        return replace(other, optimum=self.optimum)


def decide(form: Canonical, policy: Rule, seed: int = 0, given: Mapping[str, int] | None = None) -> Decision:
    """The policy's orders, which for `optimal` are never worse than any allowed baseline's or than none.

    given: orders by source of the rule `given`, which the problem's sources must hold fixed too, to be
    checked. seed: of `thompson`. Raises InfeasibleError, SolverError.
    """
    check_feasible(form)
    form, divisible = prepared(form)
    means = Means(seed, _best)
    baselines = {row.key: _ordered(form, row.key, means) for row in BASELINES}
    if policy == "optimal":
        orders, bound, method, proof = _whole(form, divisible, list(baselines.values()))
        return _decision(form, policy, divisible, baselines, orders, bound, method, proof)
    if policy == "given":
        orders = np.array([(given or {}).get(source.key, 0) for source in form.sources], dtype=np.int64)
    else:
        orders = baselines[policy] if policy in baselines else _ordered(form, policy, means)
    return _decision(form, policy, divisible, baselines, orders, divisible.relaxation.bound, policy, divisible.proof)


def choose(form: Canonical, policy: PolicyName, seed: int = 0) -> IntArray:
    """The orders [S] of `decide` alone: without the relaxation and the proof that only `optimal` needs to find them.

    Raises InfeasibleError, SolverError.
    """
    check_feasible(form)
    form = with_base(form)
    means = Means(seed, _best)
    return POLICIES[policy].orders(form, means) if policy == "optimal" else _ordered(form, policy, means)


def _ordered(form: Canonical, policy: PolicyName, means: Means) -> IntArray:
    """The policy's orders [S] within the bounds and limits."""
    return within(form, lambda part: POLICIES[policy].orders(part, means))


def _best(form: Canonical, others: Sequence[IntArray]) -> IntArray:
    return _whole(form, relax(form, form.utility), list(others))[0]


def _whole(form: Canonical, divisible: Divisible, baselines: list[IntArray]) -> Answer:
    """The best whole orders: of a compromise those that raise the least share itself."""
    found = best_whole(form, divisible, baselines)
    if not form.utility.kind.needs_stakeholders:
        return found
    return least_raised(form, [found[0], *baselines], divisible), *found[1:]


def _decision(
    form: Canonical,
    policy: Rule,
    divisible: Divisible,
    baselines: dict[PolicyName, IntArray],
    orders: IntArray,
    bound: float,
    method: str,
    proof: str,
) -> Decision:
    market, values = form.market, form.values
    added = market.added(orders)
    counts = form.held + added
    now, after = values.moved(form.held).terms(form.held), values.moved(counts).terms(counts)
    start, total = (values.moved(held).level(held) for held in (form.held, counts))
    gap = max(0.0, bound - total) / max(abs(bound - start), LEAST_GAIN)
    spent = np.array(market.costs(orders), dtype=np.int64)
    return Decision(
        form=form,
        policy=policy,
        method=method,
        orders=orders,
        spent=spent,
        added=added,
        accepted=market.accepted(orders),
        counts=counts,
        now=now,
        after=after,
        divisible=divisible,
        bound=bound,
        gap=gap,
        proof=proof,
        left=market.budget - int(sum(spent.tolist())),
        baselines=baselines,
        optimum=counts if policy == "optimal" else None,
    )
