from decimal import Decimal

import pytest

from app.report.words import money, to_buy


@pytest.mark.parametrize(
    ("bought", "said"),
    [
        ([], "Buy nothing in this round."),
        ([(1200, "A")], "Buy 1,200 of A."),
        ([(3, "A"), (2, "B"), (1, "C")], "Buy 3 of A, 2 of B, 1 of C."),
        ([(3, "A"), (2, "B"), (1, "C"), (1, "D")], "Buy 3 of A, 2 of B, 1 of C and samples of 1 other group."),
        ([(1, "A")] * 1003, "Buy 1 of A, 1 of A, 1 of A and samples of 1,000 other groups."),
    ],
)
def test_what_to_buy_names_three_groups_and_counts_the_others(bought: list[tuple[int, str]], said: str) -> None:
    assert to_buy(bought) == said


def test_money_has_a_minus_sign_and_its_currency_where_it_is_told() -> None:
    assert money(Decimal("-1234.5"), "USD") == "−1,234.50 USD"
    assert money(Decimal(0)) == "0.00"
