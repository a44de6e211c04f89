"""CSV files: Tranche's own columns with a line per run and group, or a line per run as trackers export it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tranche.imports.logged import Found, ImportRefused, LoggedRun, Pattern, Wanted, observations_of
from tranche.metrics import Metric
from tranche.runs import Observation
from tranche.sheets import SheetError, SheetFault, SheetFaults, plain, read_runs
from tranche.sheets.grid import Grid, read_grid
from tranche.sheets.instants import read_instant
from tranche.sheets.numbers import Mark
from tranche.sheets.table import Column, ReadAs, Sheet, read_cells

IDS = ("externalid", "runid", "id", "name", "run")
STATES = ("status", "state")
MOST_BYTES = 256 * 1024 * 1024


def body_of(path: str) -> bytes:
    """Raises ImportRefused."""
    file = Path(path)
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ImportRefused(f"{path} has more than {MOST_BYTES:,} bytes; import it in parts")
        return file.read_bytes()
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from None


def long_table(path: str, ignore_extra: bool, decimal: Mark | None) -> tuple[Found, ReadAs]:
    """Raises ImportRefused, SheetFaults."""
    try:
        sheet = read_runs(body_of(path), ignore_extra=ignore_extra, decimal=decimal)
    except SheetError as error:
        raise ImportRefused(
            f"{path}: {error}. Where it has a line per run, say which columns to take with --value and --count"
        ) from None
    return Found(runs_of(sheet)), sheet.read_as


def runs_of(sheet: Sheet) -> list[Observation]:
    """Lines of one external_id are one run. Raises SheetFaults."""
    faults = list(sheet.faults)
    runs: dict[str, dict[str, Any]] = {}
    for line, cells in sheet.rows:
        lacking = [name for name in ("external_id", "group", "n") if name not in cells]
        faults += [SheetFault(line, name, "is empty") for name in lacking]
        if not lacking:
            run = runs.setdefault(str(cells["external_id"]), {"counts": {}, "metrics": {}})
            faults += [SheetFault(line, name, detail) for name, detail in add_line(run, cells)]
    if faults:
        raise SheetFaults(sorted(faults, key=lambda one: one.line))
    return [Observation(external_id=name, **run) for name, run in runs.items()]


def add_line(run: dict[str, Any], cells: dict[str, Any]) -> list[tuple[str, str]]:
    """Add a line to its run. Returns what contradicts its other lines, by column."""
    group, source, faults = cells["group"], cells.get("source"), []
    if source is not None:
        of_source = run.setdefault("origin", {}).setdefault(source, {})
        if group in of_source:
            return [("source", f"'{source}' of '{group}' stands twice in run '{cells['external_id']}'")]
        of_source[group] = cells["n"]
        return [(name, "stands on a line of a source") for name in ("value", "stderr", "eval_size") if name in cells]
    if group in run["counts"]:
        return [("group", f"'{group}' stands twice in run '{cells['external_id']}'")]
    run["counts"][group] = cells["n"]
    if "value" in cells:
        run["metrics"][group] = Metric(cells["value"], cells.get("stderr"), cells.get("eval_size"))
    elif "stderr" in cells or "eval_size" in cells:
        faults.append(("value", "is empty beside a standard error or evaluation size"))
    for name in ("holdout", "recipe", "chosen_from", "observed_at"):
        if name in cells:
            said = read_instant(cells[name]) if name == "observed_at" else cells[name]
            if run.setdefault(name, said) != said:
                faults.append((name, f"differs from the other lines of run '{cells['external_id']}'"))
    return faults


def wide_table(path: str, wanted: Wanted, id_column: str | None, decimal: Mark | None) -> tuple[Found, ReadAs]:
    """A line per run, its columns found by patterns. Raises ImportRefused, SheetFaults."""
    kinds = {wanted.value: "real", wanted.stderr: "real", wanted.count: "count", wanted.eval_size: "count"}
    patterns = [(one, kind) for one, kind in kinds.items() if isinstance(one, Pattern)]
    try:
        grid = read_grid(body_of(path), lambda name: any(one.group_of(name) for one, _ in patterns))
    except SheetError as error:
        raise ImportRefused(f"{path}: {error}") from None
    names = grid.header.cells
    ids = place_of(grid, id_column)
    states = next((place for place, name in enumerate(names) if plain(name) in STATES), None)
    texts = [ids] if states is None else [ids, states]
    places = {place: Column(names[place]) for place in texts}
    for place, name in enumerate(names):
        kind = next((kind for one, kind in patterns if one.group_of(name) in wanted.groups), None)
        if kind is not None and place not in places:
            places[place] = Column(name, kind, alike="value" if kind == "real" else None)  # type: ignore[arg-type]
    refuse_twins(places)
    others = [name for place, name in enumerate(names) if place not in places and name]
    sheet = read_cells(grid, places, others, decimal)
    if sheet.faults:
        raise SheetFaults(sheet.faults)
    return observations_of(logged(sheet, names, ids, states), wanted), sheet.read_as


def refuse_twins(places: dict[int, Column]) -> None:
    names = [column.name for column in places.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ImportRefused(f"there are two columns named {', '.join(twice)}; give one of them another name")


def place_of(grid: Grid, asked: str | None) -> int:
    """Where the names of the runs stand. Raises ImportRefused."""
    plains = [plain(name) for name in grid.header.cells]
    for wanted in IDS if asked is None else (plain(asked),):
        if wanted in plains:
            return plains.index(wanted)
    shown = ", ".join(name for name in grid.header.cells[:40] if name)
    what = f"no column '{asked}'" if asked else "no column with the id of a run"
    raise ImportRefused(f"{what}; name one with --id. There are: {shown}")


def logged(sheet: Sheet, names: Sequence[str], ids: int, states: int | None) -> list[LoggedRun]:
    """Raises SheetFaults for a run without its id."""
    texts = {names[place] for place in (ids, states) if place is not None}
    empty = [
        SheetFault(line, names[ids], "is empty; each run needs an id")
        for line, row in sheet.rows
        if names[ids] not in row
    ]
    if empty:
        raise SheetFaults(empty)
    every: dict[str, Any] = {name: None for _, row in sheet.rows for name in row if name not in texts}
    return [
        LoggedRun(
            str(row[names[ids]]),
            {**every, **{name: value for name, value in row.items() if name not in texts}},
            None if states is None else str(row.get(names[states], "unknown")),
        )
        for _, row in sheet.rows
    ]
