"""Policies that spend batch by batch: known splits, other routes, and every limit kept."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.curves.posterior import one_draw, point_estimate
from app.planner.policies import greedy as steps
from app.planner.policies.greedy import greedy, worst_first
from app.planner.policies.heuristics import equal, equal_spend, proportional, water_filling
from app.planner.policies.slice_tuner import slice_tuner
from app.planner.problem.canonical import Canonical
from app.planner.problem.market import Market
from app.planner.problem.sources import Source, Tier
from tests.planner.problems import MAXIMIN, MONEY, Curve, isoelastic, offers, problem, random_curves, scattered, stated

KNOWN: list[Curve] = [(0.0, 1.0, 0.5, 0.0), (0.0, 4.0, 0.5, 0.0)]


def canonical(curves: list[Curve], prices: list[float], budget: float, weights: list[float] | None = None) -> Canonical:
    sources = offers(prices)
    # 1e-9 held: the known splits are from nothing, where the curves have no value.
    return Canonical.of(problem(stated(curves), sources, budget, weights=weights, held=[1e-9] * len(curves)))


def test_greedy_splits_as_the_multiplier_does() -> None:
    form = canonical(KNOWN, [1.0, 1.0], 1000.0)
    np.testing.assert_array_equal(greedy(form.utility, form.market, form.held), [284, 716])


def test_greedy_lets_price_cancel_need() -> None:
    form = canonical(KNOWN, [1.0, 4.0], 1000.0)
    orders = greedy(form.utility, form.market, form.held)
    np.testing.assert_allclose(orders, [200, 200], atol=1)
    assert form.market.cost(orders) <= form.market.budget


def test_greedy_weighs_the_groups() -> None:
    form = canonical([(0.0, 1.0, 0.5, 0.0)] * 3, [1.0] * 3, 900.0, weights=[0.7, 0.2, 0.1])
    np.testing.assert_allclose(greedy(form.utility, form.market, form.held), [527.22, 228.71, 144.08], atol=1.0)


def test_worst_first_levels_the_losses_without_weights() -> None:
    form = canonical(KNOWN, [1.0, 1.0], 1000.0, weights=[0.9, 0.1])
    np.testing.assert_allclose(worst_first(form.utility, form.market, form.held), [58.82, 941.18], atol=1.0)


def test_worst_first_skips_a_group_without_a_source_or_a_weight() -> None:
    curves = [(0.5, 1.0, 0.5, 0.0), *KNOWN, (0.6, 1.0, 0.5, 0.0)]
    asked = problem(stated(curves), offers([1.0, 1.0, 1.0], groups=[1, 2, 3]), 100.0, weights=[1, 1, 1, 0])
    form = Canonical.of(asked)
    added = form.market.added(worst_first(form.utility, form.market, form.held))
    assert added[0] == added[3] == 0
    assert added.sum() == 100


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_greedy_by_single_samples_is_within_a_sample_of_the_best_split(seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = Canonical.of(problem(stated(random_curves(rng, 3)), offers([1.0] * 3), 40.0, held=[30.0, 50.0, 80.0]))
    splits = [np.array([a, b, 40.0 - a - b]) for a in range(41) for b in range(41 - a)]
    best = max(splits, key=lambda added: form.utility.at(form.held + added))
    assert np.abs(form.market.added(greedy(form.utility, form.market, form.held)) - best).max() <= 1.0


def test_large_budgets_are_spent_in_batches_to_within_one() -> None:
    form = canonical(KNOWN, [1.0, 1.0], 1_000_000.0)
    orders = greedy(form.utility, form.market, form.held)
    share = 1.0 / (1.0 + 4.0 ** (2 / 3))
    np.testing.assert_allclose(orders, [1e6 * share, 1e6 * (1 - share)], atol=2_000)
    assert form.market.cost(orders) == form.market.budget


def test_water_filling_brings_counts_level_to_the_last_sample() -> None:
    market = Market.of(offers([1.0] * 3), [0, 1, 2], 3, 100 * MONEY)
    held = np.array([10.0, 50.0, 200.0])
    np.testing.assert_array_equal(held + market.added(water_filling(market, held)), [80, 80, 200])
    market = Market.of(offers([1.0] * 3), [0, 1, 2], 3, 101 * MONEY)
    assert market.cost(water_filling(market, held)) == market.budget


def test_water_filling_is_one_sample_at_a_time_to_the_smallest() -> None:
    rng = np.random.default_rng(5)
    held = rng.integers(0, 60, 5).astype(float)
    market = Market.of(offers([1.0] * 5), list(range(5)), 5, 137 * MONEY)
    counts = held.copy()
    for _ in range(137):
        counts[np.argmin(counts)] += 1
    np.testing.assert_array_equal(held + market.added(water_filling(market, held)), counts)


def test_one_draw_is_one_of_the_draws_and_the_seed_says_which() -> None:
    posterior = scattered(KNOWN, 50, 1)
    at = np.array([40.0, 90.0])
    picked = [one_draw(posterior, seed).loss(at)[:, 0].tolist() for seed in range(12)]
    every = posterior.loss(at).T.tolist()
    assert all(draw in every for draw in picked)
    assert len({tuple(draw) for draw in picked}) > 6
    assert one_draw(posterior, 3).loss(at).tolist() == one_draw(posterior, 3).loss(at).tolist()


def test_the_point_estimate_of_a_stated_curve_is_that_curve() -> None:
    sure, at = stated(KNOWN, draws=7), np.array([40.0, 90.0])
    np.testing.assert_allclose(point_estimate(sure).loss(at)[:, 0], sure.loss(at)[:, 0], rtol=1e-14)


def test_a_fixed_order_is_kept_and_paid_for() -> None:
    sources = (replace(offers([1.0])[0], fixed_order=30), *offers([1.0, 2.0], groups=[1, 1])[1:])
    market = Market.of(sources, [0, 1], 2, 100 * MONEY)
    form = Canonical.of(problem(stated(KNOWN), sources, 100.0))
    for orders in (
        equal(market),
        equal_spend(market),
        proportional(market, np.array([0.2, 0.8])),
        water_filling(market, np.zeros(2)),
        greedy(form.utility, market, np.ones(2)),
        worst_first(form.utility, market, np.ones(2)),
        slice_tuner(form.utility.posterior, market, np.full(2, 50.0)),
    ):
        assert orders[[source.key for source in market.sources].index("s0")] == 30
        assert market.cost(orders) <= market.budget


def yields(draw: st.DrawFn) -> tuple[tuple[int, float], ...]:
    groups = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
    return tuple((group, round(1.0 / len(groups) - 0.01, 3)) for group in sorted(groups))


@st.composite
def sources(draw: st.DrawFn) -> Source:
    start = draw(st.integers(1, 400))
    return Source(
        key=draw(st.uuids().map(str)),
        yields=yields(draw),
        unit_cost=draw(st.integers(1000, 10**8)),
        min_order=draw(st.integers(0, 200)),
        max_order=draw(st.none() | st.integers(0, 2000)),
        lot_size=draw(st.sampled_from([1, 1, 7, 50])),
        tiers=draw(st.sampled_from([(), (Tier(start, 10**5),), (Tier(start, 10**7), Tier(start + 90, 10**8))])),
        fixed_cost=draw(st.sampled_from([0, 0, 5 * 10**7])),
        max_total=draw(st.none() | st.integers(0, 1500)),
        ordered=draw(st.integers(0, 300)),
        project_tiers=draw(st.booleans()),
        acceptance_rate=draw(st.sampled_from([1.0, 0.8])),
        quality=draw(st.sampled_from([1.0, 0.6])),
        billed=draw(st.sampled_from(["delivered", "accepted"])),
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(sources(), max_size=6, unique_by=lambda source: source.key),
    st.integers(0, 10**10),
    st.lists(st.floats(-50.0, 900.0), min_size=4, max_size=4) | st.none(),
    st.sampled_from([isoelastic(0.0), isoelastic(3.0), MAXIMIN]),
)
def test_every_policy_keeps_the_budget_every_limit_and_the_groups_space(
    offered: list[Source], budget: int, space: list[float] | None, objective: object
) -> None:
    market = Market.of(offered, list(range(4)), 4, budget)
    held, room = np.array([20.0, 50.0, 0.0, 400.0]), None if space is None else np.array(space)
    posterior = scattered([*KNOWN, (0.1, 0.8, 0.3, 0.0), (0.3, 0.0, 1.0, 0.0)], 6, 0)
    utility = Canonical.of(problem(posterior, (), 1.0, objective=objective)).utility
    for orders in (
        equal(market, room),
        equal_spend(market, room),
        proportional(market, np.array([0.4, 0.3, 0.3, 0.0]), room),
        water_filling(market, held, room),
        greedy(utility, market, held, room),
        worst_first(utility, market, held, room),
        slice_tuner(posterior, market, held, room),
    ):
        assert market.cost(orders) <= budget
        for order, source in zip(orders.tolist(), market.sources, strict=True):
            assert order == 0 or source.least <= order <= (order if source.cap is None else source.cap)
            assert order % source.lot_size == 0
        if room is not None:
            taken = market.accepted(orders)
            assert np.all((taken <= room + 1e-6) | (taken == 0.0))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_merged_batches_are_those_taken_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 8))
    prices = [float(price) for price in np.round(rng.uniform(0.5, 20.0, count), 2)]
    sources = [
        replace(offer, max_order=int(rng.integers(1, 200)) if rng.random() < 0.3 else None) for offer in offers(prices)
    ]
    held = [float(one) for one in rng.integers(5, 200, count)]
    budget = float(rng.integers(1, 3000))
    objective = isoelastic(1.0) if rng.random() < 0.5 else None
    asked = {"objective": objective} if objective else {}
    form = Canonical.of(problem(stated(random_curves(rng, count)), sources, budget, held=held, **asked))
    for policy in (greedy, worst_first):
        merged = policy(form.utility, form.market, form.held)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(steps, "_is_simple", lambda *_: False)
            one_by_one = policy(form.utility, form.market, form.held)
        np.testing.assert_array_equal(merged, one_by_one)
