from decimal import Decimal

import pytest

from app.services.ledger.holdings import left_of, money_of
from app.store.ledger import Money, Totals
from app.store.models.projects import Project


@pytest.mark.parametrize(("total", "left"), [("100", "37.5"), ("62.5", "0"), ("50", "0")])
def test_what_is_left_is_never_below_nothing(total: str, left: str) -> None:
    project = Project(budget_total=Decimal(total))
    assert left_of(project, Money(Decimal("60.5"), Decimal(2))) == Decimal(left)


def test_money_of_orders_is_the_sum_of_their_totals() -> None:
    orders = [Totals(spent=Decimal("1.25"), committed=Decimal(3)), Totals(spent=Decimal("0.5"))]
    assert money_of(orders) == Money(Decimal("1.75"), Decimal(3))
    assert money_of([]) == Money(Decimal(0), Decimal(0))
