"""Counters by the minute: bounded, by our clock, with what is left in the headers' syntax."""

from datetime import timedelta

from app.api.admission.rates import Counters, Rate
from tests.api_client import Clock


def test_each_has_so_many_in_the_minute_that_begins_with_the_first() -> None:
    clock = Clock()
    rate = Rate(2, clock)
    assert [rate.count("a"), rate.count("a"), rate.count("a"), rate.count("b")] == [True, True, False, True]
    clock.now += timedelta(seconds=50.5)
    assert rate.left("a") == (0, 10)
    assert rate.headers("a") == [(b"ratelimit-policy", b'"calls";q=2;w=60'), (b"ratelimit", b'"calls";r=0;t=10')]
    refusal = rate.refusal("a", "Too many.")
    assert (refusal.detail, refusal.headers) == ("Too many. Come again in 10 s.", {"Retry-After": "10"})
    clock.now += timedelta(seconds=9.5)
    assert rate.count("a")
    assert rate.left("a") == (1, 60)


def test_without_a_limit_nothing_is_counted() -> None:
    rate = Rate(0, Clock())
    assert all(rate.count("a") for _ in range(100))
    assert (rate.headers("a"), rate.counters.counted) == ([], {})


def test_who_was_counted_longest_makes_room() -> None:
    counters = Counters(Clock(), most=3)
    for number in range(1000):
        counters.incr(str(number), 60)
    assert list(counters.counted) == ["997", "998", "999"]
    assert counters.incr("998", 60) == 2
    assert (counters.get("1"), counters.get("998")) == (0, 2)
    counters.clear("998")
    assert (counters.get("998"), counters.check(), counters.reset(), counters.counted) == (0, True, 2, {})
