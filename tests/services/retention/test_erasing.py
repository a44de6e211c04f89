"""Erasing takes all that is of a project or a workspace, whatever tables there are, and leaves a receipt."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.errors import Conflict, NotFound
from app.services.retention import erasing
from app.services.retention.erasing import ask_to_erase_workspace, erase
from app.store.db import Database, Session
from app.store.models.access import ApiKey, Workspace
from app.store.models.metadata import metadata
from app.store.models.projects import Group, Project
from app.store.models.purchases import Order
from app.store.models.vendors import VendorDelivery
from app.store.upkeep.erasing import links
from tests.api_client import NOW
from tests.services.retention.rows import APART, counts, fill, naming

WORKSPACES_OWN = frozenset(
    {"workspaces", "api_keys", "page_sessions", "vendor_connections", "vendor_wakeups", "idempotent_calls"}
)
"""What stays when a project goes. Of `idempotent_calls` those that name it go."""
SHARED = frozenset({"vendor_deliveries", "vendor_deleted_parents", "vendor_reconciliations"})
"""Of a connection that another project shares, what does not name the one that is erased."""
RECEIPT = frozenset({"erasures"})


def test_every_table_hangs_on_a_workspace_or_is_known_not_to() -> None:
    hanging = {one.name for one in links(metadata.tables["workspaces"])}
    assert {one.name for one in metadata.sorted_tables} - hanging == APART | {"workspaces"}


def test_nothing_of_a_project_is_left_in_any_table(database: Database) -> None:
    with database.writing() as session:
        shop = fill(session, "shop", only=WORKSPACES_OWN)
        mine, _ = fill(session, "mine", shop), fill(session, "second", shop)
        before = counts(session)
    assert set(before) == {one.name for one in metadata.sorted_tables} - APART
    with database.writing() as session:
        project = session.get_one(Project, mine["projects"])
        row = erasing.ask_to_erase(session, project, project.name, True, None, NOW)
    assert erase(database, row.id, lambda: NOW) == [mine["projects"]]
    with database.reading() as session:
        after = counts(session, but=RECEIPT)
        went = {name for name in before if after.get(name, 0) < before[name]}
        assert went == set(before) - WORKSPACES_OWN - SHARED
        assert all(after[name] == 1 for name in went)
        assert set(naming(session, "mine")) <= SHARED
        assert set(naming(session, mine["projects"])) == RECEIPT
        receipt = erasing.store.erasure_by_id(session, row.id)
        assert receipt is not None
        assert receipt.ended_at == NOW
        assert receipt.rows == dict.fromkeys(sorted(went), 1)


def test_a_connection_of_one_project_alone_loses_all_that_its_vendor_told(database: Database) -> None:
    with database.writing() as session:
        mine = fill(session, "mine")
        project = session.get_one(Project, mine["projects"])
        row = erasing.ask_to_erase(session, project, project.name, True, None, NOW)
    erase(database, row.id, lambda: NOW)
    with database.reading() as session:
        assert set(counts(session, but=RECEIPT)) == WORKSPACES_OWN
        assert set(naming(session, mine["projects"])) <= {"erasures"}


def test_nothing_of_a_workspace_is_left_in_any_table(database: Database) -> None:
    with database.writing() as session:
        mine = fill(session, "mine")
        fill(session, "theirs")
        before = counts(session)
        name = session.get_one(Workspace, mine["workspaces"]).name
        row = ask_to_erase_workspace(session, name, True, NOW)
    erase(database, row.id, lambda: NOW)
    with database.reading() as session:
        after = counts(session, but=RECEIPT)
        assert after == {name: count - 1 for name, count in before.items()}
        assert naming(session, "mine") == {}
        assert set(naming(session, mine["projects"], mine["api_keys"])) == set()
        receipt = erasing.store.erasure_by_id(session, row.id)
        assert receipt is not None
        assert list(receipt.money.values()) == [{"ordered": "3", "spent": "3", "committed": "3"}]
        assert receipt.rows["workspaces"] == receipt.rows["projects"] == 1


def test_who_is_killed_is_followed_by_another(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "BATCH", 1)
    with database.writing() as session:
        shop = fill(session, "shop", only=WORKSPACES_OWN)
        mine = fill(session, "mine", shop)
        for number in range(3):
            add_group(session, mine["projects"], f"g{number}")
        project = session.get_one(Project, mine["projects"])
        row = erasing.ask_to_erase(session, project, project.name, True, None, NOW)
    done, whole = 0, erasing.delete_some

    def killed_later(*args: Any) -> bool:
        nonlocal done
        done += 1
        if done % 3 == 0:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(erasing, "delete_some", killed_later)
    deaths = 0
    while True:
        try:
            assert erase(database, row.id, lambda: NOW) == [mine["projects"]]
            break
        except KeyboardInterrupt:
            deaths += 1
            done += deaths % 2
            monkeypatch.setattr(erasing, "delete_some", killed_later if deaths < 10 else whole)
    assert deaths == 10
    with database.reading() as session:
        receipt = erasing.store.erasure_by_id(session, row.id)
        assert receipt is not None
        assert receipt.rows["groups"] == 4
        assert naming(session, "mine") == {}
    assert erase(database, row.id, lambda: NOW) == []


def add_group(session: Session, project_id: UUID, key: str) -> None:
    session.add(Group(project_id=project_id, key=key, weight=1.0, initial_count=0, created_at=NOW, updated_at=NOW))
    session.flush()


def test_what_comes_in_meanwhile_goes_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.writing() as session:
        mine = fill(session, "mine")
        project = session.get_one(Project, mine["projects"])
        row = erasing.ask_to_erase(session, project, project.name, True, None, NOW)
    end, late = erasing.ended, [1, 2]

    def after_another(*args: Any) -> bool:
        if late:
            with database.writing() as session:
                add_group(session, mine["projects"], f"late{late.pop()}")
        return end(*args)

    monkeypatch.setattr(erasing, "ended", after_another)
    erase(database, row.id, lambda: NOW)
    with database.reading() as session:
        assert "groups" not in counts(session)


def test_a_workspace_is_refused_while_orders_are_open_and_asked_for_once(database: Database) -> None:
    with database.writing() as session:
        mine = fill(session, "mine")
        session.execute(update(Order).values(state="placed"))
        name = session.get_one(Workspace, mine["workspaces"]).name
        with pytest.raises(Conflict, match="are open in round"):
            ask_to_erase_workspace(session, name, False, NOW)
        with pytest.raises(NotFound):
            ask_to_erase_workspace(session, "nowhere", False, NOW)
        first = ask_to_erase_workspace(session, name, True, NOW)
        assert ask_to_erase_workspace(session, name, False, NOW).id == first.id
        assert session.get_one(ApiKey, mine["api_keys"]).revoked_at == NOW


def test_what_waits_to_be_counted_for_another_project_stays() -> None:
    applied, waits = VendorDelivery(outcome="applied"), VendorDelivery(outcome="quarantined")
    assert [erasing.goes(applied, mine) for mine in ([True, False], [True], [False], [])] == [True, True, False, False]
    assert [erasing.goes(waits, mine) for mine in ([True, False], [True], [False], [])] == [False, True, False, False]
