"""Webhook endpoints: receivers of a workspace's events. Programs get webhooks, each signed with a secret of its own;
people are told by Slack or e-mail."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, NotFound, invalid
from app.outbound.targets import Policy, TargetRefused
from app.services.access.keys import Caller
from app.services.access.secrets import SecretBox
from app.services.enqueue import Enqueue
from app.services.ids import as_uuid, new_id
from app.services.notices.mail import mail_server, read_addresses
from app.services.notices.words import TEST_TYPE
from app.services.projects.changes import Fields
from app.services.projects.projects import get_project
from app.services.webhooks.attempts import enqueue_attempt
from app.services.webhooks.dispatch_jobs import enqueue_dispatch
from app.services.webhooks.events import EVENT_TYPES, FOR_PEOPLE
from app.services.webhooks.messages import new_delivery
from app.services.webhooks.replays import enqueue_redelivery
from app.services.webhooks.signing import new_signing_secret
from app.settings import Settings
from app.store import webhooks as store
from app.store.models.webhooks import WebhookDelivery, WebhookEndpoint
from app.store.webhooks import last_sequence

Kind = Literal["webhook", "slack", "email"]
MAX_ENDPOINTS = 50
BOTH_SIGN_FOR = timedelta(hours=24)


def purpose(endpoint_id: UUID) -> str:
    """What an endpoint's secrets are sealed for."""
    return f"webhook-endpoint:{endpoint_id}"


def get_endpoint(
    session: Session, caller: Caller, endpoint_id: str, *, archived: bool = False, lock: bool = False
) -> WebhookEndpoint:
    """The caller's endpoint. Raises NotFound for what is not there, another workspace's, of a project the key is not
    for, or archived (unless `archived`)."""
    key = as_uuid(endpoint_id)
    row = None if key is None else store.endpoint_by_id(session, key, caller.workspace_id, lock=lock)
    if row is None or not caller.may_see(row.project_id):
        raise NotFound("There is no such webhook endpoint in this workspace.")
    if row.archived_at and not archived:
        raise NotFound("This endpoint is archived. Read it with ?archived=true, or POST to its /restore.")
    return row


def create_endpoint(
    session: Session, caller: Caller, fields: Fields, settings: Settings, now: datetime
) -> tuple[WebhookEndpoint, str | None]:
    """Store an endpoint, which gets the events after this. Returns it and its secret, which nothing can show again;
    none where nothing is signed.

    Raises Invalid for the kind, the URL or the project, SecretKeyMissing, and Conflict where there are too many.
    """
    kind = fields["kind"]
    if kind == "email" and mail_server(settings) is None:
        raise invalid(Fault("/kind", "no e-mail can be sent until the service's operator sets TRANCHE_SMTP_HOST"))
    checked = check_fields(session, caller, {"project_id": None, "event_types": None, **fields}, kind, settings)
    here = store.endpoints_of_workspace(session, caller.workspace_id, None, archived=False)
    if len(here.after(None, MAX_ENDPOINTS)) == MAX_ENDPOINTS:
        raise Conflict(f"This workspace has {MAX_ENDPOINTS} webhook endpoints, the most there may be. Delete one.")
    endpoint_id, secret = new_id(), new_signing_secret() if kind == "webhook" else None
    row = WebhookEndpoint(
        id=endpoint_id,
        workspace_id=caller.workspace_id,
        state="active",
        secret=secret and SecretBox(settings.secret_keys).seal(secret, purpose(endpoint_id)),
        sequence=0,
        created_at=now,
        updated_at=now,
        **checked,
    )
    session.add(row)
    session.flush()
    # No event is numbered until this is committed: none falls between "before" and "after". Only now, because the row
    # needs its project, and who holds the project may be waiting for the number.
    row.sequence = last_sequence(session, caller.workspace_id, lock=True)
    return row, secret


def check_fields(session: Session, caller: Caller, fields: Fields, kind: str, settings: Settings) -> Fields:
    """`fields` as they are stored. Raises Invalid."""
    checked: dict[str, Any] = dict(fields)
    if "url" in fields:
        try:
            checked["url"] = read_target(fields["url"], kind, settings)
        except TargetRefused as refusal:
            raise invalid(Fault("/url", str(refusal))) from None
    if "event_types" in fields:
        checked["event_types"] = chosen(fields["event_types"], kind)
    if "project_id" in fields:
        check_project(session, caller, fields["project_id"])
    return checked


def read_target(url: str, kind: str, settings: Settings) -> str:
    """Where an endpoint of the kind sends to, as it is stored. Raises TargetRefused."""
    if kind == "email":
        return read_addresses(url)
    return Policy(settings.outbound_allow, settings.outbound_ports).read_url(url)


def chosen(types: Sequence[str] | None, kind: str) -> list[str] | None:
    """The types of events as they are stored; none named are all for a program, what matters for people."""
    if types is None and kind != "webhook":
        types = [one for one in FOR_PEOPLE if one in EVENT_TYPES]
    return None if types is None else sorted(set(types))


def check_project(session: Session, caller: Caller, project_id: UUID | None) -> None:
    """Raises Invalid where the key may not listen to this project, or to all."""
    if project_id is None and caller.project_ids is not None:
        raise invalid(Fault("/project_id", "is required: this key is limited to named projects"))
    if project_id is not None:
        try:
            get_project(session, caller, str(project_id))
        except NotFound as error:
            raise invalid(Fault("/project_id", error.detail[0].lower() + error.detail[1:].rstrip("."))) from None


def update_endpoint(
    session: Session, caller: Caller, row: WebhookEndpoint, changes: Fields, settings: Settings, now: datetime
) -> None:
    """Raises Invalid."""
    checked = check_fields(session, caller, changes, row.kind, settings)
    if checked.get("url", row.url) != row.url:
        row.failing_since = None
    for name, value in checked.items():
        setattr(row, name, value)
    row.updated_at = now


def archive_endpoint(session: Session, row: WebhookEndpoint, now: datetime) -> None:
    """It gets nothing from now on; what was due to it has failed."""
    row.archived_at = row.updated_at = now
    store.give_up(session, row.id)


def restore_endpoint(session: Session, row: WebhookEndpoint, now: datetime) -> None:
    """It gets the events after this, not those it missed."""
    if row.archived_at is not None:
        row.archived_at, row.failing_since, row.updated_at = None, None, now
        row.sequence = last_sequence(session, row.workspace_id, lock=True)


def rotate_secret(row: WebhookEndpoint, settings: Settings, now: datetime) -> str:
    """A new secret; the one before signs too for 24 h. Raises Conflict where nothing is signed, SecretKeyMissing."""
    if row.kind != "webhook":
        raise Conflict("This endpoint has no secret: only webhooks are signed.")
    secret = new_signing_secret()
    sealed = SecretBox(settings.secret_keys).seal(secret, purpose(row.id))
    row.previous_secret, row.previous_secret_expires_at = row.secret, now + BOTH_SIGN_FOR
    row.secret, row.updated_at = sealed, now
    return secret


def pause_endpoint(row: WebhookEndpoint, now: datetime) -> None:
    """Raises Conflict for a disabled one."""
    if row.state == "disabled":
        raise Conflict("This endpoint is disabled: it gets nothing as it is. Resume it to have it try again.")
    if row.state == "active":
        row.state, row.updated_at = "paused", now


def resume_endpoint(session: Session, row: WebhookEndpoint, now: datetime, enqueue: Enqueue) -> None:
    """Send what has waited: events that had no attempt yet in their order, and retries that came due."""
    if row.state == "active":
        return
    row.state, row.disabled_reason, row.failing_since, row.updated_at = "active", None, None, now
    session.flush()
    # Events that are not committed yet have not seen it active: wait for them.
    last_sequence(session, row.workspace_id, lock=True)
    enqueue_dispatch(session, row.id, f"resumed-{new_id()}", enqueue)
    enqueue_redelivery(session, row.id, str(new_id()), enqueue)


def send_test(session: Session, row: WebhookEndpoint, now: datetime, enqueue: Enqueue) -> WebhookDelivery:
    """One attempt of an event of the type `endpoint.test`, to this endpoint alone, also while it is paused."""
    delivery = new_delivery(session, row, new_id(), TEST_TYPE, None, now, now)
    enqueue_attempt(session, delivery, enqueue)
    return delivery


def renew_secrets(session: Session, box: SecretBox) -> int:
    """Encrypt every stored secret under the newest key; how many were not. Raises SecretUnreadable."""
    renewed = 0
    for row in store.all_endpoints(session):
        for name in ("secret", "previous_secret"):
            sealed = getattr(row, name)
            if sealed is not None and box.is_stale(sealed):
                setattr(row, name, box.reseal(sealed, purpose(row.id)))
                renewed += 1
    return renewed
