"""Webhook endpoints: where events are sent, and how that went. The rules of receiving are in docs/webhooks.md."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from app.api.http.etags import etag_of
from app.api.http.pages import Archived, Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import Answer, InstantIn, Patch, Shape, Text, unset
from app.api.http.transactions import Call, Route, changes, posts, reads
from app.api.webhooks.attempts import AttemptOut, attempt_shape
from app.errors import Conflict, Fault, SecretKeyMissing, invalid
from app.services.webhooks import endpoints, replays
from app.services.webhooks.endpoints import Kind
from app.services.webhooks.events import EventType
from app.store.models.webhooks import WebhookEndpoint
from app.store.webhooks import AttemptFilter, attempts_of_endpoint, endpoints_of_workspace

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhooks"], route_class=Route)

Url = Annotated[str, Field(min_length=1, max_length=2_000)]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=50)]
Since = Annotated[InstantIn | None, Query(description="Only attempts at or after this instant (RFC 3339)")]
Until = Annotated[InstantIn | None, Query(description="Only attempts before this instant")]


class EndpointIn(Shape):
    """`webhook` calls a program; `slack` and `email` tell people in words. `url`: https, of Slack that of an incoming
    webhook; of e-mail `mailto:` and up to 20 addresses with commas between. `event_types` left out or null is all
    types, for people those that ask something of them or say what became of it; `project_id` null is all projects."""

    kind: Kind = "webhook"
    url: Url
    description: Text | None = None
    event_types: EventTypes | None = None
    project_id: UUID | None = None


class EndpointPatch(Patch):
    """Fields left out stay as they are; null takes an optional one away. The kind stays."""

    made_from = EndpointIn

    url: Url = unset()
    description: Text | None = unset()
    event_types: EventTypes | None = unset()
    project_id: UUID | None = unset()


class EndpointOut(Answer):
    """`failing_since`: no call has succeeded from then on; after five days the endpoint is disabled.
    `previous_secret_expires_at`: until then the secret before the present one signs too."""

    id: UUID
    kind: Kind
    url: str
    description: str | None
    event_types: list[EventType] | None
    project_id: UUID | None
    state: Literal["active", "paused", "disabled"]
    disabled_reason: str | None
    failing_since: datetime | None
    previous_secret_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class EndpointWithSecret(EndpointOut):
    """`secret` is shown once: a repeat of the same request has null, and `secret_shown` true. Only webhooks have
    one."""

    secret: str | None
    secret_shown: bool


class ReplayIn(Shape):
    """One of: the event of an attempt, an event, or every event since an instant that no attempt brought home."""

    attempt_id: UUID | None = None
    event_id: UUID | None = None
    failed_since: InstantIn | None = None


class ReplayOut(Answer):
    deliveries: int


class TestOut(Answer):
    """The event that is on its way; look for its attempt."""

    event_id: UUID
    event_type: str


def shape(call: Call, row: WebhookEndpoint) -> EndpointOut:
    """The endpoint; the ETag that If-Match is held against is its own, whatever the answer holds beside."""
    shown = EndpointOut.model_validate(row)
    if call.request.method != "GET":
        call.headers["ETag"] = etag_of(shown.model_dump_json().encode())
    return shown


def with_secret(call: Call, row: WebhookEndpoint, secret: str | None) -> EndpointWithSecret:
    call.shows_secret = secret is not None
    shown = shape(call, row)
    return EndpointWithSecret(**shown.model_dump(), secret=secret, secret_shown=False)


def writable(call: Call, endpoint_id: str, *, archived: bool = False) -> WebhookEndpoint:
    row = endpoints.get_endpoint(call.session, call.caller, endpoint_id, archived=archived, lock=True)
    call.match(EndpointOut.model_validate(row))
    return row


@router.post("", status_code=201, summary="Create a webhook endpoint", responses=declared(Conflict, SecretKeyMissing))
def create_endpoint(body: EndpointIn, call: Annotated[Call, posts("admin")]) -> EndpointWithSecret:
    """It gets the events after this. Keep the secret: it verifies the signatures, and is shown this once."""
    settings = call.runtime.settings
    row, secret = endpoints.create_endpoint(call.session, call.caller, body.model_dump(), settings, call.now)
    call.headers["Location"] = f"/v1/webhook-endpoints/{row.id}"
    return with_secret(call, row, secret)


@router.get("", summary="List webhook endpoints")
def list_endpoints(
    call: Annotated[Call, reads("admin")], limit: Limit = 50, cursor: Cursor = None, archived: Archived = False
) -> Page[EndpointOut]:
    rows = endpoints_of_workspace(call.session, call.caller.workspace_id, call.caller.project_ids, archived)
    return page(call, cursor, limit, rows, EndpointOut.model_validate)


@router.get("/{endpoint_id}", summary="Read a webhook endpoint")
def read_endpoint(endpoint_id: str, call: Annotated[Call, reads("admin")], archived: Archived = False) -> EndpointOut:
    return shape(call, endpoints.get_endpoint(call.session, call.caller, endpoint_id, archived=archived))


@router.patch("/{endpoint_id}", summary="Change a webhook endpoint")
def update_endpoint(endpoint_id: str, body: EndpointPatch, call: Annotated[Call, changes("admin")]) -> EndpointOut:
    """What it gets changes from the next event on that had no attempt yet."""
    row = writable(call, endpoint_id)
    said = body.model_dump(exclude_unset=True)
    endpoints.update_endpoint(call.session, call.caller, row, said, call.runtime.settings, call.now)
    return shape(call, row)


@router.delete("/{endpoint_id}", status_code=204, summary="Archive a webhook endpoint")
def archive_endpoint(endpoint_id: str, call: Annotated[Call, changes("admin")]) -> None:
    """It gets nothing more. `POST …/restore` brings it back, without the events it missed."""
    endpoints.archive_endpoint(call.session, writable(call, endpoint_id), call.now)


@router.post("/{endpoint_id}/restore", summary="Bring an archived webhook endpoint back")
def restore_endpoint(endpoint_id: str, call: Annotated[Call, posts("admin")]) -> EndpointOut:
    row = writable(call, endpoint_id, archived=True)
    endpoints.restore_endpoint(call.session, row, call.now)
    return shape(call, row)


@router.post(
    "/{endpoint_id}/rotate",
    summary="Give a webhook endpoint a new secret",
    responses=declared(Conflict, SecretKeyMissing),
)
def rotate_secret(endpoint_id: str, call: Annotated[Call, posts("admin")]) -> EndpointWithSecret:
    """For 24 hours both the new and the former secret sign, so that receivers can change over."""
    row = writable(call, endpoint_id)
    secret = endpoints.rotate_secret(row, call.runtime.settings, call.now)
    return with_secret(call, row, secret)


@router.post("/{endpoint_id}/pause", summary="Pause a webhook endpoint", responses=declared(Conflict))
def pause_endpoint(endpoint_id: str, call: Annotated[Call, posts("admin")]) -> EndpointOut:
    """Nothing is sent until it is resumed; nothing is lost."""
    row = writable(call, endpoint_id)
    endpoints.pause_endpoint(row, call.now)
    return shape(call, row)


@router.post("/{endpoint_id}/resume", summary="Resume a paused or disabled webhook endpoint")
def resume_endpoint(endpoint_id: str, call: Annotated[Call, posts("admin")]) -> EndpointOut:
    """What has waited is sent, in order."""
    row = writable(call, endpoint_id)
    endpoints.resume_endpoint(call.session, row, call.now, call.enqueue)
    return shape(call, row)


@router.post("/{endpoint_id}/test", status_code=202, summary="Send a test event")
def send_test(endpoint_id: str, call: Annotated[Call, posts("admin")]) -> TestOut:
    """One attempt, to this endpoint alone, also while it is paused or disabled."""
    row = writable(call, endpoint_id)
    return TestOut.model_validate(endpoints.send_test(call.session, row, call.now, call.enqueue))


@router.get("/{endpoint_id}/attempts", summary="List attempts, newest first")
def list_attempts(
    endpoint_id: str,
    call: Annotated[Call, reads("admin")],
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[Literal["succeeded", "failed"] | None, Query(description="Only these")] = None,
    type: Annotated[str | None, Query(max_length=50, description="Only of events of this type")] = None,
    since: Since = None,
    until: Until = None,
) -> Page[AttemptOut]:
    row = endpoints.get_endpoint(call.session, call.caller, endpoint_id, archived=True)
    wanted = AttemptFilter(None if state is None else state == "succeeded", type, since, until)
    return page(call, cursor, limit, attempts_of_endpoint(call.session, row.id, wanted), attempt_shape)


@router.post("/{endpoint_id}/replay", status_code=202, summary="Send events again", responses=declared(Conflict))
def replay(endpoint_id: str, body: ReplayIn, call: Annotated[Call, posts("admin")]) -> ReplayOut:
    """Each is one more attempt, made soon; where the schedule of retries is not used up, it goes on from there."""
    row = writable(call, endpoint_id)
    given = [name for name, value in body.model_dump().items() if value is not None]
    if len(given) != 1:
        raise invalid(Fault("", "name one of attempt_id, event_id and failed_since"))
    if body.failed_since is not None:
        count = replays.replay_failed(call.session, row, body.failed_since, call.now, call.enqueue)
        return ReplayOut(deliveries=count)
    if body.attempt_id is not None:
        replays.replay_attempt(call.session, row, body.attempt_id, call.now, call.enqueue)
    elif body.event_id is not None:
        replays.replay_event(call.session, row, body.event_id, call.now, call.enqueue)
    return ReplayOut(deliveries=1)
