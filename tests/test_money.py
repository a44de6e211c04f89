from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import amount, brief, grouped, millionths, payable, plain, told

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


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        ("30919.464576", "EUR", "30,919.46"),
        ("24951.625", "EUR", "24,951.63"),
        ("0.005", "USD", "0.01"),
        ("1234567.5", "JPY", "1,234,568"),
        ("1.2345", "KWD", "1.235"),
        ("12", "CLF", "12.0000"),
        ("1", "XYZ", "1.00"),
    ],
)
def test_people_read_what_can_be_paid(value: str, currency: str, shown: str) -> None:
    assert told(Decimal(value), currency) == shown


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        ("99.5", "EUR", "99.50"),
        ("12", "EUR", "12"),
        ("1234.5", "EUR", "1,235"),
        ("99.1255", "JPY", "99"),
        ("99.1255", "EUR", "99.13"),
        ("99.1255", "KWD", "99.126"),
    ],
)
def test_sentences_leave_out_decimals_that_say_little(value: str, currency: str, shown: str) -> None:
    assert brief(Decimal(value), currency) == shown


@given(whole, st.sampled_from(["EUR", "JPY", "TND"]))
def test_what_is_rounded_down_is_never_more(count: int, currency: str) -> None:
    value = abs(amount(count))
    assert 0 <= value - payable(value, currency, down=True) < 1
    assert abs(value - payable(value, currency)) <= Decimal("0.5")
