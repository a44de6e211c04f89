"""Recorded purchases: whatever their sequence, the books agree; and a purchase is there whole, or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select

from app.api.http.runtime import Runtime
from app.services.purchases.purchases import shared
from app.store.db import Database
from app.store.models.metadata import metadata
from tests.api_client import RUNS, Api

HELD = {"A": 200, "B": 100}
BUDGET = Decimal(300)
PANEL = {
    "key": "panel",
    "yields": {"A": 0.5, "B": 0.3},
    "unit_cost": "0.70",
    "acceptance_rate": 0.8,
    "billed": "accepted",
}
TIERS = {"fixed_cost": "3", "price_tiers": [{"from": 40, "unit_cost": "0.25"}], "tier_scope": "project", "lot_size": 10}


def price(source: str, quantity: int, accepted: int, before: int) -> Decimal:
    """What a source's terms charge. before: samples of A's source that were bought earlier."""
    if source == "panel":
        return Decimal("0.70") * accepted
    if source == "B":
        return Decimal(2) * quantity
    dear = max(0, min(40, before + quantity) - before)
    return 3 + Decimal(dear) + Decimal("0.25") * (quantity - dear)


Came = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Said:
    """A purchase of A, B and the panel, whose samples of each group are told apart."""

    a: int
    b: int
    panel: Came
    unmapped: int
    spent: Decimal | None
    by_group: bool

    def body(self) -> dict[str, Any]:
        money = {} if self.spent is None else {"spent": str(self.spent)}
        if self.by_group:
            return {"groups": {"B": self.b}, **money}
        return {
            "orders": {"A": self.a, "B": self.b, "panel": {"groups": self.panel, "unmapped": self.unmapped}},
            **money,
        }

    def came(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Source → samples that came, and those that count by group."""
        if self.by_group:
            return {"B": (self.b, {"B": self.b})}
        panel = {key: by_state["accepted"] for key, by_state in self.panel.items()}
        whole = self.unmapped + sum(sum(by_state.values()) for by_state in self.panel.values())
        return {"A": (self.a, {"A": self.a}), "B": (self.b, {"B": self.b}), "panel": (whole, panel)}


SAMPLES = st.integers(0, 60)
STATES = st.fixed_dictionaries({"accepted": SAMPLES, "rejected": st.integers(0, 10)})
SPENT = st.none() | st.decimals(0, 200, places=6) | st.just(Decimal(0))
PURCHASES = st.builds(
    Said,
    a=SAMPLES,
    b=SAMPLES,
    panel=st.dictionaries(st.sampled_from(["A", "B"]), STATES, max_size=2),
    unmapped=st.integers(0, 5),
    spent=SPENT,
    by_group=st.booleans(),
)


def new_project(api: Api) -> str:
    path = api.project(budget={"total": str(BUDGET), "rounds": 2})
    assert api.patch(f"{path}/sources/A", json=TIERS).status_code == 200
    api.post(f"{path}/observations", json={"observations": RUNS})
    return path


def sold_by_panel_too(api: Api, path: str) -> None:
    """B is then sold by two sources, so that it cannot be named by group any more."""
    assert api.post(f"{path}/sources", json=PANEL).status_code == 201


@hypothesis_settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(said=st.lists(PURCHASES, min_size=1, max_size=4))
def test_after_any_purchases_the_books_agree(api: Api, said: list[Said]) -> None:
    path = new_project(api)
    spent, bought, ordered, rounds = Decimal(0), {"A": 0, "B": 0}, 0, 0
    by_group = all(one.by_group for one in said)
    if not by_group:
        sold_by_panel_too(api, path)
    for number, one in enumerate(said):
        came = {key: (whole, counts) for key, (whole, counts) in one.came().items() if whole}
        prices = {key: price(key, whole, sum(counts.values()), ordered) for key, (whole, counts) in came.items()}
        cost = sum(prices.values(), Decimal(0)) if one.spent is None else one.spent
        answer = api.post(f"{path}/purchases", json={"external_id": f"p{number}", **one.body()})
        in_doubt = one.by_group and not by_group and one.b
        if not came or in_doubt:
            assert answer.status_code == 422, answer.text
        elif spent + cost > BUDGET:
            assert answer.status_code == 409, answer.text
        else:
            assert answer.status_code == 201, answer.text
            assert Decimal(answer.json()["spent"]) == Decimal(answer.json()["cost"]) == cost
            rounds += 1
            spent += cost
            ordered += came.get("A", (0, {}))[0]
            for _, counts in came.values():
                for key, count in counts.items():
                    bought[key] += count
    entries = [entry for page in pages(api, f"{path}/ledger") for entry in page]
    assert sum(Decimal(entry["spent"]) for entry in entries) == spent
    assert sum(Decimal(entry["committed"]) for entry in entries) == 0
    listed = [api.get(f"{path}/rounds/{number}").json() for number in range(1, rounds + 1)]
    assert sum(Decimal(one["spent"]) for one in listed) == spent
    assert {one["state"] for one in listed} <= {"closed"}
    groups = {group["key"]: group for group in api.get(f"{path}/groups").json()["items"]}
    assert {key: (group["initial_count"], group["collected_count"]) for key, group in groups.items()} == {
        key: (HELD[key], bought[key]) for key in HELD
    }
    plan = api.get(f"{path}/allocations/next", params={"budget": "0"}).json()
    assert Decimal(plan["budget"]["remaining"]) == BUDGET - spent >= 0
    assert {row["group"]: row["count"] for row in plan["groups"]} == {key: HELD[key] + bought[key] for key in HELD}
    assert plan["round"] == rounds + 1
    assert api.get(f"{path}/ledger/check").json()["entries_add_up"]


def pages(api: Api, path: str) -> Iterator[list[dict[str, Any]]]:
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        page = api.get(path, params={"limit": "500", **cursor}).json()
        yield page["items"]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None


@given(
    spent=st.decimals(0, 10**12 - 1, places=6),
    costs=st.dictionaries(st.text(max_size=3), st.decimals(0, 10**12 - 1, places=6), min_size=1),
)
def test_what_was_spent_is_shared_without_a_remainder(spent: Decimal, costs: dict[str, Decimal]) -> None:
    parts = shared(spent, costs, "EUR")
    assert sum(parts.values()) == spent
    assert sum(part != round(part, 2) for part in parts.values()) <= (spent != round(spent, 2))
    assert all(part >= 0 for part in parts.values())
    whole = sum(costs.values())
    if whole:
        assert all(
            abs(float(parts[key]) - float(spent * cost / whole)) <= 0.02 + 1e-5 * float(1 + spent)
            for key, cost in costs.items()
        )


def stored(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with database.reading() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


class CutOffError(Exception):
    """The process ends here."""


@contextmanager
def cut_off(engine: Engine, at: int) -> Iterator[list[str]]:
    """The `at`-th statement that writes is the last one, and no commit follows; lists those that were sent."""
    sent: list[str] = []

    def before(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.split(maxsplit=1)[0] in ("INSERT", "UPDATE", "DELETE"):
            sent.append(statement)
            if len(sent) == at:
                raise CutOffError(statement)

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", before)


def test_a_purchase_that_is_cut_off_anywhere_leaves_nothing(api: Api, database: Database) -> None:
    """The fault is put before each statement in turn, until the purchase comes through."""
    path = new_project(api)
    runtime: Runtime = api.app.state.runtime
    body = {"external_id": "p1", "orders": {"A": 10, "B": 10}, "note": "x"}
    before, at = stored(database), 0
    while True:
        at += 1
        with cut_off(runtime.database.engine, at) as sent:
            answer = api.post(f"{path}/purchases", json=body)
        if len(sent) < at:
            break
        assert answer.status_code == 500, answer.text
        assert stored(database) == before, sent[-1]
    assert at > 10, "rounds, orders, entries, events and audit are written by more statements than that"
    assert answer.status_code == 201, answer.text
    assert api.post(f"{path}/purchases", json=body).status_code == 200


def test_a_purchase_that_is_not_committed_leaves_nothing(api: Api, database: Database) -> None:
    path = new_project(api)
    runtime: Runtime = api.app.state.runtime
    before = stored(database)
    refuse: Callable[[Any], None]

    def refuse(_: Any) -> None:
        raise CutOffError

    event.listen(runtime.database.engine, "commit", refuse)
    try:
        answer = api.post(f"{path}/purchases", json={"external_id": "p1", "orders": {"A": 10}})
    finally:
        event.remove(runtime.database.engine, "commit", refuse)
    assert answer.status_code == 500
    assert stored(database) == before
