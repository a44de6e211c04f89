"""Random problems of the general setting: vendors with mixed yields, tiers, lots, bounds and limits."""

from dataclasses import replace

import numpy as np

from app.planner.problem.problem import Limit, Problem
from app.planner.problem.sources import Source, Tier
from app.planner.utility.objective import Objective
from tests.planner.problems import ACCURACY, MONEY, RMSE, problem, random_curves, scattered

KINDS: tuple[Objective, ...] = (
    Objective("utilitarian"),
    Objective("isoelastic", aversion=1.0),
    Objective("isoelastic", aversion=4.0),
    Objective("maximin"),
    Objective("cvar", tail=0.4),
    Objective("targets", power=1),
    Objective("targets", power=2),
    Objective("gap", lambda_=1.0),
    Objective("robust", mode="worst_case", weight_vectors=((1.0,),)),
    Objective("robust", mode="regret", weight_vectors=((1.0,),)),
)


def fitted_to(objective: Objective, rng: np.random.Generator, groups: int) -> Objective:
    """The objective with weight vectors for so many groups where it needs them."""
    if objective.kind != "robust":
        return objective
    vectors = tuple(tuple(rng.uniform(0.05, 1.0, size=groups).tolist()) for _ in range(3))
    return replace(objective, weight_vectors=vectors)


def vendor(rng: np.random.Generator, key: str, groups: int, *, whole: bool) -> Source:
    """A random source; `whole` adds fixed costs, smallest orders, falling tiers and lots."""
    fed = int(rng.integers(1, min(groups, 3) + 1))
    members = np.sort(rng.choice(groups, fed, replace=False)).tolist()
    shares = rng.dirichlet(np.ones(fed + 1))[:fed].tolist() if fed > 1 else [1.0]
    price = round(float(rng.uniform(0.5, 6.0)), 2)
    steps = sorted(rng.choice([40, 90, 150, 400], size=int(rng.integers(0, 3)), replace=False).tolist())
    slope = rng.choice([0.8, 0.9]) if whole and rng.random() < 0.5 else 1.2
    tiers = tuple(Tier(start, round(price * slope ** (at + 1) * MONEY)) for at, start in enumerate(steps))
    return Source(
        key=key,
        yields=tuple(zip(members, shares, strict=True)),
        unit_cost=round(price * MONEY),
        min_order=int(rng.choice([0, 0, 20])) if whole else 0,
        max_order=int(rng.integers(60, 500)) if rng.random() < 0.5 else None,
        lot_size=int(rng.choice([1, 5, 10])) if whole else 1,
        tiers=tiers,
        fixed_cost=round(float(rng.choice([0.0, 0.0, 25.0])) * MONEY) if whole else 0,
        acceptance_rate=float(rng.choice([1.0, 0.9, 0.7])),
        quality=float(rng.choice([1.0, 0.8])),
        billed="accepted" if rng.random() < 0.3 else "delivered",
    )


def general(seed: int, objective: Objective, *, whole: bool = True, bounded: bool = True) -> Problem:
    """A random problem of 1 to 4 groups and up to 6 sources that nothing makes infeasible.

    `bounded` adds largest counts and limits over sets.
    """
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(1, 5))
    sources = [vendor(rng, f"s{at}", groups, whole=whole) for at in range(int(rng.integers(1, 7)))]
    asked = problem(
        scattered(random_curves(rng, groups), draws=int(rng.choice([1, 4])), seed=seed % 1000),
        tuple(sources),
        budget=float(rng.integers(20, 1500)),
        objective=fitted_to(objective, rng, groups),
        held=rng.integers(5, 300, size=groups).astype(float).tolist(),
        weights=rng.uniform(0.2, 2.0, size=groups).tolist(),
        metric=RMSE if seed % 5 == 0 else ACCURACY,
        targets=rng.uniform(0.3, 0.95, size=groups).tolist(),
    )
    return with_bounds(asked, rng) if bounded else asked


def with_bounds(asked: Problem, rng: np.random.Generator) -> Problem:
    """The problem with upper bounds, which buying nothing always keeps, and orders on their way."""
    groups = len(asked.keys)
    pending = rng.choice([0.0, 20.0], size=groups)
    most = np.where(rng.random(groups) < 0.4, asked.held + pending + rng.integers(0, 200, size=groups), np.nan)
    members = tuple(at for at in range(len(asked.sources)) if rng.random() < 0.5)
    limits = []
    if members and rng.random() < 0.6:
        measure = rng.choice(["cost", "count", "cost_share"])
        most_of_it = {"cost": asked.budget * 0.4, "count": 150.0, "cost_share": 0.6}[measure]
        limits.append(Limit("vendors", "sources", members, measure, maximum=float(most_of_it)))
    return replace(asked, pending=pending, max_count=most, limits=tuple(limits))
