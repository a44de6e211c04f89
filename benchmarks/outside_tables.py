"""Tables on which the prior was not trained, out of the packages pydataset 0.2.0 and statsmodels 0.15.0, as tasks.

`--tables DIR` of `bench_curves.py` is a folder with the CSV files named below; none of their rows is kept here. What is
asked of people is limited by its labels: few of its causes stand in the columns. Known are four nested runs at 1/64 to
1/8 of the market scored on one holdout, asked is the error on other rows at 1/4, 1/2 and all.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rivals import RIVALS
from scores import coverage
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from app.planner.arrays import FloatArray, IntArray
from app.planner.borrowing import fit_together
from app.planner.curves import Observations, Points, Prior

MARKET, HOLDOUT, TEST, LEAST_GROUP = 6400, 300, 900, 500
"""Most rows of a table to train on, most rows of a group's holdout and of its test, the smallest group."""

KNOWN, ASKED = (64, 32, 16, 8), (4, 2, 1)
"""The market's share of each run, inverse."""

SEEDS, DRAWS = 8, 300

LEARNERS: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: LogisticRegression(C=1.0, max_iter=200),
    "gradient boosting": lambda: GradientBoostingClassifier(
        n_estimators=40, max_depth=3, subsample=0.7, random_state=0
    ),
}


@dataclass(frozen=True)
class Task:
    """file: of the CSV. label: its column, told above the threshold, or above the median. group: by whose values.
    left_out: columns that tell the label."""

    file: str
    label: str
    group: str
    above: float | None = None
    left_out: tuple[str, ...] = ()


TASKS = (
    Task("OFP", "ofp", "sex", None, ("ofnp", "opp", "opnp")),
    Task("DoctorContacts", "mdu", "sex"),
    Task("Benefits", "ui", "sex", 0.5),
    Task("rwm5yr", "docvis", "female", None, ("id", "hospvis")),
    Task("fair", "affairs", "children", 0.0),
    Task("MedExp", "med", "sex"),
)


def load(folder: Path, task: Task) -> tuple[FloatArray, IntArray, list[IntArray]]:
    """x [rows, columns] standardised, y [rows], and the rows of each group of LEAST_GROUP rows or more."""
    with (folder / f"{task.file}.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if "NA" not in row.values()]
    told = _numbers([row[task.label] for row in rows])
    y = (told > (np.median(told) if task.above is None else task.above)).astype(np.int64)
    names = [name for name in rows[0] if name not in ("", task.label, *task.left_out)]
    columns = [column for name in names for column in _columns([row[name] for row in rows])]
    x = np.column_stack(columns)
    groups = np.array([row[task.group] for row in rows])
    parts = [np.flatnonzero(groups == value) for value in np.unique(groups)]
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    return x, y, [part for part in parts if len(part) >= LEAST_GROUP]


def _numbers(words: list[str]) -> FloatArray:
    """Numbers, or 1 for the word that comes last in the alphabet and 0 for others."""
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        return np.array([float(word == max(words)) for word in words])


def _columns(words: list[str]) -> Iterator[FloatArray]:
    """A column of numbers, or one for each of few words."""
    try:
        yield np.array([float(word) for word in words])
    except ValueError:
        values = sorted(set(words))
        if len(values) <= 12:
            yield from (np.array([float(word == value) for word in words]) for value in values[1:])


@dataclass(frozen=True)
class Played:
    """One split: own counts and errors [sizes, groups] on the holdouts, true ones on the tests, the holdouts' rows."""

    counts: FloatArray
    seen: FloatArray
    truth: FloatArray
    holdout: FloatArray


def played(folder: Path, task: Task, learner: str, seed: int) -> Played:
    """Train on nested parts of one random market and score every group."""
    x, y, parts = load(folder, task)
    rng = np.random.default_rng([seed, len(y)])
    shuffled = [rng.permutation(part) for part in parts]
    held = [min(HOLDOUT, len(part) // 6) for part in parts]
    tests = [part[out : out + min(TEST, len(part) // 4)] for part, out in zip(shuffled, held, strict=True)]
    market = rng.permutation(
        np.concatenate([part[out + len(test) :] for part, out, test in zip(shuffled, held, tests, strict=True)])
    )[:MARKET]
    group = np.full(len(y), -1)
    for code, part in enumerate(parts):
        group[part] = code
    scored = np.concatenate([*(part[:out] for part, out in zip(shuffled, held, strict=True)), *tests])
    counts, seen, truth = [], [], []
    for share in (*KNOWN, *ASKED):
        rows = market[: len(market) // share]
        model = LEARNERS[learner]().fit(x[rows], y[rows])
        counts.append(np.bincount(group[rows], minlength=len(parts)))
        wrong = np.zeros(len(y), dtype=np.bool_)
        wrong[scored] = model.predict(x[scored]) != y[scored]
        seen.append([wrong[part[:out]].mean() for part, out in zip(shuffled, held, strict=True)])
        truth.append([wrong[test].mean() for test in tests])
    return Played(np.array(counts, dtype=np.float64), np.array(seen), np.array(truth), np.array(held, dtype=np.float64))


def forecasts(one: Played, prior: Prior) -> FloatArray:
    """Draws of the band at the asked sizes [asked, groups, draws]."""
    known, groups = len(KNOWN), one.seen.shape[1]
    losses = one.seen[:known]
    shrunk = (losses * one.holdout + 0.5) / (one.holdout + 1.0)
    errors = np.sqrt(shrunk * (1.0 - shrunk) / one.holdout)
    points = tuple(
        Points(one.counts[:known, g], losses[:, g], errors[:, g], np.zeros(known, dtype=np.int64))
        for g in range(groups)
    )
    keys = tuple(f"g{g}" for g in range(groups))
    runs, of = one.counts[:known], tuple(np.arange(known) for _ in range(groups))
    seen = Observations(keys, points, (None,) * groups, runs[-1], 1.0, runs=runs, run_of=of)
    posterior = fit_together(seen, prior, 0, DRAWS)
    return np.stack([posterior.band(counts) for counts in one.counts[known:]])


def row(name: str, games: list[Played], prior: Prior) -> dict[str, object]:
    """Mean absolute errors of the medians, the last value and a bounded power law; the medians' mean error by distance
    (below 0: too good); coverage of the band's intervals."""
    known = len(KNOWN)
    draws = [forecasts(one, prior) for one in games]
    medians = np.stack([np.median(one, axis=2) for one in draws], axis=1)
    truth = np.stack([one.truth[known:] for one in games], axis=1)
    last = np.stack([np.broadcast_to(one.seen[known - 1], one.truth[known:].shape) for one in games], axis=1)
    power = np.stack([_power(one) for one in games], axis=1)
    off = medians - truth
    flat = np.concatenate([one.reshape(-1, DRAWS) for one in draws])
    cover = coverage(flat, np.concatenate([one.truth[known:].ravel() for one in games]))
    return {
        "task": name,
        "n": off.size,
        "mae": float(np.abs(off).mean()),
        "last value": float(np.abs(last - truth).mean()),
        "power law": float(np.abs(power - truth).mean()),
        **{f"bias {2 * 4 // share}x": float(one.mean()) for share, one in zip(ASKED, off, strict=True)},
        "last value's bias 8x": float((last - truth)[-1].mean()),
        **dict(zip(("cover50", "cover80", "cover90"), cover, strict=True)),
    }


def _power(one: Played) -> FloatArray:
    """The bounded power law with three parameters, at the asked sizes [asked, groups]."""
    known, rival = len(KNOWN), RIVALS["power law, 3 parameters"]
    fitted = [
        [rival.predict(one.counts[:known, g], one.seen[:known, g], float(n)) for g, n in enumerate(counts)]
        for counts in one.counts[known:]
    ]
    return np.array(fitted)
