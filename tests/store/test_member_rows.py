"""Rows of groups and sources hold what the session's objects hold, in the same order."""

from dataclasses import fields
from typing import Any
from uuid import UUID

import pytest

from app.store.db import Database
from app.store.member_rows import GroupRow, SourceRow, group_rows, source_rows
from app.store.models.projects import Group, Source
from app.store.projects import members, unstored
from tests.api_client import Api

CURVE = {"asymptote": 0.1, "scale": 1.0, "exponent": 0.5, "offset": 2.0}
GROUPS = [
    {"key": "B", "weight": 2.5, "target": 0.9, "initial_count": 7, "min_count": 1, "max_count": 900},
    {"key": "A", "name": "Group A", "attributes": {"sex": "f"}, "parent": "B", "unit_cost": "1.000001"},
    {"key": "C", "reference_loss": 0.25, "assumed_curve": CURVE, "unit_cost": "2"},
]
SOURCES = [
    {
        "key": "both",
        "name": "Both of them",
        "kind": "site",
        "yields": {"A": 0.25, "B": 0.5},
        "unit_cost": "3.5",
        "labels_per_item": 5,
        "billed": "accepted",
        "price_tiers": [{"from": 100, "unit_cost": "3.25"}],
        "tier_scope": "project",
        "fixed_cost": "12.34",
        "min_order": 10,
        "max_order": 500,
        "lot_size": 5,
        "max_total": 5000,
        "acceptance_rate": 0.8,
        "quality": 0.9,
        "license": "CC0",
        "provenance": "a shelf",
        "lead_time_days": 3,
    },
]


@pytest.fixture
def project(api: Api) -> UUID:
    """Of three active groups and three sources, and one archived group with the source that delivers it."""
    path = api.project(groups=[*GROUPS, {"key": "gone", "unit_cost": "4"}], sources=SOURCES)
    assert api.delete(f"{path}/groups/gone").status_code == 204
    api.project(name="another")
    return UUID(path.rpartition("/")[2])


def told(row: Any, kind: type[GroupRow] | type[SourceRow]) -> dict[str, Any]:
    """What the fields of `kind` are in an object or a row."""
    found = {one.name: getattr(row, one.name) for one in fields(kind)}
    if "yields" in found:
        found["yields"] = [(one.group_id, one.share) for one in found["yields"]]
    return found


@pytest.mark.parametrize(("archived", "keys"), [(False, "BAC"), (None, ["B", "A", "C", "gone"]), (True, ["gone"])])
def test_rows_of_groups_are_what_the_objects_are(
    database: Database, project: UUID, archived: bool | None, keys: list[str]
) -> None:
    with database.reading() as session:
        rows = group_rows(session, project, archived)
        objects = members(session, Group, project, archived)
        assert [row.key for row in rows] == list(keys)
        assert [told(row, GroupRow) for row in rows] == [told(one, GroupRow) for one in objects]


@pytest.mark.parametrize(
    ("archived", "keys"),
    [(False, ["A", "C", "both"]), (None, ["A", "C", "gone", "both"]), (True, ["gone"])],
)
def test_rows_of_sources_are_what_the_objects_are(
    database: Database, project: UUID, archived: bool | None, keys: list[str]
) -> None:
    with database.reading() as session:
        rows = source_rows(session, project, archived)
        objects = members(session, Source, project, archived)
        assert [row.key for row in rows] == keys
        assert [told(row, SourceRow) for row in rows] == [told(one, SourceRow) for one in objects]


@pytest.mark.parametrize(("kind", "row"), [(Group, GroupRow), (Source, SourceRow)])
def test_a_row_has_all_columns_but_the_project_and_the_times(
    kind: type[Group] | type[Source], row: type[GroupRow] | type[SourceRow]
) -> None:
    columns = {one.name for one in kind.__table__.columns} - {"project_id", "created_at", "updated_at"}
    assert {one.name for one in fields(row)} - {"yields"} == columns


def test_a_row_is_changed_for_a_question_without_being_changed_itself(database: Database, project: UUID) -> None:
    with database.reading() as session:
        source = source_rows(session, project)[-1]
        varied = unstored(source, {"lot_size": 50})
    assert (varied.lot_size, source.lot_size) == (50, 5)
    assert told(varied, SourceRow) == told(source, SourceRow) | {"lot_size": 50}
