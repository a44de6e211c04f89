"""Sources: what samples can be bought from, at what price and in what amounts."""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, Frozen, escape, refuse
from app.money import plain
from app.services.projects.changes import (
    MAX_FAULTS,
    Fields,
    archive,
    pointer,
    refuse_incomplete,
    refuse_repeats,
    refuse_taken,
    restore,
    touch,
)
from app.services.projects.open_orders import refuse_open_orders
from app.services.projects.references import refuse_named, rename
from app.store import projects as store
from app.store.member_rows import AnySource, SourceRow, YieldRow, source_rows
from app.store.member_writes import NEW, change_rows, change_yields, insert_rows
from app.store.models.projects import Group, Project, Source
from app.store.models.vendors import VendorConnection
from app.store.observations import is_named_by_runs
from app.store.projects import State
from app.store.reading import find

SHARE_SLACK = 1e-9
"""Shares such as 0.1 + 0.2 + 0.7 sum to a little more than 1 in floating point."""

DEFAULTS: dict[str, Any] = {
    "id": NEW,
    "key": "",
    "name": None,
    "kind": "vendor",
    "unit_cost": Decimal(0),
    "labels_per_item": 1,
    "billed": "delivered",
    "price_tiers": [],
    "tier_scope": "order",
    "fixed_cost": Decimal(0),
    "min_order": 0,
    "max_order": None,
    "lot_size": 1,
    "max_total": None,
    "acceptance_rate": 1.0,
    "quality": 1.0,
    "quality_p05": None,
    "quality_p95": None,
    "lead_time_days": None,
    "license": None,
    "provenance": None,
    "terms": {},
    "license_url": None,
    "method": None,
    "collected_from": None,
    "collected_to": None,
    "derived_from": [],
    "consent": None,
    "connection_id": None,
    "archived_at": None,
}
"""A source that is not stored yet, of which nothing is said."""
ELSEWHERE = ("group", "yields", "connection")
"""Fields that are no columns."""
STATED = tuple(name for name in DEFAULTS if name not in ("id", "archived_at"))
"""Columns that a request may change."""


def add_sources(session: Session, project: Project, items: Sequence[Fields], now: datetime, at: str) -> None:
    """Store sources; `at` is the JSON pointer of the list in the request, '' where the body is one source."""
    keys = [item["key"] for item in items]
    refuse_repeats(keys, at)
    refuse_taken(session, project, Source, keys, at)
    rows = [new_source({}, []) for _ in items]
    fill(session, project, rows, items, at)
    insert_rows(session, project.id, rows, now)


def fill(session: Session, project: Project, rows: Sequence[SourceRow], items: Sequence[Fields], at: str) -> None:
    """Put `items` into `rows`, the groups' keys becoming their yields. Raises Invalid naming every fault."""
    groups = store.states_by_key(session, Group, project.id, {key for item in items for key in shares(item)})
    connections = known_connections(session, project, items)
    faults = []
    for index, (row, item) in enumerate(zip(rows, items, strict=True)):
        for name, value in item.items():
            if name not in ELSEWHERE:
                setattr(row, name, value)
        wrong = [*yield_faults(item, groups), *connect(row, item, connections)]
        delivered = shares(item)
        if not wrong and delivered:
            of_group = {groups[key].id: share for key, share in delivered.items()}
            row.yields = [YieldRow(group_id, of_group[group_id]) for group_id in sorted(of_group)]
        wrong += [*terms_faults(row), *date_faults(row), *label_faults(row)]
        faults += [Fault(pointer(at, index, field), detail) for field, detail in wrong]
    refuse(faults[:MAX_FAULTS])


def shares(item: Fields) -> dict[str, float]:
    """What the item says it delivers: group key → share. `group` is the short form for all of one group."""
    if item.get("yields") is not None:
        return dict(item["yields"])
    return {item["group"]: 1.0} if item.get("group") is not None else {}


def yield_faults(item: Fields, groups: Mapping[str, State]) -> list[tuple[str, str]]:
    """Faults as (field, detail), as of the other checks of one item."""
    short, long = item.get("group") is not None, item.get("yields") is not None
    if short and long:
        return [("yields", "give 'group', or 'yields' for a source of several groups, not both")]
    if "group" in item and not short and not long:
        return [("group", "is required: name the group it delivers, or give 'yields' for several")]
    faults = [
        (f"yields/{escape(key)}" if long else "group", f"there is no group '{key}' in this project")
        for key in shares(item)
        if key not in groups or groups[key].archived_at
    ]
    total = math.fsum(shares(item).values())
    if long and not item["yields"]:
        faults.append(("yields", "name at least one group"))
    if total > 1.0 + SHARE_SLACK:
        faults.append(("yields", f"the shares sum to {total:.6g}; of the delivered samples they are at most 1"))
    return faults


def known_connections(session: Session, project: Project, items: Sequence[Fields]) -> set[UUID]:
    """Those vendor connections that the items name and the workspace has."""
    named = {item["connection"] for item in items if item.get("connection") is not None}
    return {one for one in named if find(session, VendorConnection, workspace_id=project.workspace_id, id=one)}


def connect(source: SourceRow, item: Fields, known: Collection[UUID]) -> list[tuple[str, str]]:
    """Give the source the vendor connection that `item` names."""
    if "connection" not in item:
        return []
    source.connection_id = named = item["connection"]
    if named is None or named in known:
        return []
    return [("connection", "there is no such vendor connection in this workspace")]


def terms_faults(source: AnySource) -> list[tuple[str, str]]:
    """What is wrong with the prices and amounts of a source, whose first tier is folded into its unit cost."""
    return [*free_faults(source), *tier_faults(source), *fold_first_tier(source), *order_faults(source)]


def free_faults(source: AnySource) -> list[tuple[str, str]]:
    """Samples that cost nothing need a limit, or there is no end to them."""
    if source.unit_cost or (not source.price_tiers and not (source.max_order is None and source.max_total is None)):
        return []
    return [("unit_cost", "a price of 0 needs a max_order or a max_total, and no price_tiers")]


def date_faults(source: AnySource) -> list[tuple[str, str]]:
    first, last = source.collected_from, source.collected_to
    if first is None or last is None or first <= last:
        return []
    return [("collected_to", f"must not be before collected_from: got {last} after {first}")]


def label_faults(source: AnySource) -> list[tuple[str, str]]:
    """Vendors are asked for items by the sample."""
    if source.connection_id is None or source.labels_per_item == 1:
        return []
    return [("labels_per_item", "must be 1 for a source with a vendor connection, whose orders count items")]


def fold_first_tier(source: AnySource) -> list[tuple[str, str]]:
    """A first tier from 0 is the unit cost said again: it is not kept, and a fault where it says another."""
    first = source.price_tiers[0] if source.price_tiers else None
    if first is None or first["from"] != 0:
        return []
    if Decimal(first["unit_cost"]) != source.unit_cost:
        detail = f"a tier from 0 is the unit_cost, which is {plain(source.unit_cost)}; make them equal or leave one out"
        return [("price_tiers/0/unit_cost", detail)]
    source.price_tiers = source.price_tiers[1:]
    return []


def tier_faults(source: AnySource) -> list[tuple[str, str]]:
    starts = [tier["from"] for tier in source.price_tiers]
    return [
        (f"price_tiers/{index}/from", f"must be above the tier before it: got {here} after {before}")
        for index, (before, here) in enumerate(pairwise(starts), start=1)
        if here <= before
    ]


def lot_of(source: AnySource) -> int:
    """Orders are multiples of so many samples: whole lots, and whole items."""
    return math.lcm(source.lot_size, source.labels_per_item)


def order_faults(source: AnySource) -> list[tuple[str, str]]:
    """An order must be possible at all: some multiple of the lot within the minimum and each maximum."""
    lot = lot_of(source)
    least = -(-max(source.min_order, 1) // lot) * lot
    smallest = f"min_order {source.min_order} in lots of {lot} is at least {least}"
    return [
        (field, f"no order fits: {smallest}, above {field} {most}; raise {field} or lower the others")
        for field, most in (("max_order", source.max_order), ("max_total", source.max_total))
        if most and least > most
    ]


def update_source(session: Session, project: Project, source: Source, changes: Fields, now: datetime) -> None:
    """Raises Frozen for a new key once a run names the old one, KeyTaken for a key in use, Invalid."""
    if changes.get("key", source.key) != source.key:
        if is_named_by_runs(session, project.id, source.key):
            raise Frozen(f"Runs name '{source.key}' as where samples came from: its key is fixed. Its name may change.")
        refuse_taken(session, project, Source, [changes["key"]], "")
        rename(project, Source, source.key, changes["key"])
    [row] = source_rows(session, project.id, archived=None, keys=[source.key])
    before = row.yields
    fill(session, project, [row], [changes], at="")
    change_rows(session, [row], STATED, now)
    if row.yields != before:
        change_yields(session, {row.id: row.yields})
    session.expire(source)
    touch(project, now)


def replace_sources(
    session: Session, project: Project, items: Sequence[Fields], archive_missing: bool, now: datetime
) -> None:
    """Make the list of sources what `items` says: change those there, add the new, archive the absent.

    Raises MissingKeys naming the absent ones unless `archive_missing`; Archived for archived keys in the list.
    """
    refuse_repeats([item["key"] for item in items], "/")
    known = {source.key: source for source in source_rows(session, project.id, archived=None)}
    absent = refuse_incomplete(items, known, archive_missing)
    refuse_named(project, Source, {source.key for source in absent})
    refuse_open_orders(session, project, absent)
    for source in absent:
        source.archived_at = now
        touch(project, now)
    change_rows(session, absent, ("key", "archived_at"), now)
    before = {source.id: source.yields for source in known.values()}
    rows = [known.get(item["key"]) or new_source({}, []) for item in items]
    fill(session, project, rows, items, at="/")
    old = [row for row in rows if row.id != NEW]
    change_rows(session, old, STATED, now)
    change_yields(session, {row.id: row.yields for row in old if row.yields != before[row.id]})
    insert_rows(session, project.id, [row for row in rows if row.id == NEW], now)
    touch(project, now)


def new_source(said: Fields, yields: list[YieldRow]) -> SourceRow:
    """One that is not stored yet; `said`: columns that do not hold what they hold by default."""
    return SourceRow(**DEFAULTS | said, yields=yields)


def archive_source(session: Session, project: Project, source: Source, now: datetime) -> None:
    """Raises InUse for one that the project's limits name, Conflict while orders from it are open."""
    refuse_named(project, Source, {source.key})
    refuse_open_orders(session, project, [source])
    archive(project, source, now)


def restore_source(session: Session, project: Project, source: Source, now: datetime) -> None:
    """Raises Conflict while every group that the source delivers is archived."""
    groups = store.members_by_id(session, Group, [one.group_id for one in source.yields])
    if all(group.archived_at for group in groups.values()):
        names = ", ".join(f"'{group.key}'" for group in groups.values())
        raise Conflict(f"What this source delivers is archived ({names}); restore the group first.")
    restore(project, source, now)
