"""The contract's section `webhooks` beside the bytes that are sent: every type, field by field."""

import json
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from app.api.webhooks.messages import MESSAGES, type_of
from app.jobs.workflows import Context
from app.services.ids import new_id
from app.services.notices.words import TEST_TYPE
from app.services.webhooks import attempts, messages
from app.services.webhooks.events import EventType
from app.settings import Settings
from app.store.db import Database
from app.store.models.webhooks import Event, WebhookDelivery, WebhookEndpoint
from tests.api.purchases.test_rounds import accept, act, propose
from tests.api_client import NOW, RUNS, Api
from tests.jobs.worker import job_context, run_waiting
from tests.test_contract import CONTRACT

GROUPS = [
    {"key": "A", "initial_count": 200, "unit_cost": "1", "target": 0.5},
    {"key": "B", "initial_count": 100, "unit_cost": "2"},
]


@pytest.fixture
def context(api: Api, settings: Settings) -> Iterator[Context]:
    with job_context(settings, api.clock) as made:
        yield made


def shape_of(type: str) -> dict[str, Any]:
    content = CONTRACT["webhooks"][type]["post"]["requestBody"]["content"]
    return {**content["application/json"]["schema"], "components": CONTRACT["components"]}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The object behind a reference, or behind one that may be null."""
    [named] = [one for one in (schema, *schema.get("anyOf", [])) if "$ref" in one] or [schema]
    name = named.get("$ref", "").rpartition("/")[2]
    return dict(CONTRACT["components"]["schemas"][name]) if name else schema


def differences(schema: dict[str, Any], sent: Any, at: str = "") -> list[str]:
    """Fields that are described and not sent, or sent and not described."""
    described = resolved(schema)
    if not isinstance(sent, dict):
        return []
    each = described.get("additionalProperties")
    fields = dict.fromkeys(sent, each) if isinstance(each, dict) else described["properties"]
    apart = sorted(f"{at}/{name}" for name in fields.keys() ^ sent.keys())
    return apart + [
        one for name in fields.keys() & sent.keys() for one in differences(fields[name], sent[name], f"{at}/{name}")
    ]


def happen(api: Api, context: Context, database: Database) -> None:
    """An event of every type."""
    project = api.project(groups=GROUPS)
    api.post(f"{project}/observations", json={"observations": RUNS[:2]})
    run_waiting(context)
    api.post(f"{project}/observations", json={"observations": RUNS[2:]})
    api.patch(f"{project}/sources/A", json={"unit_cost": "9"})
    run_waiting(context)
    assert propose(api, project).status_code == 201
    assert act(api, project, "decline", json={"reason": "too dear"}).status_code == 200
    assert propose(api, project, "r2").status_code == 201
    assert api.patch(f"{project}/rounds/2", json={"orders": {"B": 500}}).status_code == 200
    [order] = accept(api, project, 2).json()["orders"]
    path = f"{project}/rounds/2/orders/{order['id']}/deliveries"
    assert api.post(path, json={"external_id": "d1", "groups": {"B": {"accepted": 1}}}).status_code == 201
    assert act(api, project, "close", 2).status_code == 200
    made = api.post("/v1/webhook-endpoints", json={"url": "https://example.com/hook"}).json()
    with database.writing() as session:
        row = session.query(WebhookEndpoint).one()
        assert str(row.id) == made["id"]
        attempts.disable(session, row, "it answered 410 Gone", NOW, ignore)


def ignore(*_: object, **__: object) -> None:
    pass


def bodies(database: Database) -> dict[str, list[Any]]:
    """What is sent of every event there is, and of a test, by type."""
    with database.reading() as session:
        endpoint = session.query(WebhookEndpoint).one()
        events: list[Event | None] = [*session.query(Event).order_by(Event.sequence), None]
        found: dict[str, list[Any]] = {}
        for event in events:
            delivery = WebhookDelivery(
                event_id=event.id if event else new_id(),
                event_type=event.type if event else TEST_TYPE,
                sequence=event.sequence if event else None,
                occurred_at=event.created_at if event else NOW,
            )
            body = json.loads(messages.payload(endpoint, delivery, event))
            found.setdefault(body["type"], []).append(body)
    return found


def test_the_contract_describes_every_type_of_event_and_nothing_else() -> None:
    types = {*get_args(EventType), TEST_TYPE}
    assert CONTRACT["webhooks"].keys() == types
    assert {type_of(message) for message in MESSAGES} == types


def test_what_is_sent_is_what_the_contract_says(api: Api, context: Context, database: Database) -> None:
    happen(api, context, database)
    sent = bodies(database)
    assert sent.keys() == CONTRACT["webhooks"].keys()
    for type, told in sent.items():
        check = Draft202012Validator(shape_of(type), format_checker=FormatChecker())
        for body in told:
            assert [error.message for error in check.iter_errors(body)] == []
            assert differences(shape_of(type), body) == []
    changes = [one["data"]["before"] for one in sent["allocation.changed"]]
    assert changes[0] is None
    assert any(changes), "a change of something that was announced is compared too"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body["data"].pop("order"),
        lambda body: body["data"].update(round="1"),
        lambda body: body["data"].update(more=1),
        lambda body: body.update(type="order.cancelled"),
        lambda body: body.pop("version"),
    ],
)
def test_the_comparison_sees_a_field_that_is_otherwise(spoil: Callable[[dict[str, Any]], Any]) -> None:
    [example] = CONTRACT["components"]["schemas"]["OrderPlaced"]["examples"]
    check = Draft202012Validator(shape_of("order.placed"))
    body = json.loads(json.dumps(example))
    assert check.is_valid(body)
    assert differences(shape_of("order.placed"), body) == []
    spoil(body)
    assert not check.is_valid(body) or differences(shape_of("order.placed"), body)
