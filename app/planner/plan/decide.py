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
from app.planner.problem.canonical import Task
from app.planner.problem.feasibility import check_feasible
from app.planner.relaxation.certificate import LEAST_GAIN, Relaxation
from app.planner.relaxation.relax import Divisible, relax, with_base
from app.planner.utility.utility import Terms

Rule = Policy | Literal["given"]
"""A policy, or orders typed in by hand."""


@dataclass(frozen=True)
class Decision:
    """Orders [S] and what they lead to; arrays in the task's order. relaxed: the divisible optimum.

    added [groups]: effective samples bought; accepted [groups]: raw ones. spent [S]: millionths. rows [R]: shadow
    prices of the region's rows (`Divisible`). bound: no whole orders reach a higher U (with `stop_ratio`: the U of its
    divisible resting point). task: the one solved, which knows regret's best values.
    """

    task: Task
    policy: Rule
    method: str
    orders: IntArray
    spent: IntArray
    added: FloatArray
    accepted: FloatArray
    counts: FloatArray
    now: Terms
    after: Terms
    relaxed: Relaxation
    rows: FloatArray
    bound: float
    gap: float
    proof: str
    left: int
    baselines: dict[Policy, IntArray]


def decide(task: Task, policy: Rule, seed: int = 0, given: Mapping[str, int] | None = None) -> Decision:
    """The policy's orders, which for `optimal` are never worse than any allowed baseline's or than none.

    given: orders by source of the rule `given`, which the task's sources must hold fixed too, so that they are checked.
    seed: of `thompson`. Raises InfeasibleError, SolverError.
    """
    check_feasible(task)
    task = with_base(task)
    divisible = relax(task, task.utility)
    baselines = _baselines(task)
    if policy == "optimal":
        orders, bound, method, proof = best_whole(task, divisible, list(baselines.values()))
        return _decision(task, policy, divisible, baselines, orders, bound, method, proof)
    orders = _by_rule(task, policy, baselines, seed, given or {})
    return _decision(task, policy, divisible, baselines, orders, divisible.relaxation.bound, policy, divisible.proof)


def choose(task: Task, policy: Policy, seed: int = 0) -> IntArray:
    """The orders [S] of `decide` alone: without the relaxation and the proof that only `optimal` needs to find them.

    Raises InfeasibleError, SolverError.
    """
    check_feasible(task)
    task = with_base(task)
    if policy == "optimal":
        return best_whole(task, relax(task, task.utility), list(_baselines(task).values()))[0]
    baselines = _baselines(task) if policy in ("equal", "equal_spend", "proportional") else {}
    return _by_rule(task, policy, baselines, seed, {})


def _decision(
    task: Task,
    policy: Rule,
    divisible: Divisible,
    baselines: dict[Policy, IntArray],
    orders: IntArray,
    bound: float,
    method: str,
    proof: str,
) -> Decision:
    market, values = task.market, task.values
    added = market.added(orders)
    counts = task.held + added
    now, after = values.moved(task.held).terms(task.held), values.moved(counts).terms(counts)
    start, total = task.utility.total(now.value), task.utility.total(after.value)
    gap = max(0.0, bound - total) / max(abs(bound - start), LEAST_GAIN)
    spent = np.array(market.costs(orders), dtype=np.int64)
    return Decision(
        task=task,
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


def space(task: Task) -> FloatArray | None:
    """Accepted samples [groups] that the groups may still take, None: any number."""
    bounded = [(bound.group, row) for row, bound in enumerate(task.region.bounds) if bound.group is not None]
    if not bounded:
        return None
    found = np.full(task.market.groups, np.inf)
    for group, row in bounded:
        found[group] = task.region.upper[row]
    return found


def _baselines(task: Task) -> dict[Policy, IntArray]:
    market, room = task.market, space(task)
    return {
        "equal": equal(market, room),
        "equal_spend": equal_spend(market, room),
        "proportional": proportional(market, task.utility.weights, room),
    }


def _by_rule(
    task: Task, policy: Rule, baselines: dict[Policy, IntArray], seed: int, given: Mapping[str, int]
) -> IntArray:
    """The orders [S] of a policy that does not optimise, brought within the bounds and limits it does not know."""
    market, utility, room = task.market, task.utility, space(task)
    match policy:
        case "given":
            return np.array([given.get(source.key, 0) for source in task.sources], dtype=np.int64)
        case "greedy":
            orders = greedy(utility, market, task.held, room)
        case "worst_first":
            orders = worst_first(utility, market, task.held, room)
        case "water_filling":
            orders = water_filling(market, task.held, room)
        case "slice_tuner":
            orders = slice_tuner(utility.posterior, market, task.held, room)
        case "thompson":
            drawn = replace(task, utility=replace(utility, posterior=one_draw(utility.posterior, seed)))
            orders = best_whole(drawn, relax(drawn, drawn.utility), [])[0]
        case _:
            orders = baselines[policy]
    return keep_within(task, orders)
