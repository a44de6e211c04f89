"""Sentences of pages and of the report."""

from decimal import Decimal

import pytest

from app.report.words import figure, money, price, purchase, worth

LINES = [("women", 1200), ("men", 30), ("A", 2), ("B", 1), ("C", 1)]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "Collect nothing in this round."),
        (1, "Collect 1,200 samples from women."),
        (3, "Collect 1,200 samples from women, 30 from men, 2 from A."),
        (4, "Collect 1,200 samples from women, 30 from men, 2 from A and samples from 1 other group."),
        (5, "Collect 1,200 samples from women, 30 from men, 2 from A and samples from 2 other groups."),
    ],
)
def test_what_to_buy_is_one_sentence(count: int, said: str) -> None:
    assert purchase(LINES[:count]) == said


def test_money_has_a_minus_sign_and_no_more_digits_than_can_be_paid() -> None:
    assert money(Decimal("-1234.5"), "USD") == "−1,234.50 USD"
    assert money(Decimal("2573.598958"), "EUR") == "2,573.60 EUR"
    assert figure(Decimal(0), "USD") == "0.00"
    assert price(Decimal("0.0125"), "USD") == "0.0125"
    assert price(Decimal(120), "JPY") == "120"
    assert price(Decimal("1.5"), "KWD") == "1.500"


def test_what_a_source_is_worth_is_said_with_its_doubt_and_the_price_that_it_pays() -> None:
    assert worth(0.62, 0.56, 0.68, Decimal("0.62"), "CHF") == (
        "worth 0.62 of a clean sample (0.56 to 0.68), pays below 0.62 CHF a piece"
    )
    assert worth(0.8, 0.8, 0.8, None, "CHF") == "worth 0.80 of a clean sample"
