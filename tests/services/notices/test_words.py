"""Each event in a sentence: money in its currency's minor unit, who, whose words, and the page."""

from typing import Any, get_args
from uuid import UUID

import pytest

from app.services.ids import new_id
from app.services.notices.words import SENTENCES, Notice, notice_of
from app.services.webhooks.events import EventType
from app.store.db import Database
from app.store.models.webhooks import Event
from tests.api.purchases.test_rounds import propose
from tests.api_client import NOW, RUNS, Api
from tests.conftest import one_database

pytestmark = one_database
OTHERWISE = "/endpoints/1"


def told(database: Database, type: str, project: str | None, **data: Any) -> Notice:
    event = Event(
        id=new_id(), workspace_id=new_id(), sequence=1, project_id=project and UUID(project.rpartition("/")[2]),
        type=type, version=1, data={"url": f"{project}/somewhere", **data}, created_at=NOW,
    )  # fmt: skip
    with database.reading() as session:
        return notice_of(session, type, event, OTHERWISE)


def waiting(project: str, **more: Any) -> dict[str, Any]:
    """What an event of a proposal holds."""
    return {
        "round": 3,
        "page": f"{project.removeprefix('/v1')}/rounds/3",
        "project_name": "Lungs",
        "by": {"id": "0a1b2c3d4e5f6071", "name": "Ana"},
        "note": None,
        "reference": None,
        "cost": "12345.6",
        "currency": "USD",
        "verdict": "Buy round 3: +0.3 points of accuracy.",
        "approvals": 1,
        "approvals_needed": 2,
        "expires_at": None,
        **more,
    }


def test_a_proposal_is_told_with_all_that_its_signer_asks(api: Api, database: Database) -> None:
    project = api.project(name="Lungs")
    notice = told(
        database,
        "round.proposed",
        project,
        **waiting(project, note="for the\naudit", reference="PO-4711", expires_at="2026-12-04T10:00:01Z"),
    )
    assert notice == Notice(
        "Ana proposed round 3 of “Lungs” for 12,345.60 USD",
        "It has 1 of the 2 approvals it needs. Buy round 3: +0.3 points of accuracy. Purchase order: PO-4711."
        " It expires on 2026-12-04.",
        "Ana: for the\naudit",
        f"{project.removeprefix('/v1')}/rounds/3",
    )


@pytest.mark.parametrize(
    ("type", "more", "headline"),
    [
        ("round.approval_needed", {}, "Round 3 of “Lungs” for 12,346 JPY waits for approval"),
        ("round.declined", {}, "Ana declined round 3 of “Lungs” for 12,346 JPY"),
        (
            "round.declined",
            {"by": {"id": "0a1b2c3d4e5f6071", "name": None}},
            "Key 0a1b2c3d4e5f6071 declined round 3 of “Lungs” for 12,346 JPY",
        ),
    ],
)
def test_who_and_how_much(api: Api, database: Database, type: str, more: dict[str, Any], headline: str) -> None:
    """A yen has no smaller unit."""
    project = api.project(name="Lungs", currency="JPY")
    assert told(database, type, project, **waiting(project, **more)).headline == headline


def test_a_round_that_is_accepted_is_told_with_what_it_costs(api: Api, database: Database) -> None:
    project = api.project(name="Lungs")
    api.post(f"{project}/observations", json={"observations": RUNS})
    cost = propose(api, project).json()["cost"]
    notice = told(database, "round.accepted", project, round=1)
    assert notice.headline == f"Round 1 of “Lungs” for {float(cost):,.2f} USD is accepted"
    assert notice.path == f"{project.removeprefix('/v1')}/rounds/1"


@pytest.mark.parametrize(
    ("type", "data", "headline", "more"),
    [
        ("observations.accepted", {"accepted": 1}, "1 training run was stored in “Lungs”", ""),
        ("observations.accepted", {"accepted": 1200}, "1,200 training runs were stored in “Lungs”", ""),
        (
            "allocation.changed",
            {"moved": 0.254},
            "New data change the plan of “Lungs”",
            "25 % of the money goes elsewhere.",
        ),
        (
            "target.reached",
            {"group": "Black_Female", "target": 0.9, "probability": 0.9999},
            "Black_Female of “Lungs” reaches its target",
            "0.9 is reached with a probability of over 99 %.",
        ),
        (
            "budget.exhausted",
            {"left": "0.4"},
            "The budget of “Lungs” is used up",
            "What is left, 0.40 USD, pays for no sample of any source.",
        ),
        ("order.placed", {"round": 2}, "An order of round 2 of “Lungs” is with its vendor", ""),
        ("delivery.recorded", {"round": 2}, "The counts of an order of round 2 of “Lungs” changed", ""),
        ("round.closed", {"round": 2}, "Round 2 of “Lungs” is closed", "Nothing more is expected of its orders."),
        ("something.new", {}, "something.new in “Lungs”", ""),
    ],
)
def test_each_event_in_a_sentence(
    api: Api, database: Database, type: str, data: dict[str, Any], headline: str, more: str
) -> None:
    notice = told(database, type, api.project(name="Lungs"), **data)
    assert (notice.headline, notice.more) == (headline, more)


def test_an_endpoint_that_is_disabled_leads_to_its_page(database: Database) -> None:
    notice = told(database, "endpoint.disabled", None, url="/v1/webhook-endpoints/7", reason="it answered 410 Gone")
    assert (notice.more, notice.path) == ("It was disabled: it answered 410 Gone.", "/endpoints/7")


def test_a_test_leads_to_its_endpoint(database: Database) -> None:
    with database.reading() as session:
        notice = notice_of(session, "endpoint.test", None, OTHERWISE)
    assert (notice.headline, notice.path) == ("This is a test of Tranche", OTHERWISE)
    assert set(get_args(EventType)) <= SENTENCES.keys()


def test_a_headline_is_one_line_whatever_the_names_are(api: Api, database: Database) -> None:
    project = api.project(name="Lungs\r\nBcc: eve@example.com\x85\x1b[31m")
    notice = told(database, "observations.accepted", project, accepted=2)
    assert notice.headline == "2 training runs were stored in “Lungs Bcc: eve@example.com [31m”"
