from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import amount, grouped, millionths, plain

whole = st.integers(-(10**18), 10**18)


@pytest.mark.parametrize(
    ("value", "alone", "apart"),
    [
        ("976", "976.00", "976.00"),
        ("0.000001", "0.000001", "0.000001"),
        ("1234567.5", "1234567.50", "1,234,567.50"),
        ("-1234.125", "-1234.125", "-1,234.125"),
        ("0", "0.00", "0.00"),
    ],
)
def test_text_has_as_many_decimals_as_are_needed(value: str, alone: str, apart: str) -> None:
    assert plain(Decimal(value)) == alone
    assert grouped(Decimal(value)) == apart


@given(whole)
def test_nothing_is_lost_on_the_way_to_text_and_back(count: int) -> None:
    assert millionths(amount(count)) == count
    assert millionths(Decimal(plain(amount(count)))) == count
    assert grouped(amount(count)).replace(",", "") == plain(amount(count))
