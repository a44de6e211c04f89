"""The baselines: counts, money and weights shared out in whole orders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.policies.fill_orders import Shelves
from app.planner.policies.heuristics import equal, equal_spend, proportional
from app.planner.problem.market import Market
from app.planner.problem.sources import MOST, Source, SourceError
from tests.planner.problems import MONEY, offers


def market(sources: tuple[Source, ...], groups: int, budget: float) -> Market:
    return Market.of(sources, list(range(groups)), groups, round(budget * MONEY))


def test_equal_gives_every_group_the_largest_equal_count_and_fills_up() -> None:
    """13 of each cost 97.5; what is left pays for two more of the cheapest and for nothing else."""
    shop = market(offers([1.0, 2.0, 4.5]), 4, 100.0)
    np.testing.assert_array_equal(shop.added(equal(shop)), [15, 13, 13, 0])


def test_a_group_that_waits_for_a_dear_step_does_not_hold_up_the_others() -> None:
    """A smallest order of 80 that is beyond the money, or lots of 60: the others get what is left in equal parts."""
    for lots, least in (([1, 1, 1], [80, 0, 0]), ([60, 1, 1], [0, 0, 0])):
        shop = market(offers([1.0, 1.0, 1.0], lots=lots, least=least), 3, 50.0)
        np.testing.assert_array_equal(shop.added(equal(shop)), [0, 25, 25])
        np.testing.assert_array_equal(shop.added(equal_spend(shop)), [0, 25, 25])
        np.testing.assert_array_equal(shop.added(proportional(shop, np.array([0.4, 0.3, 0.3]))), [0, 25, 25])


def test_the_level_at_which_the_money_ends_is_known() -> None:
    """13 of each cost 97.5, a 14th of all three 105."""
    shop = market(offers([1.0, 2.0, 4.5]), 3, 100.0)
    assert Shelves(shop).last_level(np.ones(3), np.full(3, np.inf)) == pytest.approx(14.0)
    assert Shelves(shop).last_level(np.ones(3), np.full(3, 5.0)) is None


def test_to_begin_at_that_level_changes_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    chance, known, halved = np.random.default_rng(3), [], []
    shops, weights = [], chance.uniform(0.1, 2.0, (60, 5))
    for _ in range(60):
        most = [None if chance.random() < 0.5 else int(chance.integers(1, 60)) for _ in range(5)]
        lots = [int(lot) for lot in chance.choice([1, 1, 1, 5], 5)]
        prices = chance.choice([0.25, 1.0, 2.0, 3.7], 5).tolist()
        shops.append(market(offers(prices, most=most, lots=lots), 5, float(chance.integers(1, 400))))
    for found in (known, halved):
        for shop, shares in zip(shops, weights, strict=True):
            found += [equal(shop), equal_spend(shop), proportional(shop, shares), proportional(shop, np.ones(5))]
        monkeypatch.setattr(Shelves, "last_level", lambda *_: None)
    np.testing.assert_array_equal(known, halved)


def test_a_weight_of_0_is_no_part_of_counts_by_weight() -> None:
    shop = market(offers([1.0, 2.0, 0.5]), 3, 11.0)
    np.testing.assert_array_equal(shop.added(proportional(shop, np.array([0.5, 0.5, 0.0]))), [5, 3, 0])


def test_what_a_capped_group_cannot_take_goes_to_the_others() -> None:
    shop = market(offers([1.0, 1.0, 1.0], most=[10, None, None]), 3, 100.0)
    np.testing.assert_array_equal(shop.added(equal(shop)), [10, 45, 45])
    np.testing.assert_array_equal(shop.added(equal_spend(shop)), [10, 45, 45])
    np.testing.assert_array_equal(shop.added(proportional(shop, np.array([0.5, 0.3, 0.2]))), [10, 54, 36])


def test_equal_spend_gives_every_group_the_same_money() -> None:
    shop = market(offers([1.0, 2.0, 5.0]), 3, 99.0)
    np.testing.assert_array_equal(shop.added(equal_spend(shop)), [35, 17, 6])


def test_proportional_gives_whole_counts_their_last_sample() -> None:
    shop = market(offers([1.0] * 4), 4, 100.0)
    np.testing.assert_array_equal(shop.added(proportional(shop, np.array([0.1, 0.2, 0.3, 0.4]))), [10, 20, 30, 40])


def test_the_cheaper_source_is_used_up_first() -> None:
    shop = market(offers([3.0, 1.0], groups=[0, 0], most=[None, 20]), 1, 50.0)
    orders = np.zeros(2, dtype=int)
    orders[shop.order] = equal(shop)
    np.testing.assert_array_equal(orders, [10, 20])


def test_lots_and_smallest_orders_are_kept() -> None:
    shop = market(offers([1.0, 1.0, 1.0], lots=[7, 1, 1], least=[0, 60, 30]), 3, 100.0)
    np.testing.assert_array_equal(shop.added(equal(shop)), [49, 0, 51])


@pytest.mark.parametrize("budget", [0.0, 0.5])
def test_without_money_for_a_sample_nothing_is_bought(budget: float) -> None:
    shop = market(offers([1.0, 2.0]), 2, budget)
    for orders in (equal(shop), equal_spend(shop), proportional(shop, np.array([0.5, 0.5]))):
        assert not orders.any()


def test_no_source_at_all_is_no_error() -> None:
    shop = market((), 2, 10.0)
    assert len(equal(shop)) == len(equal_spend(shop)) == len(proportional(shop, np.array([0.5, 0.5]))) == 0


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((0, 0, None, 1), "unit_cost"),
        ((1, -1, None, 1), "min_order"),
        ((1, 0, -1, 1), "max_order"),
        ((1, 0, None, 0), "lot_size"),
    ],
)
def test_a_source_that_contradicts_itself_is_named(numbers: tuple[int, int, int | None, int], message: str) -> None:
    cost, low, high, lot = numbers
    with pytest.raises(SourceError, match=f"source west: {message}"):
        Source("west", ((0, 1.0),), cost, low, high, lot)


sources = st.builds(
    Source,
    key=st.uuids().map(str),
    yields=st.integers(0, 3).map(lambda group: ((group, 1.0),)),
    unit_cost=st.integers(100, 10**12),
    min_order=st.integers(0, 10**6),
    max_order=st.none() | st.integers(0, 10**9),
    lot_size=st.integers(1, 500),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(sources, max_size=7, unique_by=lambda source: source.key), st.integers(0, 10**18))
def test_every_baseline_keeps_the_budget_and_every_limit(offered: list[Source], budget: int) -> None:
    shop = Market.of(offered, list(range(4)), 4, budget)
    weights = np.array([0.4, 0.3, 0.3, 0.0])
    for rule, orders in enumerate((equal(shop), equal_spend(shop), proportional(shop, weights))):
        left = budget - shop.cost(orders)
        assert left >= 0
        for order, at in zip(orders.tolist(), shop.order.tolist(), strict=True):
            source = offered[at]
            assert order == 0 or source.min_order <= order <= (source.max_order or order)
            assert order % source.lot_size == 0
            # Nothing more can be bought, but by weight for a group without one.
            more = order + (source.lot_size if order else source.least)
            full = more > (MOST if source.cap is None else min(source.cap, MOST))
            assert full or source.cost(more) - source.cost(order) > left or (rule == 2 and source.yields[0][0] == 3)
