"""Runs of Weights & Biases as its offline mode leaves them: `wandb/offline-run-*/run-*.wandb`, read without W&B.

Such a file is a log of records in LevelDB's format (blocks of 32 KiB, each record in one piece or several), and each
record a protocol buffer: W&B's `wandb_internal.proto` numbers the fields that are read here. A cut-off end, as a killed
run leaves it, ends the reading.
"""

import json
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tranche.imports.logged import ImportRefused, LoggedRun
from tranche.sheets.instants import since_1970

BLOCK, HEADER = 32 * 1024, 7
START = b":W&B"
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
SUMMARY, CONFIG, RUN, EXIT = 3, 5, 17, 18
RUN_ID, RUN_CONFIG, RUN_SUMMARY, RUN_START = 1, 4, 5, 17
UPDATE, REMOVE, KEY, NESTED_KEY, VALUE = 1, 2, 1, 2, 16

Fields = dict[int, list[Any]]


def wandb_runs(folder: str) -> Iterator[LoggedRun]:
    """Every run below the folder, or of the one file. Raises ImportRefused."""
    place = Path(folder)
    files = [place] if place.is_file() else sorted(place.rglob("run-*.wandb"))
    if not files:
        raise ImportRefused(f"there is no run-*.wandb in {folder}; name the folder `wandb` of an offline run")
    yield from map(run_in, files)


def run_in(file: Path) -> LoggedRun:
    """Raises ImportRefused."""
    try:
        return run_of(file.read_bytes())
    except (OSError, ValueError, IndexError, TypeError, AttributeError, KeyError) as error:
        raise ImportRefused(f"{file} cannot be read as a W&B run: {error}") from None


def run_of(body: bytes) -> LoggedRun:
    """Raises ValueError, IndexError, TypeError, AttributeError or KeyError for what is no such file."""
    if not body.startswith(START):
        raise ValueError(f"it does not begin with {START.decode()}")
    name, state, started = "", "running", None
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for record in map(fields, records(body)):
        for run in map(fields, record.get(RUN, ())):
            name = run[RUN_ID][0].decode()
            started = instant(run)
            change(config, run.get(RUN_CONFIG, ()))
            change(summary, run.get(RUN_SUMMARY, ()))
        change(config, record.get(CONFIG, ()))
        change(summary, record.get(SUMMARY, ()))
        for end in map(fields, record.get(EXIT, ())):
            state = "failed" if any(end.get(1, ())) else "finished"
    if not name:
        raise ValueError("it names no run")
    values = {f"config.{key}": value for key, value in config.items()}
    values.update({f"summary.{key}": value for key, value in summary.items()})
    return LoggedRun(name, values, state, started)


def records(body: bytes) -> Iterator[bytes]:
    """The records of the log that are whole."""
    at, pieces = HEADER, b""
    while at + HEADER <= len(body):
        left = BLOCK - at % BLOCK
        if left < HEADER:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", body, at)
        piece = body[at + HEADER : at + HEADER + length]
        if len(piece) < length or kind not in (WHOLE, FIRST, MIDDLE, LAST):
            return
        pieces = piece if kind in (WHOLE, FIRST) else pieces + piece
        if kind in (WHOLE, LAST):
            yield pieces
        at += HEADER + length


def fields(message: bytes) -> Fields:
    """A protocol buffer's fields by number: numbers, or bytes. Raises IndexError, ValueError where it is none."""
    found: Fields = {}
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        value: Any
        if kind == 0:
            value, at = varint(message, at)
        elif kind == 2:
            length, at = varint(message, at)
            value, at = message[at : at + length], at + length
        elif kind in (1, 5):
            width = 8 if kind == 1 else 4
            value, at = message[at : at + width], at + width
        else:
            raise ValueError("a record is no protocol buffer")
        found.setdefault(tag >> 3, []).append(value)
    return found


def varint(message: bytes, at: int) -> tuple[int, int]:
    """A number in base 128, and where what follows it begins."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return number, at


def change(values: dict[str, Any], messages: Any) -> None:
    """Take the updates and removals of a config or a summary into `values`, by names parted by points."""
    for message in map(fields, messages):
        for item in map(fields, message.get(UPDATE, ())):
            if VALUE in item:
                values.update(flat(key_of(item), json.loads(item[VALUE][0])))
        for item in map(fields, message.get(REMOVE, ())):
            key = key_of(item)
            for name in [one for one in values if one == key or one.startswith(f"{key}.")]:
                del values[name]


def key_of(item: Fields) -> str:
    return ".".join(part.decode() for part in item.get(NESTED_KEY, item.get(KEY, [])))


def flat(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {name: one for part, below in value.items() for name, one in flat(f"{key}.{part}", below).items()}
    return {key: value}


def instant(run: Fields) -> datetime | None:
    """When the run began, in whole seconds."""
    if RUN_START not in run:
        return None
    seconds = fields(run[RUN_START][0]).get(1, [0])[0]
    return since_1970(seconds, 1)
