"""What to buy: the policy's whole orders, and how far they can be from the best (planner.md 4 and 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.posterior import one_draw
from app.planner.integer.whole_orders import best_whole, keep_within
from app.planner.policies.greedy import greedy, worst_first
from app.planner.policies.heuristics import Policy, equal, equal_spend, proportional, water_filling
from app.planner.policies.slice_tuner import slice_tuner
from app.planner.problem.canonical import Canonical
from app.planner.problem.feasibility import check_feasible
from app.planner.relaxation.certificate import LEAST_GAIN, Relaxation
from app.planner.relaxation.relax import Divisible, relax, with_base
from app.planner.utility.utility import ValueAndSlope

Rule = Policy | Literal["given"]
"""A policy, or orders typed in by hand."""


@dataclass(frozen=True)
class Decision:
    """Orders [S] and what they lead to; arrays in canonical order. relaxed: the divisible optimum.

    added [groups]: effective samples bought; accepted [groups]: raw ones. spent [S]: millionths. rows [R]: shadow
    prices of the region's rows (`Divisible`). bound: no whole orders reach a higher U (with `stop_ratio`: the U of its
    divisible resting point). form: the one solved, which knows regret's best values.
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
    relaxed: Relaxation
    rows: FloatArray
    bound: float
    gap: float
    proof: str
    left: int
    baselines: dict[Policy, IntArray]


def decide(form: Canonical, policy: Rule, seed: int = 0, given: Mapping[str, int] | None = None) -> Decision:
    """The policy's orders, which for `optimal` are never worse than any allowed baseline's or than none.

    given: orders by source of the rule `given`, which the problem's sources must hold fixed too, to be
    checked. seed: of `thompson`. Raises InfeasibleError, SolverError.
    """
    check_feasible(form)
    form = with_base(form)
    divisible = relax(form, form.utility)
    baselines = _baselines(form)
    if policy == "optimal":
        orders, bound, method, proof = best_whole(form, divisible, list(baselines.values()))
        return _decision(form, policy, divisible, baselines, orders, bound, method, proof)
    orders = _by_rule(form, policy, baselines, seed, given or {})
    return _decision(form, policy, divisible, baselines, orders, divisible.relaxation.bound, policy, divisible.proof)


def choose(form: Canonical, policy: Policy, seed: int = 0) -> IntArray:
    """The orders [S] of `decide` alone: without the relaxation and the proof that only `optimal` needs to find them.

    Raises InfeasibleError, SolverError.
    """
    check_feasible(form)
    form = with_base(form)
    if policy == "optimal":
        return best_whole(form, relax(form, form.utility), list(_baselines(form).values()))[0]
    baselines = _baselines(form) if policy in ("equal", "equal_spend", "proportional") else {}
    return _by_rule(form, policy, baselines, seed, {})


def _decision(
    form: Canonical,
    policy: Rule,
    divisible: Divisible,
    baselines: dict[Policy, IntArray],
    orders: IntArray,
    bound: float,
    method: str,
    proof: str,
) -> Decision:
    market, values = form.market, form.values
    added = market.added(orders)
    counts = form.held + added
    now, after = values.moved(form.held).terms(form.held), values.moved(counts).terms(counts)
    start, total = form.utility.total(now.value), form.utility.total(after.value)
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
        relaxed=divisible.relaxation,
        rows=divisible.rows,
        bound=bound,
        gap=gap,
        proof=proof,
        left=market.budget - int(sum(spent.tolist())),
        baselines=baselines,
    )


def space(form: Canonical) -> FloatArray | None:
    """Accepted samples [groups] that the groups may still take, None: any number."""
    bounded = [(bound.group, row) for row, bound in enumerate(form.region.bounds) if bound.group is not None]
    if not bounded:
        return None
    found = np.full(form.market.groups, np.inf)
    for group, row in bounded:
        found[group] = form.region.upper[row]
    return found


def _baselines(form: Canonical) -> dict[Policy, IntArray]:
    market, room = form.market, space(form)
    return {
        "equal": equal(market, room),
        "equal_spend": equal_spend(market, room),
        "proportional": proportional(market, form.utility.weights, room),
    }


def _by_rule(
    form: Canonical, policy: Rule, baselines: dict[Policy, IntArray], seed: int, given: Mapping[str, int]
) -> IntArray:
    """The orders [S] of a policy that does not optimise, brought within the bounds and limits it does not know."""
    market, utility, room = form.market, form.utility, space(form)
    match policy:
        case "given":
            return np.array([given.get(source.key, 0) for source in form.sources], dtype=np.int64)
        case "greedy":
            orders = greedy(utility, market, form.held, room)
        case "worst_first":
            orders = worst_first(utility, market, form.held, room)
        case "water_filling":
            orders = water_filling(market, form.held, room)
        case "slice_tuner":
            orders = slice_tuner(utility.posterior, market, form.held, room)
        case "thompson":
            drawn = replace(form, utility=replace(utility, posterior=one_draw(utility.posterior, seed)))
            orders = best_whole(drawn, relax(drawn, drawn.utility), [])[0]
        case _:
            orders = baselines[policy]
    return keep_within(form, orders)
