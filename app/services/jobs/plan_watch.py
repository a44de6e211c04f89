"""Watching a project's next allocation: a refit is asked for by every change, and done once for many.

A change finds either a refit that waits, which will see it, or none, and asks for one. A refit stops waiting in a
transaction of its own before it reads: what commits later finds none waiting. So the last change is never missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.money import plain
from app.services.enqueue import Enqueue
from app.services.jobs.jobs import start_job
from app.services.webhooks.events import EventType, record
from app.store import jobs
from app.store import jobs as store
from app.store.models.jobs import PlanWatch
from app.store.models.projects import Project

REFIT = "refit"
DELAY_S = 2.0
"""Changes of so many seconds share a refit."""
SHOWN = 100
"""Sources named in an event, those that most money moves to or from."""
REACHED_AT = 0.9


@dataclass(frozen=True)
class Purchase:
    """What a source is to deliver: an order in samples, and its cost."""

    order: int
    cost: Decimal

    def to_json(self) -> dict[str, Any]:
        return {"order": self.order, "cost": plain(self.cost)}


NOTHING = Purchase(0, Decimal(0))
Purchases = Mapping[str, Purchase]


@dataclass(frozen=True)
class Outlook:
    """The next allocation at a data version: the round's money, purchases by source, and for each group with a
    target that target and the probability that it is reached now."""

    data_version: int
    available: Decimal
    purchases: Purchases
    targets: Mapping[str, tuple[float, float]]


def request(session: Session, project: Project, enqueue: Enqueue, now: datetime) -> None:
    """Ask for a refit of the project, whose data have changed in this transaction; it must hold the project's lock."""
    watch = store.plan_watch(session, project.id)
    if watch is None:
        watch = PlanWatch(project_id=project.id, data_version=0, reached={})
        session.add(watch)
    if not waits(session, watch):
        args = {"project_id": str(project.id)}
        job = start_job(
            session, project.workspace_id, project.id, REFIT, args, now, enqueue, delay_s=DELAY_S, queue="refits"
        )
        watch.waiting_job_id = job.id


def waits(session: Session, watch: PlanWatch) -> bool:
    """Whether a refit is still to begin."""
    job = jobs.job_by_id(session, watch.waiting_job_id) if watch.waiting_job_id else None
    return job is not None and job.state == "queued"


def stop_waiting(session: Session, project_id: UUID, job_id: UUID) -> None:
    """The refit begins: what changes from now on needs another."""
    watch = store.plan_watch(session, project_id)
    if watch is not None and watch.waiting_job_id == job_id:
        watch.waiting_job_id = None


def announce(
    session: Session, project: Project, outlook: Outlook, threshold: float, enqueue: Enqueue, now: datetime
) -> float:
    """Record what is new in the outlook: an allocation of which more than `threshold` moved, targets reached.

    Returns the share that moved. An outlook on older data than the last one says nothing. The transaction must hold
    the project's lock.
    """
    watch = store.plan_watch(session, project.id)
    if watch is None or outlook.data_version <= watch.data_version:
        return 0.0
    watch.data_version = outlook.data_version
    after, before = stored(outlook), watch.announced
    moved = moved_share(before["sources"] if before else {}, after["sources"], outlook.available)
    events: list[tuple[EventType, dict[str, Any]]] = []
    if before is None or moved > threshold:
        events.append(("allocation.changed", change(project, before, after, moved)))
        watch.announced = after
    for group, (target, chance) in outlook.targets.items():
        if chance > REACHED_AT and watch.reached.get(group) != target:
            watch.reached = {**watch.reached, group: target}
            events.append(("target.reached", reached(project, group, target, chance, outlook)))
    for type, data in events:
        record(session, project.workspace_id, type, project.id, data, now, enqueue)
    return moved


def stored(outlook: Outlook) -> dict[str, Any]:
    """The outlook's allocation as it is kept and told; sources without an order are left out."""
    bought = {key: one for key, one in outlook.purchases.items() if one.order}
    return {
        "data_version": outlook.data_version,
        "available": plain(outlook.available),
        "spend": plain(sum((one.cost for one in bought.values()), Decimal(0))),
        "sources": {key: one.to_json() for key, one in bought.items()},
    }


def shifts(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Decimal]:
    """Source → the money it gets more (or, below 0, less) than before, for those where it is not the same."""
    nothing = NOTHING.to_json()
    found = {
        key: Decimal(after.get(key, nothing)["cost"]) - Decimal(before.get(key, nothing)["cost"])
        for key in before.keys() | after.keys()
    }
    return {key: difference for key, difference in found.items() if difference}


def moved_share(before: Mapping[str, Any], after: Mapping[str, Any], available: Decimal) -> float:
    """The share of the round's money that is spent elsewhere than before, newly spent, or no longer spent."""
    differences = shifts(before, after).values()
    gains = sum((one for one in differences if one > 0), Decimal(0))
    losses = sum((-one for one in differences if one < 0), Decimal(0))
    moved = max(gains, losses)
    return float(min(moved / available, Decimal(1))) if available else float(moved > 0)


def change(project: Project, before: dict[str, Any] | None, after: dict[str, Any], moved: float) -> dict[str, Any]:
    """The event's data; `before` is null where nothing had been announced."""
    shifted = shifts(before["sources"] if before else {}, after["sources"])
    shown = sorted(shifted, key=lambda key: (-abs(shifted[key]), key))[:SHOWN]
    return {
        "url": f"/v1/projects/{project.id}/allocations/next",
        "moved": round(moved, 4),
        "sources_changed": len(shifted),
        "before": None if before is None else side(before, shown),
        "after": side(after, shown),
    }


def side(allocation: dict[str, Any], shown: Sequence[str]) -> dict[str, Any]:
    """One side of a change, with the sources that are shown alone."""
    nothing = NOTHING.to_json()
    return {**allocation, "sources": {key: allocation["sources"].get(key, nothing) for key in shown}}


def reached(project: Project, group: str, target: float, chance: float, outlook: Outlook) -> dict[str, Any]:
    return {
        "url": f"/v1/projects/{project.id}/groups/{group}",
        "group": group,
        "target": target,
        "probability": round(chance, 4),
        "data_version": outlook.data_version,
    }
