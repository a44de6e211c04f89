"""Whoever comes in whatever order: never more than all, never more than half for one, and nothing is left behind."""

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.admission.shares import Shares
from app.errors import RateLimited, Unavailable


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), max_size=30))
def test_no_more_than_all_and_half_of_it_for_one(asked: list[tuple[int, int]]) -> None:
    shares, held = Shares(100, "things", 5), dict.fromkeys(range(4), 0)
    with ExitStack() as rooms:
        for owner, amount in asked:
            try:
                rooms.enter_context(shares.room(owner, amount))
            except RateLimited:
                assert held[owner] + amount > 50
            except Unavailable:
                assert sum(held.values()) + amount > 100
            else:
                held[owner] += amount
            assert shares.all_held == sum(held.values()) <= 100
            assert max(held.values()) <= 50
    assert (shares.all_held, len(shares.held)) == (0, 0)


def test_a_room_grows_by_what_is_new_and_says_who_must_wait() -> None:
    shares = Shares(10, "things", 5)
    with shares.room("a") as room, shares.room("b", 5):
        room.grow_to(3)
        room.grow_to(2)
        assert shares.all_held == 8
        with pytest.raises(RateLimited, match=r"as many things under way as one may have \(5\)") as mine:
            room.grow_to(6)
        with pytest.raises(Unavailable, match=r"this process takes \(10\)"), shares.room("c", 3):
            pass
        room.grow_to(5)
    assert mine.value.headers == {"Retry-After": "5"}
