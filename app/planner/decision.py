"""What to buy: the policy's whole orders, and how far they can be from the best (planner.md 4 and 6)."""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.branching import branch
from app.planner.certificate import LEAST_GAIN, Relaxation
from app.planner.integers import Basket, improve, round_down
from app.planner.ladder import Ladder
from app.planner.policies import Policy, equal, equal_spend, proportional
from app.planner.problem import Task
from app.planner.relaxed import solve
from app.planner.utility import Terms, Utility

NEAR = 1e-5
"""Whole orders within this share of the gain of their bound are not searched further."""
BRANCHES = 60
BRANCH_WORK = 120_000
"""Curves (at least 600 per source) times nodes of branch and bound: large problems round well and would wait."""


@dataclass(frozen=True)
class Decision:
    """Orders [S] and what they lead to; arrays in the task's order. relaxed: the divisible optimum.

    bound: no whole orders reach a higher U (with `stop_ratio`: the U of its divisible resting point).
    """

    policy: Policy
    method: str
    orders: IntArray
    added: FloatArray
    counts: FloatArray
    now: Terms
    after: Terms
    relaxed: Relaxation
    bound: float
    gap: float
    proof: str
    left: int
    baselines: dict[Policy, IntArray]


def relax(task: Task, utility: Utility) -> Relaxation:
    """The divisible optimum of the task under `utility`, smallest orders left out."""
    market = task.market
    money = 1.0 if market.budget else 0.0
    return solve(utility, Ladder.of(task.held, money, market.group, market.share, market.limit))


def decide(task: Task, policy: Policy) -> Decision:
    """The policy's orders, which for `optimal` are never worse than any baseline's or than none."""
    utility, market, held = task.utility, task.market, task.held
    relaxed = relax(task, utility)
    baselines: dict[Policy, IntArray] = {
        "equal": equal(market),
        "equal_spend": equal_spend(market),
        "proportional": proportional(market, utility.weights),
    }
    now = utility.terms(held)
    bound, method = relaxed.bound, "level" if utility.is_level else "multiplier"
    if utility.objective.stop_ratio > 0.0:
        bound, method = relaxed.utility, "level with stop_ratio"
    if not market.most.any():
        bound = utility.total(now.value)
    if policy == "optimal":
        basket, bound, branched = _best(task, relaxed, list(baselines.values()), bound, utility.total(now.value))
        orders, method = basket.orders, method + ", branch and bound" * branched
    else:
        orders, method = baselines[policy], policy
    added = market.added(orders)
    after = utility.terms(held + added)
    gap = _gap(bound, utility.total(after.value), utility.total(now.value))
    proof = "The margins at the divisible optimum bound the utility of every affordable order."
    left = market.budget - market.cost(orders)
    return Decision(
        policy, method, orders, added, held + added, now, after, relaxed, bound, gap, proof, left, baselines
    )


def _best(
    task: Task, relaxed: Relaxation, baselines: list[IntArray], bound: float, now: float
) -> tuple[Basket, float, bool]:
    """The best basket, a bound on all, and whether branching was needed for them."""
    utility, market, held = task.utility, task.market, task.held
    best = improve(utility, market, held, round_down(market, relaxed.orders))
    if utility.objective.stop_ratio > 0.0:
        # The rule gives up some of the least benefit on purpose: no baseline is held against it.
        return best, bound, False
    # What a baseline buys for groups that do not count is money for those that do.
    for orders in [np.where(utility.counted[market.group], orders, 0) for orders in baselines]:
        if utility.at(held + market.added(orders)) > best.total:
            best = max(best, improve(utility, market, held, orders), key=lambda basket: basket.total)
    work = max(len(task.keys) * utility.posterior.draws, 600 * len(market.most))
    nodes = min(BRANCHES, BRANCH_WORK // work)
    if not nodes or _gap(bound, best.total, now) <= NEAR:
        return best, bound, False
    best, branched = branch(utility, market, held, best, now, nodes)
    return best, min(bound, branched), True


def _gap(bound: float, total: float, now: float) -> float:
    return max(0.0, bound - total) / max(abs(bound - now), LEAST_GAIN)
