"""Groups and sources by file: lines whose key is there change it, the others are new; looked at before they are kept.
And the tables to start from, with what the project has."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import TypeAdapter
from tranche.sheets import (
    GROUP_COLUMNS,
    RUN_COLUMNS,
    SOURCE_COLUMNS,
    Column,
    ReadAs,
    SheetError,
    decimal_mark,
    read_sources,
)

from app.api.http.bulk import validated
from app.api.keys.keys import read_key
from app.api.projects.group_tables import currency_faults, group_table, stated
from app.api.projects.groups import GroupIn, GroupPatch, changed_group, made_group
from app.api.projects.sources import SourceIn, SourcePatch, changed_source, made_source, stated_quality
from app.errors import Fault, Invalid, Malformed, invalid
from app.store.models.projects import Group, Project, Source
from app.store.projects import members, members_by_key
from app.tables.csv_file import cell_of
from app.web.editing.fields import QUALITY, SHARES, tiers
from app.web.editing.sent_tables import Options, TakenBackError, as_text, caught, options_of, table, take_back
from app.web.editing.source_editor import groups_of
from app.web.site.visit import Answer, Visit, acts, pages, sees

router = pages()

MOST = 500
"""Lines of a file; longer lists are sent over the API at once."""
ROWS_SHOWN = 20
BAR = " | "
Documents = list[tuple[int, dict[str, Any]]]
"""With the line of each."""


@dataclass
class Preview:
    """What a file would change, or why it can't: faults by line."""

    rows: Documents = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    made: int = 0
    changed: int = 0
    read_as: ReadAs | None = None

    @property
    def good(self) -> bool:
        return bool(self.rows) and not self.faults


@dataclass(frozen=True)
class Kind:
    """Groups or sources. make and change: what the API does with a body, by the visit and the project."""

    word: str
    row: Any
    columns: Sequence[Column]
    read: Callable[[bytes | str, Options, str, Preview], Documents]
    made: TypeAdapter[Any]
    patch: TypeAdapter[Any]
    make: Callable[[Visit, Project, Any], object]
    change: Callable[[Visit, Project, Any, Any], object]


def read_group_lines(sent: bytes | str, options: Options, currency: str, seen: Preview) -> Documents:
    """Raises Malformed."""
    found = group_table(sent, *options, currency)
    seen.faults, seen.read_as = found.faults, found.read_as
    return list(zip(found.lines, found.documents, strict=True))


def read_source_lines(sent: bytes | str, options: Options, currency: str, seen: Preview) -> Documents:
    """Raises Malformed."""
    try:
        sheet = read_sources(sent, ignore_extra=options[0], decimal=decimal_mark(options[1]))
    except SheetError as error:
        raise Malformed(f"Sources: {error}") from None
    seen.read_as = sheet.read_as
    seen.faults = [Fault(f"line {one.line}", f"{one.column}: {one.detail}") for one in sheet.faults]
    seen.faults += currency_faults(sheet.read_as, currency)
    readers = {"yields": SHARES.read, "price_tiers": tiers(currency).read, "quality": QUALITY.read}
    rows: Documents = []
    for line, cells in sheet.rows:
        document = {name: stated(value) for name, value in cells.items()}
        for name in readers.keys() & document.keys():
            try:
                document[name] = readers[name](str(document[name]).replace("|", "\n"))
            except ValueError as error:
                seen.faults.append(Fault(f"line {line}", f"{name}: {error}"))
        rows.append((line, document))
    return rows


KINDS = {
    "groups": Kind("group", Group, GROUP_COLUMNS, read_group_lines, TypeAdapter(GroupIn), TypeAdapter(GroupPatch),
                   made_group, changed_group),
    "sources": Kind("source", Source, SOURCE_COLUMNS, read_source_lines, TypeAdapter(SourceIn),
                    TypeAdapter(SourcePatch), made_source, changed_source),
}  # fmt: skip
Name = Literal["groups", "sources"]


@router.get("/projects/{project_id}/{name}-file")
def file_form(project_id: str, name: Name, visit: Annotated[Visit, sees("write")]) -> Answer:
    return show(visit, visit.project(project_id), name, "", None)


@router.post("/projects/{project_id}/{name}-file")
def look_or_keep(project_id: str, name: Name, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    sent, seen = table(visit, name), Preview()
    try:
        with visit.trying():
            keep(visit, project, KINDS[name], sent, seen)
            if visit.said("step") == "keep" and seen.good:
                return visit.redirect(f"/projects/{project.id}/{name}", f"{seen.made} new, {seen.changed} changed.")
            take_back()
    except TakenBackError:
        pass
    return show(visit, project, name, as_text(sent), seen)


def keep(visit: Visit, project: Project, kind: Kind, sent: bytes | str, seen: Preview) -> None:
    """Each line by itself, so that each is told what is wrong with it."""
    options = options_of(visit)
    seen.rows = caught(lambda: kind.read(sent, options, project.currency, seen), seen.faults) or [] if sent else []
    if len(seen.rows) > MOST:
        seen.faults.append(Fault("", f"{len(seen.rows):,} lines; send at most {MOST} at a time"))
    if seen.faults:
        return
    for line, document in seen.rows:
        with_line(partial(keep_one, visit, project, kind, document, seen), line, seen.faults)


def with_line(step: Callable[[], object], line: int, faults: list[Fault]) -> None:
    own: list[Fault] = []
    caught(step, own)
    for fault in own:
        name = fault.pointer.strip("/")
        faults.append(Fault(f"line {line}", f"{name}: {fault.detail}" if name else fault.detail))


def keep_one(visit: Visit, project: Project, kind: Kind, document: dict[str, Any], seen: Preview) -> None:
    """Raises Invalid, KeyTaken and what else the API refuses."""
    try:
        key = read_key(document.get("key", ""))
    except ValueError as error:
        raise invalid(Fault("/key", str(error))) from None
    with visit.trying():
        row = members_by_key(visit.session, kind.row, project.id, [key]).get(key)
        if row is None or row.archived_at is not None:
            kind.make(visit, project, validated(kind.made, document))
            seen.made += 1
        else:
            kind.change(visit, project, row, validated(kind.patch, document))
            seen.changed += 1


def show(visit: Visit, project: Project, name: Name, text: str, seen: Preview | None) -> Answer:
    error = None
    if seen is not None and not seen.good:
        error = Invalid("Nothing is kept yet. Mend what is named below and check it again.", tuple(seen.faults))
        error = error if seen.faults else Invalid("Choose a file, or paste its text.")
    return visit.render(
        "member_file.html",
        error=error,
        project=project,
        name=name,
        columns=[one.name for one in KINDS[name].columns],
        text=text,
        seen=seen,
        typed=visit.said,
        rows_shown=ROWS_SHOWN,
    )


# The tables to start from.


@router.get("/projects/{project_id}/templates/{name}.csv")
def template_file(
    project_id: str, name: Literal["groups", "sources", "runs"], visit: Annotated[Visit, sees("read")]
) -> Answer:
    project = visit.project(project_id)
    rows = {"groups": group_rows, "sources": source_rows, "runs": run_rows}[name](visit, project)
    columns = RUN_COLUMNS if name == "runs" else KINDS[name].columns
    file = StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([one.name for one in columns])
    writer.writerows([cell_of(row.get(one.name)) for one in columns] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(file.getvalue().encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)


def run_rows(visit: Visit, project: Project) -> list[dict[str, Any]]:
    return [{"group": one.key} for one in members(visit.session, Group, project.id)]


def group_rows(visit: Visit, project: Project) -> list[dict[str, Any]]:
    own = {one.key: one for one in members(visit.session, Source, project.id)}
    rows = []
    for group in members(visit.session, Group, project.id):
        source = own.get(group.key)
        alone = source is not None and [one.group_id for one in source.yields] == [group.id]
        said = {one.name: getattr(group, one.name) for one in GROUP_COLUMNS if one.name != "unit_cost"}
        rows.append({**said, "unit_cost": source.unit_cost if source is not None and alone else None})
    return rows


def source_rows(visit: Visit, project: Project) -> list[dict[str, Any]]:
    sources = members(visit.session, Source, project.id)
    groups = groups_of(visit, sources)
    rows = []
    for one in sources:
        yields = {groups[part.group_id].key: part.share for part in one.yields}
        quality = stated_quality(one)
        said = {
            "group": None,
            "yields": barred(SHARES.show(yields)),
            "price_tiers": barred(tiers(project.currency).show(one.price_tiers)) or None,
            "quality": None
            if quality is None
            else QUALITY.show(quality if isinstance(quality, float) else quality.model_dump()),
        }
        rows.append({column.name: said.get(column.name, getattr(one, column.name, None)) for column in SOURCE_COLUMNS})
    return rows


def barred(lines: str) -> str:
    return BAR.join(lines.splitlines())
