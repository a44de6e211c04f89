"""Who did what, when, and what changed from what to what.

What a caller changes of the rows in `WATCHED` is written down by the session itself, in the transaction of the change,
so that no route can forget it; what is more than a changed row says so by `write_audit`. What workers do for nobody is
not here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import event, insert, inspect
from sqlalchemy.orm import Session

from app.services.access.keys import Caller
from app.services.access.redaction import HIDDEN, redact
from app.store.models.access import ApiKey
from app.store.models.base import Base
from app.store.models.jobs import Job
from app.store.models.observations import Observation
from app.store.models.projects import Group, Project, Source
from app.store.models.purchases import AuditEntry
from app.store.models.vendors import VendorConnection, VendorOrder
from app.store.models.webhooks import WebhookEndpoint

LONGEST = 1_000
"""Characters of a value, as JSON; of a longer one its beginning is told."""
Changes = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Watched:
    """What is told of the rows of a table: changes of `columns`, of which those in `hidden` are secrets. name: the
    column that says which one it is. made: whether a new one is told as well."""

    word: str
    columns: Sequence[str]
    name: str = "id"
    hidden: frozenset[str] = frozenset()
    made: bool = True


PROJECT = (
    "name", "notes", "external_id", "currency", "metric_name", "metric_kind", "metric_goal", "metric_lower",
    "metric_upper", "objective", "stakeholders", "set_limits", "population", "licence_rule", "intake_rules",
    "value_per_utility", "smallest_gain", "verdict_thresholds", "retired_holdouts", "approval_threshold",
    "proposal_expires_days",
    "budget_total", "budget_rounds", "recipe", "model", "archived_at",
)  # fmt: skip
UNSAID = {"id", "project_id", "created_at", "updated_at", "first_run_count"}
ENDPOINT = ("kind", "url", "description", "event_types", "project_id", "state", "secret", "archived_at")
CONNECTION = ("name", "kind", "preset", "config", "group_map", "state", "sealed", "subscription")
WATCHED: dict[type[Base], Watched] = {
    ApiKey: Watched("key", ("name", "scopes", "project_ids", "expires_at", "revoked_at")),
    Project: Watched("project", PROJECT),
    Group: Watched("group", [one.name for one in Group.__table__.c if one.name not in UNSAID], "key"),
    Source: Watched("source", [one.name for one in Source.__table__.c if one.name not in UNSAID], "key"),
    WebhookEndpoint: Watched("endpoint", ENDPOINT, hidden=frozenset({"secret"})),
    VendorConnection: Watched(
        "connection", CONNECTION, hidden=frozenset({"secret", "api_token", "token", "old_secret"})
    ),
    VendorOrder: Watched("vendor-order", ("order_id", "group_id"), "external_order_id"),
    Observation: Watched("run", ("voided_at", "void_reason"), made=False),
    Job: Watched("job", ("cancel_requested_at",), made=False),
}
VERBS = {
    "archived_at": ("archived", "restored"),
    "revoked_at": ("revoked", "changed"),
    "voided_at": ("voided", "changed"),
    "cancel_requested_at": ("cancelled", "changed"),
}
"""What it is called that a column was set, and that it was emptied."""


def write_audit(
    session: Session,
    project: Project | None,
    caller: Caller,
    action: str,
    resource: str,
    detail: Mapping[str, Any],
    now: datetime,
    changes: Changes | None = None,
) -> None:
    """One entry in the transaction of what it tells of, naming the API key."""
    project_id = None if project is None else project.id
    entry = entry_of(caller.workspace_id, project_id, caller.key_id, action, resource, now)
    session.add(AuditEntry(**entry | {"detail": dict(detail), "changes": told(changes or {})}))


def note_key(session: Session, key: ApiKey, action: str, now: datetime, by: str | None = None) -> None:
    """What happened to a key: it opened a session or could not, or was made at the command line (`by` none)."""
    session.add(AuditEntry(**entry_of(key.workspace_id, None, by, action, f"key:{key.id}", now)))


def entry_of(
    workspace_id: UUID, project_id: UUID | None, key_id: str | None, action: str, resource: str, now: datetime
) -> dict[str, Any]:
    return {
        "workspace_id": workspace_id,
        "project_id": project_id,
        "api_key_id": key_id,
        "action": action,
        "resource": resource,
        "detail": {},
        "changes": {},
        "created_at": now,
    }


def watch(session: Session, caller: Caller, now: datetime) -> None:
    """From here on the session writes down what the caller changes."""
    waiting: list[dict[str, Any]] = []

    def look(session: Session, *_: object) -> None:
        for row in [*session.new, *session.dirty]:
            kind = WATCHED.get(type(row))
            found = None if kind is None else entry_for(row, kind, caller, now)
            if found is not None:
                waiting.append(found)

    def write(session: Session, *_: object) -> None:
        if waiting:
            session.connection().execute(insert(AuditEntry.__table__), waiting)  # type: ignore[arg-type]
            waiting.clear()

    event.listen(session, "before_flush", look)
    event.listen(session, "after_flush", write)


def entry_for(row: Any, kind: Watched, caller: Caller, now: datetime) -> dict[str, Any] | None:
    """What the session is about to store of the row; None where nothing of it is told."""
    state = inspect(row)
    if not state.persistent and not kind.made:
        return None
    changes: Changes = {}
    for name in kind.columns:
        history = state.attrs[name].history
        if history.has_changes() and (state.persistent or getattr(row, name) is not None):
            changes |= parts_of(name, next(iter(history.deleted or ()), None), next(iter(history.added or ()), None))
    if not changes:
        return None
    action = f"{kind.word}.{verb_of(changes, new=not state.persistent)}"
    resource = f"{kind.word}:{getattr(row, kind.name)}"
    project_id = row.id if isinstance(row, Project) else getattr(row, "project_id", None)
    entry = entry_of(caller.workspace_id, project_id, caller.key_id, action, resource[:200], now)
    return entry | {"changes": told(changes, kind.hidden)}


def parts_of(name: str, before: Any, after: Any) -> Changes:
    """The change, by its parts where it is of stored secrets by name."""
    if name != "sealed":
        return {name: {"from": before, "to": after}}
    before, after = before or {}, after or {}
    names = [one for one in {**before, **after} if before.get(one) != after.get(one)]
    return {one: {"from": before.get(one), "to": after.get(one)} for one in names}


def verb_of(changes: Changes, *, new: bool) -> str:
    if new:
        return "made"
    for name, (filled, emptied) in VERBS.items():
        if name in changes:
            return emptied if changes[name]["to"] is None else filled
    return "rotated" if "secret" in changes else "changed"


def told(changes: Changes, hidden: frozenset[str] = frozenset()) -> Changes:
    """As it is kept: without secrets, and no longer than can be read."""
    return {
        name: {
            side: HIDDEN if name in hidden and value is not None else plain(name, value) for side, value in one.items()
        }
        for name, one in changes.items()
    }


def plain(name: str, value: Any) -> Any:
    """The value as JSON has it; of an address its host alone, since paths and queries of receivers hold tokens; none
    of e-mail."""
    if name == "url" and value is not None:
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.netloc}/…" if parts.netloc else f"{parts.scheme}:…"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        text = redact(json.dumps(value, ensure_ascii=False, default=str).encode(), ())
        return shortened(text, lambda whole: json.loads(whole) if whole_json(whole) else whole)
    return shortened(redact(str(value).encode(), ()), str)


def shortened(text: str, read: Callable[[str], Any]) -> Any:
    return read(text) if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def whole_json(text: str) -> bool:
    """Whether it still is JSON: what looked like a secret was taken out of its text."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
