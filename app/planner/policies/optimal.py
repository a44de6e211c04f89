"""The policies that optimise: over the posterior, or over one draw of it (method.md 8)."""

from dataclasses import replace

from app.planner.arrays import IntArray
from app.planner.curves.posterior import one_draw
from app.planner.policies.heuristics import BASELINES
from app.planner.policies.policy import Means, Policy
from app.planner.problem.canonical import Canonical


def optimal(form: Canonical, means: Means) -> IntArray:
    """Orders [S]: the best ones, never worse than any allowed baseline's or than none."""
    return means.best(form, [row.orders(form, means) for row in BASELINES])


def thompson(form: Canonical, means: Means) -> IntArray:
    """Orders [S]: the best ones were one draw of the curves, picked by the seed, the truth."""
    drawn = replace(form.utility, posterior=one_draw(form.utility.posterior, means.seed))
    return means.best(replace(form, utility=drawn), [])


OPTIMAL = Policy(
    key="optimal",
    label="Optimal",
    rule="the best split for the goal",
    orders=optimal,
    needs_curves=True,
    unspent="More samples would not raise the utility.",
)
THOMPSON = Policy(
    key="thompson",
    label="Thompson",
    rule="the best split for one draw of the curves",
    reason="The policy buys what would be best if one draw of the curves were the truth.",
    orders=thompson,
    needs_curves=True,
    unspent="In the draw of the curves that was taken, more samples would not raise the utility.",
)
