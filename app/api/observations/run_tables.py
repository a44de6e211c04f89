"""Observations as a table of text, a line per run and group, to the same drafts as JSON."""

from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Query
from pydantic import Field, TypeAdapter, ValidationError
from tranche.sheets import ReadAs, Sheet, SheetError, SheetFault, decimal_mark, read_runs

from app.api.http.problems import wording
from app.api.http.shapes import Answer, InstantIn, NonNegative, Real, Shape, ShortText, Text
from app.api.keys.keys import Key
from app.api.observations.intake import refuse_too_many
from app.errors import Fault, Malformed, refuse
from app.services.curves.readings import Reading
from app.services.observations.drafts import MOST_CANDIDATES, Draft
from app.services.projects.changes import MAX_FAULTS

Extra = Annotated[
    Literal["ignore"] | None, Query(description="Of CSV: 'ignore' leaves columns that are not known unread")
]
DecimalMark = Annotated[
    Literal["point", "comma"] | None,
    Query(description="Of CSV: the decimal mark, where the numbers do not tell it"),
]


class ReadAsOut(Answer):
    """How a table of text was understood. `decimal` is null where no number needs it; `apostrophes` were taken away
    before texts that a spreadsheet would run as formulas; `voided` lines are of runs that an export says are voided."""

    encoding: str
    separator: str
    decimal: str | None
    thousands: list[str]
    percent: list[str]
    currency: str | None
    ignored: list[str]
    apostrophes: int
    voided: int


class Line(Shape):
    """A line of the table, its numbers already read."""

    external_id: Text
    group: Key
    source: Key | None = None
    n: Annotated[int, Field(ge=0, le=1_000_000_000)]
    value: Real | None = None
    stderr: NonNegative | None = None
    eval_size: Annotated[int, Field(ge=1, le=10**12)] | None = None
    holdout: ShortText | None = None
    recipe: ShortText | None = None
    chosen_from: Annotated[int, Field(ge=1, le=MOST_CANDIDATES)] | None = None
    observed_at: InstantIn | None = None


LINE: TypeAdapter[Line] = TypeAdapter(Line)
OnceARun: TypeAlias = Literal["holdout", "recipe", "chosen_from", "observed_at"]
ONCE_A_RUN: tuple[OnceARun, ...] = ("holdout", "recipe", "chosen_from", "observed_at")


def runs_of_table(
    body: bytes | str, ignore_extra: bool = False, decimal: str | None = None
) -> tuple[list[Draft], ReadAs]:
    """Lines of one external_id are one run, wherever they stand. A value left empty means: only the count; a `source`:
    how many of the group's count came from there. Raises Malformed, Invalid naming every bad line."""
    sheet = sheet_of(body, ignore_extra, decimal)
    runs: dict[str, Draft] = {}
    faults = line_faults(sheet.faults)
    for number, cells in sheet.rows:
        try:
            line = LINE.validate_python(cells)
        except ValidationError as error:
            faults.extend(Fault(f"line {number}", detail) for detail in shape_faults(error))
            continue
        faults.extend(Fault(f"line {number}", detail) for detail in add_line(runs, line, number))
    refuse(faults[:MAX_FAULTS])
    refuse_too_many(len(runs))
    return list(runs.values()), sheet.read_as


def sheet_of(body: bytes | str, ignore_extra: bool, decimal: str | None) -> Sheet:
    """Raises Malformed."""
    try:
        return read_runs(body, ignore_extra=ignore_extra, decimal=decimal_mark(decimal))
    except SheetError as error:
        raise Malformed(str(error)) from None


def line_faults(faults: list[SheetFault]) -> list[Fault]:
    return [Fault(f"line {one.line}", f"{one.column}: {one.detail}" if one.column else one.detail) for one in faults]


def shape_faults(error: ValidationError) -> list[str]:
    found: list[Any] = error.errors(include_url=False, include_input=False)
    return [f"{one['loc'][0] if one['loc'] else 'line'}: {wording(one)}" for one in found]


def add_line(runs: dict[str, Draft], line: Line, number: int) -> list[str]:
    """Add a line to its run. Returns what contradicts the run's other lines."""
    run = runs.setdefault(line.external_id, Draft(at="", external_id=line.external_id))
    if line.source is None and line.group in run.counts:
        return [f"group '{line.group}' stands twice in run '{line.external_id}'"]
    contradictions = []
    for name in ONCE_A_RUN:
        said, before = getattr(line, name), getattr(run, name)
        if None not in (said, before) and said != before:
            contradictions.append(f"{name} differs from the other lines of run '{line.external_id}'")
        setattr(run, name, before or said)
    if line.source is not None:
        return contradictions + add_origin(run, line, line.source, number)
    run.lines[line.group] = number
    run.counts[line.group] = line.n
    if line.value is not None:
        run.metrics[line.group] = Reading(line.value, line.stderr, line.eval_size)
    elif line.stderr is not None or line.eval_size is not None:
        contradictions.append("a standard error or evaluation size without a value")
    return contradictions


def add_origin(run: Draft, line: Line, source: str, number: int) -> list[str]:
    """Add to a run how many of its group's samples came from a source. Returns what contradicts other lines."""
    if (source, line.group) in run.origin_lines:
        return [f"source '{source}' of group '{line.group}' stands twice in run '{line.external_id}'"]
    run.origin_lines[source, line.group] = number
    if line.n:
        run.origin.setdefault(source, {})[line.group] = line.n
    measured = [name for name in ("value", "stderr", "eval_size") if getattr(line, name) is not None]
    return [f"{name} stands on a line of source '{source}'; a run measures groups" for name in measured]
