"""Whole orders against brute force, and the gap they are stated to have."""

import numpy as np
import pytest

from app.planner.plan.decide import decide
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.utility.objective import Objective
from tests.planner.numerics import DEEP
from tests.planner.problems import (
    MAXIMIN,
    UTILITARIAN,
    best_by_brute_force,
    isoelastic,
    offers,
    problem,
    random_curves,
    scattered,
)

OBJECTIVES = [UTILITARIAN, isoelastic(1.0), isoelastic(5.0), MAXIMIN]
objectives = pytest.mark.parametrize(
    "objective", OBJECTIVES, ids=lambda objective: f"{objective.kind}-{objective.aversion}"
)


def question(seed: int, objective: Objective, *, equal_prices: bool, rough: bool) -> Problem:
    """A problem small enough for brute force; `rough` adds lots, smallest orders and caps."""
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(2, 4))
    prices = [1.0] * groups if equal_prices else rng.uniform(1.0, 4.0, size=groups).round(2).tolist()
    return problem(
        scattered(random_curves(rng, groups), draws=int(rng.choice([1, 5])), seed=seed),
        offers(
            prices,
            least=rng.choice([0, 4, 9], size=groups).tolist() if rough else None,
            lots=rng.choice([1, 2, 5], size=groups).tolist() if rough else None,
            most=[None, *rng.choice([6, 12, 20], size=groups - 1).tolist()] if rough else None,
        ),
        budget=float(rng.integers(8, 40)),
        objective=objective,
        held=rng.integers(2, 30, size=groups).astype(float).tolist(),
        weights=rng.uniform(0.3, 2.0, size=groups).tolist(),
    )


@objectives
@pytest.mark.parametrize("seed", range(12))
def test_at_equal_prices_and_single_samples_the_answer_is_the_whole_optimum(seed: int, objective: Objective) -> None:
    form = Canonical.of(question(seed, objective, equal_prices=True, rough=False))
    decision = decide(form, "optimal")
    assert form.utility.total(decision.after.value) == pytest.approx(best_by_brute_force(form), rel=1e-12, abs=1e-13)


@objectives
@pytest.mark.parametrize("rough", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_the_stated_gap_holds_and_is_small(seed: int, rough: bool, objective: Objective) -> None:
    form = Canonical.of(question(100 + seed, objective, equal_prices=False, rough=rough))
    decision = decide(form, "optimal")
    now, after = form.utility.total(decision.now.value), form.utility.total(decision.after.value)
    best = best_by_brute_force(form)
    gain = max(best - now, 1e-9)
    assert decision.bound >= best - 1e-9 * gain
    assert (best - after) / gain <= decision.gap + 1e-9
    # Branching closes problems of this size.
    assert after >= best - 1e-6 * gain
    # The routes add up in different orders, and values reach 1e13 where aversion is high.
    assert after <= best + 1e-9 * gain + 1e-15 * abs(best)


def test_a_smallest_order_is_placed_in_full_or_not_at_all() -> None:
    for seed in range(20):
        form = Canonical.of(question(seed, UTILITARIAN, equal_prices=False, rough=True))
        decision = decide(form, "optimal")
        for order, source in zip(decision.orders.tolist(), form.sources, strict=True):
            assert order == 0 or source.min_order <= order
            assert order % source.lot_size == 0
            assert source.max_order is None or order <= source.max_order


def test_a_rest_that_pays_for_thousands_of_cheap_samples_is_spent() -> None:
    rng = np.random.default_rng(5)
    curves = random_curves(rng, 3)
    cheap = 0.0001 if DEEP else 0.02
    form = Canonical.of(problem(scattered(curves, 3, 0), offers([cheap, 2 * cheap, 900.0]), 1000.0, held=[20.0] * 3))
    decision = decide(form, "optimal")
    assert decision.left < 200
    assert decision.gap <= 1e-3
