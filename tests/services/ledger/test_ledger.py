"""The ledger: totals are sums of entries, money follows from counts, and the whole adds up."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.services.ledger import ledger
from app.services.ledger.ledger import Cause
from app.store.db import Database
from app.store.ledger import Cell, money_of_project, totals_of_orders
from app.store.models.projects import Group, Project
from app.store.models.purchases import LedgerEntry, Order
from app.store.projects import members
from tests.api.purchases.test_rounds import accept, deliver, propose
from tests.api_client import NOW, RUNS, Api

STATES = st.sampled_from(["accepted", "rejected", "pending"])
VENDOR = Cause("vendor", "inbox:1")


@dataclass
class Book:
    """An accepted round's order of group A, and the groups' ids."""

    api: Api
    path: str
    order_id: UUID
    project_id: UUID
    a: int
    b: int

    def order(self, session: Session) -> Order:
        found = session.get(Order, self.order_id)
        assert found is not None
        return found


@pytest.fixture
def book(api: Api, database: Database) -> Book:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    propose(api, path)
    order = next(one for one in accept(api, path).json()["orders"] if one["source"] == "A")
    with database.reading() as session:
        project_id = UUID(path.rsplit("/", 1)[1])
        ids = {group.key: group.id for group in members(session, Group, project_id)}
    return Book(api, path, UUID(order["id"]), project_id, ids["A"], ids["B"])


def without_zeros(counts: dict[Cell, int]) -> dict[Cell, int]:
    return {cell: count for cell, count in counts.items() if count}


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.dictionaries(st.tuples(st.sampled_from("AB"), STATES), st.integers(0, 30)), max_size=6))
def test_however_often_items_are_folded_the_entries_add_up_to_the_last_fold(
    book: Book, database: Database, folds: list[dict[tuple[str, str], int]]
) -> None:
    with database.engine.connect() as connection, Session(connection) as session:
        order = book.order(session)
        last: dict[Cell, int] = {}
        for fold in folds:
            last = {(book.a if key == "A" else book.b, state): count for (key, state), count in fold.items()}
            ledger.settle(session, order, last, VENDOR, NOW)
            assert ledger.settle(session, order, last, VENDOR, NOW) is None
        if folds:
            totals = totals_of_orders(session, book.project_id, [order.id])[order.id]
            assert without_zeros(totals.counts) == without_zeros(last)
            assert totals.spent == Decimal(sum(last.values()))
            assert totals.committed == max(Decimal(0), order.cost - totals.spent)
            assert ledger.check(session, book.project_id, {}, {order.id: last}) == []
        session.rollback()


def test_a_vendors_stated_cost_wins_over_the_price(book: Book, database: Database) -> None:
    with database.writing() as session:
        order = book.order(session)
        ledger.settle(session, order, {(book.a, "accepted"): 10}, VENDOR, NOW)
        reconcile = Cause("reconcile", "snapshot:1")
        after = ledger.settle(session, order, {(book.a, "accepted"): 10}, reconcile, NOW, cost=Decimal("8.5"))
        assert after is not None
        assert after.spent == Decimal("8.5")
        later = ledger.settle(session, order, {(book.a, "accepted"): 12}, VENDOR, NOW)
        assert later is not None
        assert later.spent == Decimal("10.5")


def test_hand_entries_and_vendors_items_stand_beside_each_other(book: Book, database: Database) -> None:
    deliver(book.api, book.path, str(book.order_id), {"groups": {"A": {"accepted": 5}}})
    with database.writing() as session:
        ledger.settle(session, book.order(session), {(book.a, "accepted"): 7}, VENDOR, NOW)
    assert book.api.get(f"{book.path}/groups/A").json()["collected_count"] == 12
    with database.reading() as session:
        project = session.get_one(Project, book.project_id)
        assert ledger.totals_of(session, book.order(session)).delivered == 12
        assert money_of_project(session, project.id).spent == Decimal(12)


def test_an_entry_that_does_not_belong_is_found(book: Book, database: Database) -> None:
    deliver(book.api, book.path, str(book.order_id), {"groups": {"A": {"accepted": 5}}})
    assert book.api.get(f"{book.path}/ledger/check").json() == {"entries_add_up": True, "discrepancies": []}
    with database.writing() as session:
        stray = ledger.entry(
            book.order(session), Cause("delivery", "?"), NOW, priced=True, group_id=book.a, state="accepted", count=1
        )
        session.add(stray)
    found = book.api.get(f"{book.path}/ledger/check").json()
    assert found["entries_add_up"] is False
    assert found["discrepancies"][0]["order_id"] == str(book.order_id)


def test_what_would_fall_below_zero_appends_nothing(book: Book, database: Database) -> None:
    with database.writing() as session:
        before = session.query(LedgerEntry).count()
        with pytest.raises(Invalid, match="left with -1 accepted"):
            ledger.append(session, book.order(session), {(book.a, "accepted"): -1}, VENDOR, NOW)
        assert session.query(LedgerEntry).count() == before


def test_accepted_samples_alone_are_charged_where_the_source_says_so(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    api.patch(f"{path}/sources/A", json={"billed": "accepted", "fixed_cost": "10"})
    propose(api, path)
    order = next(one for one in accept(api, path).json()["orders"] if one["source"] == "A")
    done = deliver(api, path, order["id"], {"groups": {"A": {"accepted": 30, "rejected": 20}}}).json()["order"]
    assert done["spent"] == "40.00"
