"""The example project: made by the services, its rounds as the planner proposes them, whole or not at all."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.api.planning.allocations import AllocationOut, allocation_json
from app.errors import Forbidden
from app.money import payable
from app.services.access.keys import Caller, authenticate, peppers
from app.services.curves.fits import Fits
from app.services.example import make_example, making
from app.services.ledger.deliveries import check_ledger
from app.services.planning.allocations import AllocationQuestion, next_allocation
from app.services.purchases.progress import progress_of
from app.services.vendors.counts import vendor_folds
from app.settings import Settings
from app.store.db import Database, Session
from app.store.ledger import money_of_project
from app.store.models.projects import Project
from app.store.models.purchases import Round
from app.store.models.vendors import VendorConnection
from tests.api_client import NOW
from tests.conftest import new_key

KEPT = Path(making.__file__).with_name("rounds.json")


def no_job(*_: object, **__: object) -> None:
    """Jobs of the example are those of every project."""


def caller_of(database: Database, scopes: str = "write", **limits: object) -> Caller:
    """Of a key of the workspace 'default'."""
    key = new_key(database, scopes, **limits)
    with database.writing() as session:
        return authenticate(session, NOW, peppers(()), key)


def proposed_today(session: Session, settings: Settings, caller: Caller) -> list[dict[str, Any]]:
    """What the planner answers in the project as it is at each of its rounds."""
    fits, found = Fits(10**8), []

    def planned(project: Project, number: int, hold: Mapping[str, int], at: datetime) -> dict[str, Any]:
        session.flush()
        question = AllocationQuestion(hold=hold)
        answer = allocation_json(project, question, next_allocation(session, fits, project, question))
        assert answer["round"] == number
        found.append(answer)
        return answer

    make_example(session, settings, caller, NOW, no_job, planned)
    return found


def test_its_rounds_keep_what_the_planner_answers(database: Database, settings: Settings) -> None:
    """With EXAMPLE=write they are written anew."""
    caller = caller_of(database)
    with database.writing() as session:
        today = proposed_today(session, settings, caller)
        session.rollback()
    if os.environ.get("EXAMPLE") == "write":
        KEPT.write_text(json.dumps(today, indent=1, ensure_ascii=False) + "\n")
        making.answers.cache_clear()
    for kept, answer in zip(making.answers(), today, strict=True):
        assert AllocationOut.model_validate(kept).model_dump(mode="json").keys() == answer.keys()
        for one, other in zip(kept["sources"], answer["sources"], strict=True):
            assert (one["source"], one["order"], one["cost"]) == (other["source"], other["order"], other["cost"])
        for one, other in zip(kept["groups"], answer["groups"], strict=True):
            assert [one[name] for name in ("group", "add", "cost")] == [
                other[name] for name in ("group", "add", "cost")
            ]
            assert one["metric_after"]["mean"] == pytest.approx(other["metric_after"]["mean"], abs=0.01)


def made_by(database: Database, settings: Settings, caller: Caller) -> str:
    with database.writing() as session:
        return str(make_example(session, settings, caller, NOW, no_job).id)


def test_a_second_click_leads_to_the_same_project_until_it_is_archived(database: Database, settings: Settings) -> None:
    caller = caller_of(database)
    first = made_by(database, settings, caller)
    assert made_by(database, settings, caller) == first
    with database.writing() as session:
        session.get_one(Project, UUID(first)).archived_at = NOW
    assert made_by(database, settings, caller) != first


@pytest.mark.parametrize(
    ("scopes", "keeps_secrets", "connects"), [("admin", True, 1), ("admin", False, 0), ("write", True, 0)]
)
def test_its_ledger_adds_up_and_its_words_are_partly_unmapped(
    database: Database, settings: Settings, scopes: str, keeps_secrets: bool, connects: int
) -> None:
    """Only who may make connections gets one; without it the same samples are recorded by hand."""
    settings = settings if keeps_secrets else settings.model_copy(update={"secret_keys": ()})
    made = made_by(database, settings, caller_of(database, scopes))
    with database.reading() as session:
        project = session.get_one(Project, UUID(made))
        rounds = session.scalars(select(Round).order_by(Round.number)).all()
        assert [one.state for one in rounds] == ["closed", "closed", "collecting"]
        assert all(one.cost == sum(Decimal(line["cost"]) for line in one.lines.values()) for one in rounds)
        assert session.scalar(select(func.count()).select_from(VendorConnection)) == connects
        assert check_ledger(session, project, vendor_folds(session, project.id)) == []
        waits = {one.source: one.totals.in_state("unmapped") for one in progress_of(session, project, rounds[2]).orders}
        assert waits == {"clinics": 0, "panel": 71}
        money = money_of_project(session, project.id)
        assert 0 < money.committed < rounds[2].cost
        assert money.spent == payable(money.spent, "EUR")


def test_it_is_there_whole_or_not_at_all(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = caller_of(database)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("app.services.example.making.rounds.close", fails)
    with pytest.raises(RuntimeError):
        made_by(database, settings, caller)
    with database.reading() as session:
        assert [
            session.scalar(select(func.count()).select_from(one)) for one in (Project, Round, VendorConnection)
        ] == [0, 0, 0]


def test_a_key_of_some_projects_may_not_make_it(database: Database, settings: Settings) -> None:
    caller = replace(caller_of(database), project_ids=frozenset())
    with pytest.raises(Forbidden):
        made_by(database, settings, caller)
