"""Observations as they come in: JSON, one JSON object per line, or CSV, each to the same drafts."""

import csv
import io
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from app.api.http.bulk import CSV, JSON, json_lines, validated
from app.api.http.problems import wording
from app.api.http.shapes import InstantIn, NonNegative, Real, Shape, ShortText, Text
from app.api.keys.keys import Key
from app.api.observations.runs import ObservationIn, Observations, drafts_of
from app.errors import Fault, Malformed, invalid, refuse
from app.services.curves.readings import Reading
from app.services.observations.observations import MAX_OBSERVATIONS, Draft
from app.services.projects.changes import MAX_FAULTS
from app.strict_json import parse_json, refuse_lost
from app.tables.csv_file import as_written

COLUMNS = ("external_id", "group", "n", "value", "stderr", "eval_size", "holdout", "observed_at")
OPTIONAL_COLUMNS = COLUMNS[4:]


def told_from_zero(cell: object) -> object:
    """`cell`. Raises ValueError where it is a number that would be read as 0."""
    return refuse_lost(cell) if isinstance(cell, str) else cell


def as_exported(cell: object) -> object:
    """A key as our tables write it, without the apostrophe that keeps it from being run as a formula."""
    return as_written(cell) if isinstance(cell, str) else cell


class Line(Shape):
    """A line of the CSV form, its texts already read as numbers."""

    external_id: Text
    group: Annotated[Key, BeforeValidator(as_exported)]
    n: Annotated[int, Field(ge=0, le=1_000_000_000)]
    value: Annotated[Real, Field(strict=False), BeforeValidator(told_from_zero)] | None
    stderr: Annotated[NonNegative, Field(strict=False), BeforeValidator(told_from_zero)] | None
    eval_size: Annotated[int, Field(ge=1, le=10**12)] | None
    holdout: ShortText | None
    observed_at: InstantIn | None


OBSERVATION: TypeAdapter[ObservationIn] = TypeAdapter(ObservationIn)
OBSERVATIONS: TypeAdapter[Observations] = TypeAdapter(Observations)
LINE: TypeAdapter[Line] = TypeAdapter(Line)


def read_observations(kind: str, body: bytes) -> list[Draft]:
    """The runs in a body of content type `kind`. Raises Malformed, Invalid naming every bad item."""
    if kind == CSV:
        return from_csv(body)
    if kind == JSON:
        document = parse_json(body)
        listed = document.get("observations") if isinstance(document, dict) else None
        refuse_too_many(len(listed) if isinstance(listed, list) else 0)
        runs = validated(OBSERVATIONS, document).observations
        return drafts_of((f"/observations/{index}", run) for index, run in enumerate(runs))
    lines = json_lines(body)
    refuse_too_many(len(lines))
    return drafts_of((f"line {n} ", validated(OBSERVATION, line, f"line {n} ")) for n, line in lines)


def refuse_too_many(count: int) -> None:
    """Raises Invalid for more than one request may hold."""
    if count > MAX_OBSERVATIONS:
        raise invalid(Fault("", f"{count:,} observations; send at most {MAX_OBSERVATIONS:,} in one request"))


def from_csv(body: bytes) -> list[Draft]:
    """Lines of one external_id are one run, wherever they stand. A value left empty means: only the count. Raises
    Malformed, Invalid."""
    runs: dict[str, Draft] = {}
    faults: list[Fault] = []
    for number, cells in csv_lines(body):
        try:
            line = LINE.validate_python(cells)
        except ValidationError as error:
            faults.extend(
                Fault(f"line {number}", f"{one['loc'][0] if one['loc'] else 'line'}: {wording(one)}")
                for one in error.errors(include_url=False, include_input=False)
            )
            continue
        faults.extend(Fault(f"line {number}", detail) for detail in add_line(runs, line, number))
    refuse(faults[:MAX_FAULTS])
    refuse_too_many(len(runs))
    return list(runs.values())


def csv_lines(body: bytes) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Each line's cells by column, with its number; empty cells are None. Raises Malformed."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", newline=""), strict=True)
    try:
        header = next(reader, [])
        check_header(header)
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise Malformed(f"Line {reader.line_num} has {len(row)} cells; the header has {len(header)}.")
            cells = {name: cell.strip() or None for name, cell in zip(header, row, strict=True)}
            yield reader.line_num, {**dict.fromkeys(OPTIONAL_COLUMNS), **cells}
    except UnicodeDecodeError:
        raise Malformed(f"The body is not UTF-8 after line {reader.line_num}.") from None
    except csv.Error as error:
        raise Malformed(f"Line {reader.line_num} is not CSV: {error}.") from None


def check_header(header: list[str]) -> None:
    """Raises Malformed where columns are unknown, missing or repeated."""
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in COLUMNS if name not in header and name not in OPTIONAL_COLUMNS]
    if unknown or missing or len(set(header)) < len(header):
        shown = ",".join(header)[:200]
        raise Malformed(f"Line 1 must be the header {','.join(COLUMNS)} (the last four optional); it is: {shown}")


def add_line(runs: dict[str, Draft], line: Line, number: int) -> list[str]:
    """Add a line to its run. Returns what contradicts the run's other lines."""
    run = runs.setdefault(line.external_id, Draft(at="", external_id=line.external_id))
    if line.group in run.counts:
        return [f"group '{line.group}' stands twice in run '{line.external_id}'"]
    contradictions = [
        f"{name} differs from the other lines of run '{line.external_id}'"
        for name in ("holdout", "observed_at")
        if getattr(line, name) != getattr(run, name)
        and run.lines
        and getattr(line, name) is not None
        and getattr(run, name) is not None
    ]
    run.holdout = run.holdout or line.holdout
    run.observed_at = run.observed_at or line.observed_at
    run.lines[line.group] = number
    run.counts[line.group] = line.n
    if line.value is not None:
        run.metrics[line.group] = Reading(line.value, line.stderr, line.eval_size)
    elif line.stderr is not None or line.eval_size is not None:
        contradictions.append("a standard error or evaluation size without a value")
    return contradictions
