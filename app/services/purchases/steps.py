"""The steps of a round's life: who did what, when and with what words; and what events tell of a proposal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.errors import Conflict
from app.money import plain
from app.services.access.keys import Caller
from app.services.enqueue import Enqueue
from app.services.ledger.orders import about_round
from app.services.webhooks.events import EventType, record
from app.store.access import key_name
from app.store.models.projects import Project
from app.store.models.purchases import Round

StepName = Literal["proposed", "edited", "approved", "declined", "closed", "cancelled"]


@dataclass(frozen=True)
class Step:
    """name: of the key, as it is called now."""

    step: StepName
    key: str
    name: str | None
    at: datetime
    note: str | None


def take_step(row: Round, step: StepName, caller: Caller, now: datetime, note: str | None = None) -> None:
    row.steps = [*row.steps, {"step": step, "key": caller.key_id, "at": now.isoformat(), "note": note}]
    row.updated_at = now


def steps_of(row: Round) -> list[Step]:
    """Oldest first. A revoked key still has its name."""
    return [
        Step(one["step"], one["key"], key_name(row, one["key"]), datetime.fromisoformat(one["at"]), one["note"])
        for one in row.steps
    ]


def state_of(row: Round, now: datetime) -> str:
    """The round's state: a proposal that nobody accepted in time is expired."""
    late = row.state == "proposed" and row.expires_at is not None and row.expires_at <= now
    return "expired" if late else row.state


def require(row: Round, state: str, what: str, now: datetime) -> None:
    """Raises Conflict unless the round is in `state`."""
    found = state_of(row, now)
    if found == "expired" and row.expires_at is not None:
        raise Conflict(
            f"The proposal of round {row.number} expired at {row.expires_at:%Y-%m-%d %H:%M} UTC: propose anew."
        )
    if found != state:
        raise Conflict(f"Round {row.number} is {found}; only a round that is {state} can be {what}.")


def end_of_proposal(project: Project, now: datetime) -> datetime | None:
    """Until when what is proposed now can be accepted."""
    days = project.proposal_expires_days
    return None if days is None else now + timedelta(days=days)


def approvals_needed(project: Project, row: Round) -> int:
    threshold = project.approval_threshold
    return 2 if threshold is not None and row.cost > threshold else 1


def verdict_on(row: Round) -> Mapping[str, Any]:
    """The frozen verdict; empty for rounds from before there were verdicts."""
    found: Mapping[str, Any] = row.allocation.get("verdict") or {}
    return found


def tell(
    session: Session,
    project: Project,
    row: Round,
    type: EventType,
    caller: Caller,
    note: str | None,
    now: datetime,
    enqueue: Enqueue,
) -> None:
    """An event of a proposal, with all that whoever is to sign it wants to know at once. Call it as `record`."""
    session.flush()
    said = {
        "page": f"/projects/{project.id}/rounds/{row.number}",
        "project_name": project.name,
        "by": {"id": caller.key_id, "name": key_name(row, caller.key_id)},
        "note": note,
        "reference": row.reference,
        "cost": plain(row.cost),
        "currency": project.currency,
        "verdict": verdict_on(row).get("sentence"),
        "approvals": len(row.approvals),
        "approvals_needed": approvals_needed(project, row),
        "expires_at": None if row.expires_at is None else row.expires_at.isoformat(),
    }
    record(session, project.workspace_id, type, project.id, about_round(project, row) | said, now, enqueue)
