"""Response tables: what one model trained on random compositions of groups scores on each of them.

    python benchmarks/joint_tables.py --tables .tables [--only NAME ...]

A table is made once and kept as a file of `--tables`, a folder outside the repository's history; those that are there
are not made again. Tasks of people (census, NHANES), and traits on simulated genomes. Every run of people draws its
training rows anew; on genomes the first of one order train, of two orders.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before NumPy: sums must not depend on the threads

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from gblup import Scores, Split, r2_error
from genomes import POPULATIONS, simulate, traits
from people import Learner, Person, fitted, load, normalised

from app.planner.arrays import FloatArray, IntArray

HERE = Path(__file__).parent
SPLITS, RUNS, LARGEST, LEAST, LEAST_IN_ALL = 2, 100, 1600, 16, 40
"""Splits of a table and compositions of each; a group's samples lie between LEAST and LARGEST or are none."""
ABSENT = 0.07
"""Chance that a composition lacks a group."""
TESTED = 4000
TOO_SMALL = 150
"""Runs on fewer samples in all are left out where tables are read: they blow up and would decide everything."""


@dataclass(frozen=True)
class Table:
    """counts, losses, stderrs [runs, k], of groups `keys`; split [runs]. Losses are 1 for a constant predictor;
    bounded: they are 1 − R². family: tables of one are held out together."""

    name: str
    family: str
    keys: tuple[str, ...]
    bounded: bool
    counts: FloatArray
    losses: FloatArray
    stderrs: FloatArray
    split: IntArray

    def taken(self, rows: IntArray) -> "Table":
        """Those runs alone."""
        return replace(self, **{name: getattr(self, name)[rows] for name in ("counts", "losses", "stderrs", "split")})


@dataclass(frozen=True)
class People:
    """A file under --data, its groups, columns left out, and whose label: see `people.load`."""

    file: str
    keys: tuple[str, ...]
    left_out: tuple[str, ...]
    group_of: Callable[[Person], str | None] = lambda row: row["group"]
    label_of: Callable[[Person], int] = lambda row: int(row["y"])


def banded(column: str, edges: Sequence[float], row: Person) -> str | None:
    """The number of the band that a row's value lies in."""
    return str(np.searchsorted(edges, float(row[column]), side="right")) if row[column] else None


def two_rules(row: Person) -> int:
    """Labels that contradict each other: income for the white, long hours for the black."""
    return int(row["y"]) if row["group"].startswith("White") else int(float(row["hours_per_week"]) >= 45.0)


RACE_SEX = ("White_Male", "White_Female", "Black_Male", "Black_Female")
BANDS = ("0", "1", "2", "3")
WORK = ("Private", "Self-emp-not-inc", "Local-gov", "State-gov", "Self-emp-inc", "Federal-gov")
CENSUS, NHANES, YEARS = "census/adult.csv.gz", "nhanes/nhanes1.csv.gz", "survival_years"
PEOPLE = {
    "census race sex": People(CENSUS, RACE_SEX, ("race", "sex")),
    "census age": People(CENSUS, BANDS, (), partial(banded, "age", (28.0, 40.0, 55.0))),
    "census education": People(CENSUS, BANDS, (), partial(banded, "education_num", (9.0, 10.0, 13.0))),
    "census work": People(CENSUS, WORK, ("workclass",), lambda row: row["workclass"]),
    "census two rules": People(CENSUS, RACE_SEX, ("race", "sex", "hours_per_week"), label_of=two_rules),
    "nhanes race sex": People(NHANES, RACE_SEX, ("race", "sex", YEARS)),
    "nhanes age": People(NHANES, BANDS, (YEARS,), partial(banded, "age", (40.0, 55.0, 65.0))),
    "nhanes bmi": People(NHANES, BANDS, (YEARS,), partial(banded, "bmi", (22.0, 25.0, 29.0))),
}
LEARNERS: dict[str, Learner] = {"lr": "logistic regression", "hgb": "gradient boosting"}
BOOSTED = ("census race sex", "census education", "nhanes race sex", "nhanes age")
"""Tasks that are boosted too."""
GENOMES, TRAITS = (101, 102), 2
NAMES = (
    *(f"{task} lr" for task in PEOPLE),
    *(f"{task} hgb" for task in BOOSTED),
    *(f"genome {seed} {trait}" for seed in GENOMES for trait in range(TRAITS)),
)


def compositions(random: np.random.Generator, most: FloatArray, runs: int) -> FloatArray:
    """Log-uniform counts up to `most` [k], some of them 0 [runs, k]."""
    found: list[FloatArray] = []
    while len(found) < runs:
        counts = np.floor(np.exp(random.uniform(np.log(LEAST), np.log(np.maximum(most, LEAST + 1)))))
        counts = np.where(random.random(len(most)) < ABSENT, 0.0, counts)
        if counts.sum() >= LEAST_IN_ALL:
            found.append(counts)
    return np.array(found)


def of_people(data: Path, task: str, learner: str, runs: int = RUNS) -> Table:
    """The table of a task of PEOPLE."""
    asked = PEOPLE[task]
    people = load(data / asked.file, asked.keys, asked.left_out, asked.group_of, asked.label_of)
    random = np.random.default_rng(sum(map(ord, task)))
    counts, losses, stderrs = [], [], []
    for _ in range(SPLITS):
        shuffled = [random.permutation(rows) for rows in people.rows]
        cuts = [min(int(0.4 * len(rows)), TESTED) for rows in shuffled]
        market = [rows[cut:] for rows, cut in zip(shuffled, cuts, strict=True)]
        most = np.array([min(len(rows), LARGEST) for rows in market], dtype=np.float64)
        for row in compositions(random, most, runs):
            drawn = [random.choice(rows, int(n), replace=False) for rows, n in zip(market, row, strict=True)]
            train = np.concatenate(drawn)
            chance = fitted(LEARNERS[learner], people.x[train], people.y[train])
            tested = [rows[:cut] for rows, cut in zip(shuffled, cuts, strict=True)]
            scores = np.array([normalised(chance(people.x[rows]), people.y[rows]) for rows in tested])
            counts.append(row)
            losses.append(scores[:, 0])
            stderrs.append(scores[:, 1])
    split = np.repeat(np.arange(SPLITS), runs)
    parts = np.array(counts), np.array(losses), np.array(stderrs)
    return Table(f"{task} {learner}", task.split(maxsplit=1)[0], asked.keys, False, *parts, split)


def of_genome(seed: int, runs: int = RUNS) -> list[Table]:
    """The tables of a genome's traits."""
    share, people, trained = 2.0 / 3.0, Split(700, 100, 800), np.full(len(POPULATIONS), 700.0)
    made = simulate(sum((people.training, people.validation, people.test)), 5e6, 2_500, seed)
    found = traits(made, TRAITS, 1_000, share, seed)
    random = np.random.default_rng(seed)
    counts, accuracy = [], []
    for one in Scores.of(made, found, people, share, seed, SPLITS):
        for row in compositions(random, trained, runs):
            counts.append(row)
            accuracy.append(one.accuracy(row)[1])
        one.known.clear()
    reached, split = np.array(accuracy), np.repeat(np.arange(SPLITS), runs)
    return [
        Table(
            f"genome {seed} {trait}",
            "genome",
            POPULATIONS,
            True,
            np.array(counts),
            1.0 - reached[:, :, trait],
            r2_error(reached[:, :, trait], people.test),
            split,
        )
        for trait in range(TRAITS)
    ]


def write(folder: Path, table: Table) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{table.name}.npz", **vars(table))


def read(folder: Path, name: str) -> Table:
    """A table without its smallest runs. Raises FileNotFoundError where it has not been made."""
    with np.load(folder / f"{name}.npz") as file:
        kept = {key: file[key] for key in file.files}
    keys, bounded = tuple(str(key) for key in kept.pop("keys")), bool(kept.pop("bounded"))
    table = Table(str(kept.pop("name")), str(kept.pop("family")), keys, bounded, **kept)
    return table.taken(np.flatnonzero(table.counts.sum(axis=1) >= TOO_SMALL))


def made(data: Path, name: str) -> list[Table]:
    """The table of that name, and those that come with it."""
    *task, last = name.split()
    return of_genome(int(task[1])) if task[0] == "genome" else [of_people(data, " ".join(task), last)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="folder of census/, nhanes/"
    )
    parser.add_argument("--tables", type=Path, default=HERE.parent / ".tables", help="folder of the tables")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME", help=", ".join(NAMES))
    given = parser.parse_args()
    for name in given.only:
        if (given.tables / f"{name}.npz").exists():
            continue
        began = time.process_time()
        for table in made(given.data, name):
            write(given.tables, table)
            print(f"{table.name}: {table.counts.shape}, {time.process_time() - began:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
