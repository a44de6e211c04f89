"""Manifests of orders: what the rules leave becomes a delivery; hashes of the items are kept, and no contents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.services.access.keys import Caller
from app.services.enqueue import Enqueue
from app.services.ids import as_uuid, new_id
from app.services.intake.judging import Hashes, Judged, judge
from app.services.intake.reading import Kind
from app.services.ledger.deliveries import Recording, record_delivery
from app.services.projects.projects import get_project
from app.store import ledger as store
from app.store.db import Database
from app.store.models.projects import Group, Project
from app.store.models.purchases import Delivery, Manifest, Order
from app.store.projects import members
from app.store.reading import find
from app.store.rounds import rounds_of_orders


@dataclass(frozen=True)
class ReadManifest:
    """A manifest that was read and judged outside of any transaction that writes. seen: the manifests of the project
    whose items it was held against."""

    judged: Judged
    seen: frozenset[UUID]


@dataclass
class Earlier:
    """The hashes of a project's earlier lots, read when they are needed; afterwards `seen` are their manifests."""

    database: Database
    project_id: UUID
    seen: set[UUID] = field(default_factory=set)

    def __iter__(self) -> Iterator[Hashes]:
        with self.database.reading() as session:
            for manifest_id, hashes in store.item_hashes(session, self.project_id):
                self.seen.add(manifest_id)
                yield np.frombuffer(hashes, dtype="<u8")


def read_manifest(
    database: Database, caller: Caller, project_id: str, order_id: str, kind: Kind, body: bytes
) -> ReadManifest:
    """`body`, held against the project's rules; it takes seconds where it is large, and no lock.

    Raises NotFound, Malformed, and Invalid as `judge`.
    """
    with database.reading() as session:
        project = get_project(session, caller, project_id)
        order_of(session, project, order_id)
        rules, own = list(project.intake_rules), project.id
        groups = [group.key for group in members(session, Group, project.id, archived=None)]
    earlier = Earlier(database, own)
    judged = judge(kind, body, rules, groups, own.bytes, earlier)
    return ReadManifest(judged, frozenset(earlier.seen))


def order_of(session: Session, project: Project, order_id: str) -> Order:
    """Raises NotFound."""
    row = find(session, Order, project_id=project.id, id=as_uuid(order_id))
    if row is None:
        raise NotFound("There is no such order in this project.")
    return row


def record_manifest(
    session: Session,
    project: Project,
    order: Order,
    draft: ReadManifest,
    license: str | None,
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
) -> tuple[Manifest, bool]:
    """Make it a delivery of the order, unless it is held back; the second value is False for a repeat of one that was
    recorded.

    Raises Conflict where rules or earlier lots changed since it was read, and for a cancelled order.
    """
    judged = draft.judged
    row = find(session, Manifest, order_id=order.id, digest=judged.digest)
    if row is not None and row.delivery_id is not None:
        return row, False
    if project.intake_rules != judged.kept_rules or store.manifest_ids(session, project.id) != draft.seen:
        raise Conflict("The intake rules changed, or another manifest came, while this one was read. Send it again.")
    if row is None:
        row = Manifest(
            id=new_id(), project_id=project.id, order_id=order.id, digest=judged.digest, api_key_id=caller.key_id
        )
    delivery = None if judged.held else recorded(session, project, order, judged, license, caller, now, enqueue)
    row.answer, row.created_at = kept(judged), now
    row.hashes = b"" if judged.held else judged.hashes.astype("<u8").tobytes()
    row.delivery_id = None if delivery is None else delivery.id
    session.add(row)
    session.flush()
    return row, True


def recorded(
    session: Session,
    project: Project,
    order: Order,
    judged: Judged,
    license: str | None,
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
) -> Delivery:
    """The delivery that the counts of a manifest make."""
    groups = {
        key: {"accepted": accepted, "rejected": rejected} for key, (accepted, rejected) in sorted(judged.groups.items())
    }
    note = f"manifest of {judged.rows:,} rows, SHA-256 {judged.digest}"
    said = Recording("delivery", None, groups, judged.unmapped, None, note, license)
    [purchase] = rounds_of_orders(session, [order])
    delivery, _ = record_delivery(session, project, purchase, order, said, caller, now, enqueue)
    return delivery


def manifest_licence_differs(session: Session, row: Manifest) -> bool:
    """Whether what a manifest brought counts for no group, for its licence."""
    delivery = session.get_one(Delivery, row.delivery_id)
    passed = any(counts["accepted"] or counts["rejected"] for counts in row.answer["groups"].values())
    return passed and not any(key for key in delivery.groups)


def counts_of(judged: Judged) -> dict[str, Any]:
    """What an answer says of the rows: how many count, are rejected, held back, or of no known group."""
    return {
        "rows": judged.rows,
        "accepted": 0 if judged.held else judged.passed,
        "rejected": judged.rejected,
        "held": judged.passed if judged.held else 0,
        "unmapped": judged.unmapped,
        "groups": {
            key: {
                "accepted": 0 if judged.held else accepted,
                "rejected": rejected,
                "held": accepted if judged.held else 0,
            }
            for key, (accepted, rejected) in sorted(judged.groups.items())
        },
    }


def kept(judged: Judged) -> dict[str, Any]:
    """What is stored of an answer: counts, and the numbers of rows, but no item and nothing of what is in the cells."""
    rules = [asdict(one) for one in judged.results]
    return {**counts_of(judged), "rules": [without_contents(rule) for rule in rules]}


def without_contents(rule: Mapping[str, Any]) -> dict[str, Any]:
    rows = [{"row": one["row"], "item": None} for one in rule["rows"]]
    return {**rule, "columns": list(rule["columns"]), "example": None, "rows": rows}


def manifests_of(session: Session, order_ids: Sequence[UUID]) -> dict[UUID, list[Manifest]]:
    """Order id → its manifests, newest first."""
    found: dict[UUID, list[Manifest]] = {}
    for row in store.manifests_of_orders(session, order_ids):
        found.setdefault(row.order_id, []).insert(0, row)
    return found
