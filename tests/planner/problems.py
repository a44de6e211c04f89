"""Small allocation problems for the planner's tests: stated curves, posteriors made of draws, brute force."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, replace
from itertools import product

import numpy as np

from app.planner.curves.observations import AssumedCurve, Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.errors import Constraint
from app.planner.fitting.fit import fit
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective

ACCURACY = Metric("maximize", 0.0, 1.0)
RMSE = Metric("minimize", 0.0, None)
UTILITARIAN = Objective("utilitarian")
MAXIMIN = Objective("maximin")
MONEY = 1_000_000

Curve = tuple[float, float, float, float]
"""asymptote, scale, exponent, offset."""


def name_of(constraint: Constraint) -> str:
    """ "budget", "group:KEY:min_count", "set:NAME": as the reference cases name it."""
    return ":".join(filter(None, astuple(constraint)))


def isoelastic(aversion: float) -> Objective:
    return Objective("isoelastic", aversion=aversion)


def stated(curves: Sequence[Curve], draws: int = 1, keys: Sequence[str] | None = None) -> Posterior:
    """The posterior of groups g0, g1, … whose curves are stated."""
    none = np.zeros(0)
    observations = Observations(
        keys=tuple(keys or (f"g{at}" for at in range(len(curves)))),
        points=tuple(Points(none, none, none, none.astype(np.int64)) for _ in curves),
        assumed=tuple(AssumedCurve(*curve) for curve in curves),
        held=np.zeros(len(curves)),
        span=None,
    )
    return fit(observations, Prior(), seed=0, draws=draws)


def scattered(curves: Sequence[Curve], draws: int, seed: int) -> Posterior:
    """The stated curves with an asymptote and a scale that differ from draw to draw."""
    sure = stated(curves, draws)
    noise = np.random.default_rng(seed).normal(size=(2, *sure.asymptote.shape))
    return replace(sure, asymptote=sure.asymptote * np.exp(0.3 * noise[0]), excess=sure.excess * np.exp(0.3 * noise[1]))


def offers(
    prices: Sequence[float],
    groups: Sequence[int] | None = None,
    least: Sequence[int] | None = None,
    most: Sequence[int | None] | None = None,
    lots: Sequence[int] | None = None,
) -> tuple[Source, ...]:
    """Sources s0, s1, … at prices in currency units, one per group unless `groups` says otherwise."""
    count = len(prices)
    return tuple(
        Source(f"s{at}", ((group, 1.0),), round(price * MONEY), low, high, lot)
        for at, (price, group, low, high, lot) in enumerate(
            zip(
                prices,
                groups or range(count),
                least or [0] * count,
                most or [None] * count,
                lots or [1] * count,
                strict=True,
            )
        )
    )


def problem(
    posterior: Posterior,
    sources: tuple[Source, ...],
    budget: float,
    objective: Objective = UTILITARIAN,
    held: Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
    metric: Metric = ACCURACY,
    targets: Sequence[float] | None = None,
) -> Problem:
    """A problem with budget in currency units; 50 samples held, equal weights and no targets unless given."""
    groups = len(posterior.keys)
    return Problem(
        keys=posterior.keys,
        weights=np.asarray(weights or [1.0] * groups, dtype=np.float64),
        held=np.asarray(held or [50.0] * groups, dtype=np.float64),
        targets=np.asarray(targets or [np.nan] * groups, dtype=np.float64),
        reference_loss=np.linspace(0.5, 1.0, groups) if metric.span is None else None,
        metric=metric,
        objective=objective,
        posterior=posterior,
        sources=sources,
        budget=round(budget * MONEY),
    )


def random_curves(rng: np.random.Generator, groups: int) -> list[Curve]:
    """Curves of learnable groups; the exponents are simple fractions, exact in any solver."""
    exponents = rng.choice([0.25, 0.5, 0.75, 1.0, 1.5], size=groups)
    at_50 = rng.uniform(0.1, 0.5, size=groups)
    return [
        (float(rng.uniform(0.0, 0.2)), float(loss * 60.0**c), float(c), float(rng.choice([0.0, 10.0])))
        for c, loss in zip(exponents, at_50, strict=True)
    ]


def order_vectors(form: Canonical) -> Iterator[np.ndarray]:
    """Every vector of orders that is allowed and paid for."""
    market = form.market
    choices = [
        [0, *range(int(least), int(most) + 1, int(lot))]
        for least, most, lot in zip(market.least, market.most, market.lot, strict=True)
    ]
    for orders in product(*choices):
        vector = np.array(orders, dtype=np.int64)
        if market.cost(vector) <= market.budget:
            yield vector


def best_by_brute_force(form: Canonical) -> float:
    """The highest utility of any allowed orders."""
    vectors = np.array(list(order_vectors(form)))
    added = np.zeros((len(form.keys), len(vectors)))
    for source, group in enumerate(form.market.group):
        added[group] += vectors[:, source]
    value = form.utility.terms(form.held[:, None] + added).value
    counted = form.utility.counted
    totals = value[counted].min(axis=0) if form.utility.is_level else form.utility.weights @ value
    return float(totals.max())
