"""One measurement in two checkouts of the repository, on the same seeds, so that they can be compared in pairs.

A script measures parts; a part's numbers (seeds, worlds) are measured in processes of their own, whose `app` is that of
the checkout asked. `now` is this checkout, `before` the one that --against names. The script itself is always this
checkout's. Results are kept part by part: parts that are not measured again stay in the file as they were.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import results_files

from app.planner.simulation.paired import Estimate

ROOT = Path(__file__).parents[1]
NOW, BEFORE = "now", "before"
Row = dict[str, Any]
Measure = Callable[[argparse.Namespace, str, int], Row]
"""A part and a number → what was measured, as JSON has it."""
AT_ONCE = 8
"""A process measures so many numbers: long enough that its start does not count."""


@dataclass(frozen=True)
class Measured:
    """Rows by side, in the order of the numbers, which are the same on both sides."""

    part: str
    rows: dict[str, list[Row]]


def arguments(doc: str | None, parts: Sequence[str], count: int, results: str) -> argparse.ArgumentParser:
    """The options that all such scripts have. count: numbers a part; results: the file's name."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts), metavar="PART", help=", ".join(parts))
    parser.add_argument("--first", type=int, default=0, help="the first seed; the others follow")
    parser.add_argument("--count", type=int, default=count, help="seeds of a part")
    parser.add_argument("--against", type=Path, help="another checkout of the repository: the figures before")
    parser.add_argument("--alone", action="store_true", help="measure that checkout only")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / results)
    parser.add_argument("--worker", nargs=2, metavar=("PART", "NUMBERS"), help=argparse.SUPPRESS)
    return parser


def gathered(given: argparse.Namespace, measure: Measure) -> Iterator[Measured]:
    """What each part came to; in a worker, its rows are printed and nothing else is done."""
    if given.worker:
        part, numbers = given.worker
        for number in numbers.split(","):
            print(json.dumps(measure(given, part, int(number))), flush=True)
        return
    roots = {} if given.alone else {NOW: ROOT}
    if given.against is not None:
        roots[BEFORE] = given.against.resolve()
    numbers = range(given.first, given.first + given.count)
    lots = [numbers[at : at + AT_ONCE] for at in range(0, len(numbers), AT_ONCE)]
    with ThreadPoolExecutor(given.workers) as pool:
        asked = {
            part: {side: [pool.submit(_measured, root, part, lot) for lot in lots] for side, root in roots.items()}
            for part in given.only
        }
        for part, sides in asked.items():
            yield Measured(
                part, {side: [row for lot in found for row in lot.result()] for side, found in sides.items()}
            )


def _measured(root: Path, part: str, numbers: Sequence[int]) -> list[Row]:
    """The rows that a process with the `app` of `root` prints."""
    command = [sys.executable, *sys.argv, "--worker", part, ",".join(map(str, numbers))]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env={**os.environ, **threads, "PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def keep(out: Path, part: str, rows: Sequence[Row]) -> None:
    """The file with the rows of `part` in place of those it had for the same sides. Stamped is this checkout: where it
    was not measured, the stamp stays as it was."""
    content = json.loads(out.read_text(encoding="utf-8")) if out.exists() else None
    old: list[Row] = content["results"] if content else []
    sides = {row["side"] for row in rows}
    stay = [row for row in old if row["part"] != part or row["side"] not in sides]
    together = [*stay, *rows]
    among = {row["part"] for row in together}
    results_files.write(out, together, part, among=among, measured=NOW in sides)


def paired(values: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Mean and standard error of the differences, rounded for a table."""
    ahead = Estimate.of(values - others)
    return round(ahead.mean, 5), round(ahead.se, 5)
