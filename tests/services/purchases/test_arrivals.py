"""What a purchase brought: a number says it where a source leaves nothing open."""

import pytest

from app.services.purchases.arrivals import Arrived, in_doubt, says_all, why_not
from app.store.models.projects import Source, SourceYield

KEYS = {1: "A", 2: "B"}


def source(shares: dict[int, float], acceptance_rate: float = 1.0) -> Source:
    yields = [SourceYield(group_id=group, share=share) for group, share in shares.items()]
    return Source(key="s", yields=yields, acceptance_rate=acceptance_rate)


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (source({1: 1.0}), None),
        (source({1: 1.0 - 1e-12}), None),
        (source({1: 0.6, 2: 0.4}), "delivers A, B"),
        (source({1: 0.8}), "a share of 0.8 is of its group"),
        (source({1: 1.0}, 0.9), "a share of 0.9 is accepted"),
    ],
)
def test_a_number_says_all_of_one_group_that_is_all_accepted(offer: Source, why: str | None) -> None:
    assert says_all(offer) is (why is None)
    if why is not None:
        assert why in why_not(offer, KEYS)
        assert "`orders`" in in_doubt("A", [offer], KEYS)


def test_quantities_count_all_that_came_and_accepted_what_counts() -> None:
    came = Arrived({"A": {"accepted": 3, "rejected": 2}, "B": {"rejected": 1}}, unmapped=4)
    assert (came.quantity, came.accepted) == (10, {"A": 3})
