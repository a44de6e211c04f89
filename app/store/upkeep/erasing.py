"""All that is of a project or a workspace, found by foreign keys, and deleted a batch at a time."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Delete, Table, column, delete, false, func, or_, select, table, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.store.ledger import money_of_project
from app.store.models.access import ApiKey, IdempotentCall, Workspace
from app.store.models.erasures import Erasure
from app.store.models.jobs import Job, Recovery
from app.store.models.metadata import metadata
from app.store.models.projects import Project, Source
from app.store.models.purchases import Order
from app.store.models.simulations import Simulation
from app.store.models.vendors import (
    VendorConnection,
    VendorDelivery,
    VendorItem,
    VendorOrder,
    VendorReconciliation,
    VendorWakeup,
)
from app.store.models.webhooks import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from app.store.reading import Listing, in_parts
from app.store.upkeep.retention import Counts

Name = tuple[str, str]
"""How a vendor's webhook calls something: `external_order_id`, `external_item_id` or `order_ref`, and the value."""
Link = tuple[Column[Any], Table]
"""A column, and the table that it points at."""
NO_SYNC: Any = {"execution_options": {"synchronize_session": False}}
SLOW = {"api_keys": 10, "workspaces": 1}
"""Rows that are pointed at by columns without an index: each costs a look through whole tables."""
UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ENGINE = (
    "operation_outputs", "workflow_input", "workflow_output", "workflow_events", "workflow_events_history", "streams",
    "workflow_status",
)  # fmt: skip
"""The job engine's tables that name a job, those that others point at last."""


@dataclass(frozen=True)
class Root:
    """What is erased: a row of `projects`, `workspaces` or `vendor_connections`, and all that hangs on it."""

    table: Table
    id: UUID


def root_of(kind: type[Any], id: UUID) -> Root:
    return Root(metadata.tables[kind.__tablename__], id)


# What hangs on a root


@cache
def links(root: Table) -> Mapping[Table, Sequence[Link]]:
    """The tables whose rows hang on a row of `root`, children first, with the columns by which they do: one that is
    never null, by the shortest way, or else all that may lead there."""
    distance = {root: 0}
    grew = True
    while grew:
        grew = False
        for one in metadata.sorted_tables:
            near = [distance[to] + 1 for _, to in pointing(one) if to in distance]
            if near and min(near) < distance.get(one, 1_000):
                distance[one], grew = min(near), True
    found: dict[Table, Sequence[Link]] = {}
    for one in reversed(metadata.sorted_tables):
        ways = [link for link in pointing(one) if link[1] in distance]
        always = sorted((link for link in ways if not link[0].nullable), key=lambda link: distance[link[1]])
        if ways and one is not root:
            found[one] = always[:1] or ways
    return found


def pointing(one: Table) -> list[Link]:
    return [(key.parent, key.column.table) for key in one.foreign_keys if key.column.table is not one]


def hangs(one: Table, root: Root) -> ColumnElement[bool]:
    """The rows of a table that hang on the root."""
    ways = []
    for here, to in links(root.table)[one]:
        if to is root.table:
            ways.append(here == root.id)
        else:
            [key] = to.primary_key
            ways.append(here.in_(select(key).where(hangs(to, root))))
    return or_(false(), *ways)


def delete_hanging(session: Session, root: Root, one: Table, most: int) -> Counts:
    """Delete up to `most` rows of a table that hang on the root."""
    return delete_where(session, one, hangs(one, root), most)


def delete_where(session: Session, one: Table, condition: ColumnElement[bool], most: int) -> Counts:
    keys = tuple(one.primary_key)
    query = select(*keys).where(condition).limit(min(most, SLOW.get(one.name, most)))
    found = [tuple(row) for row in session.execute(query)]
    gone = found and unless_pointed_at(session, delete(one).where(tuple_(*keys).in_(found)))
    return {one.name: len(found)} if gone else {}


def delete_root(session: Session, root: Root) -> bool:
    """False where something hangs on it, as what came since it was looked for."""
    [key] = root.table.primary_key
    return unless_pointed_at(session, delete(root.table).where(key == root.id))


def unless_pointed_at(session: Session, gone: Delete) -> bool:
    try:
        with session.begin_nested():
            session.execute(gone)
    except IntegrityError:
        return False
    return True


# What no foreign key leads to


def money_of(session: Session, project: Project) -> dict[str, Any]:
    """Currency → what was ordered, spent, and is still committed."""
    query = select(func.sum(Order.cost)).where(Order.project_id == project.id, Order.state != "cancelled")
    money = money_of_project(session, project.id)
    amounts = {"ordered": session.scalar(query) or 0, "spent": money.spent, "committed": money.committed}
    return {project.currency: {name: f"{amount:f}" for name, amount in amounts.items()}}


def delete_events(session: Session, project_id: UUID, most: int) -> Counts:
    """Events of the project with the messages of them, also to endpoints of the whole workspace."""
    rows = session.execute(select(Event.id, Event.workspace_id).where(Event.project_id == project_id).limit(most)).all()
    if not rows:
        return {}
    ids, sent, tried = [event_id for event_id, _ in rows], WebhookDelivery, WebhookAttempt
    endpoints = select(WebhookEndpoint.id).where(WebhookEndpoint.workspace_id == rows[0][1])
    told = sent.endpoint_id.in_(endpoints) & sent.event_id.in_(ids)
    gone: list[tuple[Any, ColumnElement[bool]]] = [
        (tried, tried.delivery_id.in_(select(sent.id).where(told))), (sent, told), (Event, Event.id.in_(ids)),
    ]  # fmt: skip
    return {
        kind.__tablename__: len(session.execute(delete(kind).where(which).returning(kind.id), **NO_SYNC).all())
        for kind, which in gone
    }


def delete_answers(session: Session, project: Project, except_path: str, most: int) -> Counts:
    """Answers kept for repeats of a call that name the project."""
    here = IdempotentCall
    keys = select(ApiKey.id).where(ApiKey.workspace_id == project.workspace_id)
    named = or_(here.path.contains(str(project.id)), here.answer.contains(str(project.id)))
    mine = here.api_key_id.in_(keys) & named & (here.path != except_path)
    return delete_where(session, metadata.tables[here.__tablename__], mine, most)


# What vendors told


def connections_of(session: Session, project_id: UUID) -> list[tuple[UUID, bool]]:
    """The connections that the project's sources sell through, and whether no other project's do."""
    query = select(Source.connection_id).where(Source.project_id == project_id, Source.connection_id.is_not(None))
    found = []
    for connection_id in sorted(set(session.scalars(query.distinct())) - {None}, key=str):
        others = select(Source.id).where(Source.connection_id == connection_id, Source.project_id != project_id)
        found.append((connection_id, session.scalar(others.limit(1)) is None))
    return [(connection_id, alone) for connection_id, alone in found if connection_id is not None]


def tables_of_connections() -> list[Table]:
    """Of what a vendor told: what hangs on its connection alone."""
    root = metadata.tables[VendorConnection.__tablename__]
    return [
        one
        for one in reversed(metadata.sorted_tables)
        if one.name != VendorWakeup.__tablename__
        and any(to is root and not here.nullable for here, to in pointing(one))
    ]


def vendor_deliveries_after(session: Session, connection_id: UUID, after: int, most: int) -> Sequence[VendorDelivery]:
    here = VendorDelivery
    query = select(here).where(here.connection_id == connection_id, here.id > after).order_by(here.id)
    return session.scalars(query.limit(most)).all()


def names_of_project(
    session: Session, project_id: UUID, connection_id: UUID, names: Collection[Name]
) -> frozenset[Name]:
    """Those of the names in a vendor's webhooks that are of the project."""
    mine = select(Order.id).where(Order.project_id == project_id)
    placed = select(VendorOrder.external_order_id).where(
        VendorOrder.connection_id == connection_id, VendorOrder.order_id.in_(mine)
    )
    items = select(VendorItem.external_item_id).where(
        VendorItem.connection_id == connection_id, VendorItem.order_id.in_(mine)
    )
    said: dict[str, list[str]] = {}
    for kind, name in names:
        said.setdefault(kind, []).append(name)
    ours = [UUID(name) for name in said.get("order_ref", ())]
    return frozenset(
        {
            ("external_order_id", name)
            for name in in_parts(session, placed, VendorOrder.external_order_id, said.get("external_order_id", ()))
        }
        | {
            ("external_item_id", name)
            for name in in_parts(session, items, VendorItem.external_item_id, said.get("external_item_id", ()))
        }
        | {("order_ref", str(order_id)) for order_id in in_parts(session, mine, Order.id, ours)}
    )


def delete_vendor_deliveries(session: Session, ids: Collection[int]) -> Counts:
    session.execute(delete(VendorDelivery).where(VendorDelivery.id.in_(ids)), **NO_SYNC)
    return {VendorDelivery.__tablename__: len(ids)} if ids else {}


def delete_reconciliations(session: Session, project_id: UUID, connection_id: UUID) -> Counts:
    """Reports that name an order of the project."""
    mine = {str(order_id) for order_id in session.scalars(select(Order.id).where(Order.project_id == project_id))}
    here = VendorReconciliation
    query = select(here.id, here.differences).where(here.connection_id == connection_id)
    ids = [report for report, differences in session.execute(query) if mine & set(differences)]
    session.execute(delete(here).where(here.id.in_(ids)), **NO_SYNC)
    return {here.__tablename__: len(ids)} if ids else {}


# What the job engine keeps


def job_names_after(session: Session, after: str, most: int) -> list[str]:
    """Names of jobs in their order, however they ended."""
    here = engine_table(session, "workflow_status")
    name = here.c.workflow_uuid
    return list(session.scalars(select(name).where(name > after).order_by(name).limit(most)))


def jobs_of(
    session: Session, names: Sequence[str], project_ids: Collection[UUID], workspace_id: UUID | None
) -> set[str]:
    """Those of the named jobs that are about these projects, or about the workspace: a name holds the id of what its
    job is about."""
    ids = {name: {UUID(one) for one in UUIDS.findall(name)} for name in names}
    every = {one for named in ids.values() for one in named}
    mine = every & set(project_ids)
    for key, owner in (
        (Job.id, Job.project_id), (Simulation.id, Simulation.project_id), (Order.id, Order.project_id),
        (WebhookEndpoint.id, WebhookEndpoint.project_id),
    ):  # fmt: skip
        mine |= set(session.scalars(select(key).where(key.in_(every), owner.in_(project_ids))))
    told = select(WebhookDelivery.id).join(Event, Event.id == WebhookDelivery.event_id)
    mine |= set(session.scalars(told.where(WebhookDelivery.id.in_(every), Event.project_id.in_(project_ids))))
    if workspace_id is not None:
        for kind in (Job, WebhookEndpoint, VendorConnection):
            mine |= set(session.scalars(select(kind.id).where(kind.id.in_(every), kind.workspace_id == workspace_id)))
        told = select(WebhookDelivery.id).join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        mine |= set(
            session.scalars(told.where(WebhookDelivery.id.in_(every), WebhookEndpoint.workspace_id == workspace_id))
        )
    return {name for name, named in ids.items() if named & mine}


def delete_jobs(session: Session, names: Collection[str]) -> Counts:
    for one in ENGINE:
        here = engine_table(session, one)
        session.execute(delete(here).where(here.c.workflow_uuid.in_(names)))
    session.execute(delete(Recovery).where(Recovery.workflow_id.in_(names)), **NO_SYNC)
    return {"workflow_status": len(names)} if names else {}


def engine_table(session: Session, name: str) -> Any:
    schema = "dbos" if session.get_bind().dialect.name == "postgresql" else None
    return table(name, column("workflow_uuid"), schema=schema)


# Receipts


def erasure_by_id(session: Session, erasure_id: UUID, *, lock: bool = False) -> Erasure | None:
    query = select(Erasure).where(Erasure.id == erasure_id)
    return session.scalar(query.with_for_update() if lock else query)


def unfinished(session: Session, **of: UUID | None) -> Sequence[Erasure]:
    """Those that have not come to their end, oldest first. of: columns that hold just this."""
    query = select(Erasure).where(Erasure.ended_at.is_(None)).filter_by(**of)
    return session.scalars(query.order_by(Erasure.id)).all()


def listed_erasures(session: Session, workspace_id: UUID, only: Collection[str] | None) -> Listing[Erasure]:
    """Newest first; `only` are the ids of the projects a key is limited to."""
    query = select(Erasure).where(Erasure.workspace_id == workspace_id)
    if only is not None:
        query = query.where(Erasure.project_id.in_([UUID(project) for project in only]))
    return Listing(session, query, Erasure.id, newest_first=True)


# Workspaces


def projects_of(session: Session, workspace_id: UUID) -> Sequence[Project]:
    """All, those that are being erased too, locked."""
    query = select(Project).where(Project.workspace_id == workspace_id).order_by(Project.id)
    return session.scalars(query.with_for_update()).all()


def project_ids(session: Session, workspace_id: UUID) -> list[UUID]:
    return list(session.scalars(select(Project.id).where(Project.workspace_id == workspace_id).order_by(Project.id)))


def keys_of(session: Session, workspace_id: UUID) -> Sequence[ApiKey]:
    return session.scalars(select(ApiKey).where(ApiKey.workspace_id == workspace_id)).all()


def workspace_named(session: Session, name: str) -> Workspace | None:
    return session.scalar(select(Workspace).where(Workspace.name == name).with_for_update())
