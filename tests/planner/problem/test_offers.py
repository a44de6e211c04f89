"""The sources' terms as arrays say what each source says of itself."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.problem.market import Market
from app.planner.problem.offers import Offers
from app.planner.problem.sources import Source, Tier

PLAIN = (
    Source("a", ((0, 1.0),), 1_500_000),
    Source("b", ((1, 1.0),), 333_333, min_order=35, lot_size=10),
    Source("c", ((2, 1.0),), 7, max_order=400, max_total=900, ordered=650),
    Source("d", ((0, 1.0),), 2_000_001, max_order=5, lot_size=10),
    Source("e", ((1, 1.0),), 10**18, lot_size=2**70),
)
TIERED = (replace(PLAIN[0], tiers=(Tier(100, 1_000_000),)), replace(PLAIN[1], fixed_cost=5, billed="accepted"))


@pytest.mark.parametrize("sources", [PLAIN, (*PLAIN, *TIERED), ()])
@pytest.mark.parametrize("money", [0, 1, 999_999, 123_456_789, 10**18, 10**19])
def test_what_money_pays_for_is_what_each_source_says(sources: tuple[Source, ...], money: int) -> None:
    found = Offers.of(sources)
    assert found.affordable(money).tolist() == [one.affordable(money) for one in sources]
    assert found.shares(money).tolist() == [one.unit_cost / max(money, 1) for one in sources]


def test_segments_without_tiers_are_those_of_the_sources() -> None:
    sources = (*PLAIN[:4], replace(PLAIN[0], key="f", billed="accepted", acceptance_rate=0.7))
    segments = Market.of(sources, [0, 1, 2], 3, 12_345_678).segments
    ordered = Market.of(sources, [0, 1, 2], 3, 12_345_678).sources
    rows = [(at, *part) for at, one in enumerate(ordered) for part in one.segments()]
    assert segments.source.tolist() == [row[0] for row in rows]
    assert segments.starts.tolist() == [row[1] for row in rows]
    assert segments.length.tolist() == [row[2] for row in rows]
    assert segments.price.tolist() == [row[3] / 12_345_678 for row in rows]
    assert not segments.falls.any()


def test_another_budget_is_the_same_market_posed_anew() -> None:
    moved, posed = (Market.of(PLAIN, [0, 1, 2], 3, 10**9).with_budget(10**7), Market.of(PLAIN, [0, 1, 2], 3, 10**7))
    assert np.array_equal(moved.most, posed.most)
    assert np.array_equal(moved.share, posed.share)
    assert moved.offers.fixed.tolist() == [-1] * len(PLAIN)
