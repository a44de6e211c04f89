"""Erasing a project or a workspace: asked for in one transaction, from which on it is found by nobody; done in batches
of a transaction each, from the start again where whoever did it was killed. What stays is a receipt.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, NotFound, Unavailable, invalid
from app.services.access.audit import write_audit
from app.services.access.keys import Caller
from app.services.enqueue import Enqueue
from app.services.ids import new_id
from app.services.retention.bodies import told_in
from app.store import rounds as round_store
from app.store.db import Database
from app.store.models.access import Workspace
from app.store.models.erasures import Erasure
from app.store.models.projects import Project
from app.store.models.vendors import VendorConnection, VendorDelivery
from app.store.upkeep import erasing as store
from app.store.upkeep.erasing import Name, Root, root_of
from app.store.upkeep.retention import APPLIED, Counts

ERASE = "projects.erase"
BATCH = 500
LETTERS = 50
NAMES = 500
MOST_STARTS = 20
"""How often it starts again for what came in meanwhile."""
LATE = timedelta(hours=1)

Step: TypeAlias = Callable[[Session], Counts]
"""Deletes the next batch of something, and says how much; nothing where nothing is left."""
Money = dict[str, dict[str, str]]
"""Currency → {ordered, spent, committed}."""


def ask_to_erase(
    session: Session, project: Project, name: str, abandon_orders: bool, caller: Caller | None, now: datetime
) -> Erasure:
    """From this transaction on the project is found by nobody; `erase` does the rest. caller: None at the command line.

    Raises Invalid where `name` is not the project's, Conflict while orders are open that are not to be abandoned.
    """
    if name != project.name:
        raise invalid(Fault("/name", "is not the project's name; repeat that, to confirm what is erased for good"))
    if not abandon_orders:
        refuse_money_at_vendors(session, [project])
    key_id = None if caller is None else caller.key_id
    row = new_erasure(project.workspace_id, project.id, key_id, store.money_of(session, project), now)
    session.add(row)
    hide(project, now)
    session.flush()
    if caller is not None:
        # Of no project, so that it stays when the project's own audit goes.
        write_audit(session, None, caller, "erasure.asked", f"erasure:{row.id}", {}, now)
    return row


def ask_to_erase_workspace(session: Session, name: str, abandon_orders: bool, now: datetime) -> Erasure:
    """As `ask_to_erase`, of all its projects, keys, connections and endpoints: its keys open nothing any more. One that
    was asked for before, and did not come to its end, goes on.

    Raises NotFound, Conflict.
    """
    workspace = store.workspace_named(session, name)
    if workspace is None:
        raise NotFound(f"There is no workspace '{name}'.")
    projects = store.projects_of(session, workspace.id)
    if not abandon_orders:
        refuse_money_at_vendors(session, [one for one in projects if one.erased_at is None])
    money: Money = {}
    for project in projects:
        # Those that are being erased have receipts of their own.
        if project.erased_at is None:
            add_money(money, store.money_of(session, project))
        hide(project, now)
    for key in store.keys_of(session, workspace.id):
        key.revoked_at = key.revoked_at or now
    for known in store.unfinished(session, workspace_id=workspace.id, project_id=None):
        return known
    row = new_erasure(workspace.id, None, None, money, now)
    session.add(row)
    session.flush()
    return row


def refuse_money_at_vendors(session: Session, projects: Sequence[Project]) -> None:
    """Raises Conflict."""
    for project in projects:
        waiting = round_store.open_orders(session, project.id)
        if waiting:
            numbers = ", ".join(str(row.number) for row in round_store.rounds_of_orders(session, waiting))
            raise Conflict(
                f"Orders of '{project.name}' are open in round {numbers}: vendors may still deliver them, and charge."
                " Close or cancel the rounds first, or say that the orders are to be abandoned."
            )


def new_erasure(
    workspace_id: UUID, project_id: UUID | None, key_id: str | None, money: Money, now: datetime
) -> Erasure:
    return Erasure(
        id=new_id(),
        workspace_id=workspace_id,
        project_id=project_id,
        asked_by=key_id,
        asked_at=now,
        rows={},
        money=money,
    )


def add_money(total: Money, more: Money) -> None:
    for currency, amounts in more.items():
        known = total.setdefault(currency, {})
        for name, amount in amounts.items():
            known[name] = f"{Decimal(known.get(name, '0')) + Decimal(amount):f}"


def hide(project: Project, now: datetime) -> None:
    project.erased_at = project.erased_at or now
    # Free for another project at once.
    project.external_id = project.content_hash = None


def enqueue_erasure(session: Session, erasure_id: UUID, enqueue: Enqueue, why: str = "") -> None:
    """`why` tells the job from an earlier one of the same erasure."""
    enqueue(session, ERASE, {"erasure_id": str(erasure_id)}, f"{ERASE}-{erasure_id}{why}")


def take_up_late(session: Session, now: datetime, enqueue: Enqueue) -> None:
    """A job more for erasures that were asked for long ago: the one that was sent may have been given up. Twice at once
    they do no harm."""
    for row in store.unfinished(session):
        if row.asked_at < now - LATE:
            enqueue_erasure(session, row.id, enqueue, f"-late-{now:%Y%m%dT%H}")


def erase(database: Database, erasure_id: UUID, clock: Callable[[], datetime]) -> list[UUID]:
    """Delete all that is of it, and note in the receipt what that was. The ids of the projects that are gone.

    Raises Unavailable where more comes in than goes out.
    """
    with database.reading() as session:
        row = store.erasure_by_id(session, erasure_id)
        if row is None or row.ended_at is not None:
            return []
        workspace = row.workspace_id if row.project_id is None else None
        projects = [row.project_id] if row.project_id else store.project_ids(session, row.workspace_id)
    for _ in range(MOST_STARTS):
        for step in steps(database, projects, workspace):
            while delete_some(database, erasure_id, step):
                pass
        if ended(database, erasure_id, projects, workspace, clock()):
            return projects
    raise Unavailable("New rows come in while they are erased; it is tried again.")


def delete_some(database: Database, erasure_id: UUID, step: Step) -> bool:
    """One batch and its count, in one transaction."""
    with database.writing() as session:
        counts = Counter(step(session))
        row = store.erasure_by_id(session, erasure_id, lock=True) if counts else None
        if row is not None:
            counts.update(row.rows)
            row.rows = {name: count for name, count in sorted(counts.items()) if count}
    return row is not None


def ended(
    database: Database, erasure_id: UUID, projects: Sequence[UUID], workspace: UUID | None, now: datetime
) -> bool:
    """Delete the rows that all others hung on, and close the receipt; False where something hangs on them again."""
    roots = [root_of(Project, project_id) for project_id in projects]
    roots += [root_of(Workspace, workspace)] if workspace is not None else []
    with database.writing() as session:
        row = store.erasure_by_id(session, erasure_id, lock=True)
        gone = [store.delete_root(session, root) for root in roots]
        if row is None or not all(gone):
            return False
        row.rows = {**row.rows, "projects": len(projects), **({"workspaces": 1} if workspace is not None else {})}
        row.ended_at = now
    return True


def steps(database: Database, projects: Sequence[UUID], workspace: UUID | None) -> Iterator[Step]:
    """What no foreign key leads to first, as it is found by what the others lead to."""
    yield from of_jobs(database, projects, workspace)
    for project_id in projects:
        yield from of_vendors(database, project_id)
        yield partial(store.delete_events, project_id=project_id, most=BATCH)
        yield partial(delete_answers, project_id=project_id)
        yield from of_tables(root_of(Project, project_id))
    if workspace is not None:
        yield from of_tables(root_of(Workspace, workspace))


def of_tables(root: Root) -> Iterator[Step]:
    yield from (hanging(root, table) for table in store.links(root.table) if table.name != Project.__tablename__)


def hanging(root: Root, table: Table) -> Step:
    return partial(store.delete_hanging, root=root, one=table, most=BATCH)


def delete_answers(session: Session, project_id: UUID) -> Counts:
    """Of the calls that named the project; the answer to the one that erases it tells of the receipt alone."""
    project = session.get(Project, project_id)
    return {} if project is None else store.delete_answers(session, project, erasure_path(project_id), BATCH)


def erasure_path(project_id: UUID) -> str:
    return f"/v1/projects/{project_id}/erasure"


def of_jobs(database: Database, projects: Sequence[UUID], workspace: UUID | None) -> Iterator[Step]:
    after = ""
    while True:
        with database.reading() as session:
            names = store.job_names_after(session, after, NAMES)
            mine = store.jobs_of(session, names, projects, workspace)
        if mine:
            yield once(partial(store.delete_jobs, names=mine))
        if not names:
            return
        after = names[-1]


def once(step: Step) -> Step:
    """A step that has no second batch."""
    waiting = [step]
    return lambda session: waiting.pop()(session) if waiting else {}


# What vendors told: a connection belongs to the workspace, and stays


def of_vendors(database: Database, project_id: UUID) -> Iterator[Step]:
    """Of a connection that no other project's sources sell through, all that the vendor told. Of others, what names the
    project's orders and items."""
    with database.reading() as session:
        found = store.connections_of(session, project_id)
    for connection_id, alone in found:
        if alone:
            root = root_of(VendorConnection, connection_id)
            yield from (hanging(root, table) for table in store.tables_of_connections())
        else:
            yield from of_shared(database, project_id, connection_id)
            reports = partial(store.delete_reconciliations, project_id=project_id, connection_id=connection_id)
            yield once(reports)


def of_shared(database: Database, project_id: UUID, connection_id: UUID) -> Iterator[Step]:
    after = 0
    while True:
        with database.reading() as session:
            connection = session.get(VendorConnection, connection_id)
            rows = store.vendor_deliveries_after(session, connection_id, after, LETTERS)
            if connection is None or not rows:
                return
            after = rows[-1].id
            named = {row.id: [names_of(one) for one in told_in(connection, row)] for row in rows}
            every = {name for events in named.values() for names in events for name in names}
            mine = store.names_of_project(session, project_id, connection_id, every)
        ids = [row.id for row in rows if goes(row, [bool(one & mine) for one in named[row.id]])]
        if ids:
            yield once(partial(store.delete_vendor_deliveries, ids=ids))


def goes(row: VendorDelivery, events_that_go: Sequence[bool]) -> bool:
    """Whether a webhook is to be deleted that names others too, perhaps: not while it waits to be counted for them."""
    return any(events_that_go) and (row.outcome in APPLIED or all(events_that_go))


def names_of(event: Mapping[str, Any]) -> frozenset[Name]:
    """By what an event may be known to be of a project."""
    said = {kind: event.get(kind) for kind in ("external_order_id", "external_item_id", "order_ref")}
    return frozenset((kind, name) for kind, name in said.items() if name)
