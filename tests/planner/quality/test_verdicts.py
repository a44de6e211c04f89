"""Verdicts and break-even prices, against what they are by hand."""

from typing import Any

import pytest

from app.planner.problem import Source
from app.planner.quality.verdicts import judged
from app.planner.quality.worth import Quality, Worth

CLEAN = Quality.exact(1.0)


def offer(key: str, price: float, *, yields: tuple[tuple[int, float], ...] = ((0, 1.0),), **more: Any) -> Source:
    return Source(key, yields, round(price * 1e6), **more)


def test_a_noisy_sample_pays_up_to_its_quality_times_the_clean_price() -> None:
    for price, verdict in ((0.5, "buy"), (0.625, "buy"), (0.63, "leave")):
        found = judged([offer("clean", 1.0), offer("noisy", price)], {"clean": CLEAN, "noisy": Quality.exact(0.625)})
        assert found["noisy"].verdict == verdict
        assert found["noisy"].break_even == pytest.approx((625_000,) * 3)
        # And the clean one up to what so much costs from the noisy.
        assert found["clean"].break_even == pytest.approx((price / 0.625 * 1e6,) * 3)


def test_between_the_ends_of_what_is_known_it_is_undecided() -> None:
    quality = Quality.of(Worth.between(0.4, 0.8))
    for price, verdict in ((0.39, "buy"), (0.5, "undecided"), (0.81, "leave")):
        found = judged([offer("clean", 1.0), offer("noisy", price)], {"clean": CLEAN, "noisy": quality})["noisy"]
        assert found.verdict == verdict
        assert found.break_even == pytest.approx((600_000, 400_000, 800_000), rel=5e-3)


def test_acceptance_billing_and_shares_count() -> None:
    sources = [
        offer("a", 2.0, acceptance_rate=0.8),
        offer("b", 1.0, yields=((1, 1.0),)),
        offer("both", 1.0, yields=((0, 0.5), (1, 0.25)), acceptance_rate=0.5, billed="accepted"),
    ]
    found = judged(sources, {"a": CLEAN, "b": CLEAN, "both": Quality.exact(0.6)})["both"]
    # A billed sample is an accepted one: .6 · (.5 · 2/.8 + .25 · 1).
    assert found.break_even is not None
    assert found.break_even.mean == pytest.approx(0.6 * (0.5 * 2.5 + 0.25) * 1e6)


def test_a_source_alone_for_a_group_has_no_other_way_to_compare() -> None:
    doubtful = Quality.of(Worth(0.0, 0.1))
    for quality, verdict in ((CLEAN, "buy"), (doubtful, "undecided"), (Quality.exact(-0.2), "leave")):
        found = judged([offer("s", 1.0)], {"s": quality})["s"]
        assert (found.verdict, found.break_even, found.quality) == (verdict, None, quality)
    closed = judged([offer("s", 1.0), offer("t", 1.0, max_order=0)], {"s": CLEAN, "t": CLEAN})
    assert closed["s"].break_even is None
    assert closed["t"].break_even is not None


def test_samples_that_harm_their_own_group_are_left_even_for_nothing() -> None:
    sources = [offer("clean", 1.0), offer("harm", 0.0, max_order=100)]
    quality = Quality.of(Worth(-0.2, 0.04))
    found = judged(sources, {"clean": CLEAN, "harm": quality})["harm"]
    assert found.verdict == "leave"
    assert found.break_even is not None
    assert found.break_even.most < 0.0


def test_the_order_of_sources_changes_nothing() -> None:
    sources = [
        offer("a", 1.0),
        offer("b", 0.5),
        offer("c", 0.7, yields=((0, 0.5), (1, 0.5))),
        offer("d", 2.0, yields=((1, 1.0),)),
    ]
    qualities = {"a": CLEAN, "b": Quality.of(Worth()), "c": Quality.exact(0.8), "d": CLEAN}
    assert judged(sources, qualities) == judged(sources[::-1], qualities)
