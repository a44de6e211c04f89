"""Learning curves that end on a floor set by the labels: real learners on tabular data of which much stays unexplained.

Tables: those that scikit-learn ships, the census and NHANES I (`--data`), each asked for several of its columns, and
made-up ones whose least possible error is known; some with a share of their labels turned over. A curve is the error
on one group's rows by the group's own count, all groups growing together.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lcdb
import numpy as np
import people
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.curves.observations import Points

SPLITS, LARGEST, SCORED, LEAST_ROWS = 8, 4096, 1200, 24
"""Random splits of a table, most rows to train on and to score on, and the fewest trained on."""

DOUBLINGS = 9
"""Most sizes of a curve, each twice the one before."""

FIRST = 1_000_000
"""The number of the first table, beyond those of LCDB's data sets."""

LEAST_HOLDOUT, LEAST_ERROR = 60, 0.05
"""Fewest rows of a question's holdout; curves that end below this error are not limited by their labels."""

SHARES = (2, 4, 8)

EACH = 8
"""Questions of every curve: a fifth of all that the prior is trained on. With four times as many, LCDB's own forecasts
are up to 6 % worse, with a quarter little is learnt."""

LEARNERS: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: LogisticRegression(C=1.0, max_iter=200),
    "gradient boosting": lambda: HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, min_samples_leaf=8, random_state=0
    ),
    "nearest neighbours": lambda: KNeighborsClassifier(15),
}


@dataclass(frozen=True)
class Labelled:
    """x [rows, columns], y [rows] of 0 and 1, group [rows] from 0. source: tables of one are held out together."""

    source: str
    name: str
    x: FloatArray
    y: IntArray
    group: IntArray


@dataclass(frozen=True)
class Scored:
    """One curve as it was measured: own counts [sizes], and whether each scored row was told wrongly [splits, sizes,
    rows]."""

    table: Labelled
    learner: str
    counts: FloatArray
    wrong: BoolArray

    def curve(self, number: int) -> lcdb.Curve:
        """The mean over the splits, of data set `number`."""
        each = self.wrong.mean(axis=2)
        stderrs = np.maximum(each.std(axis=0, ddof=1) / np.sqrt(len(each)), 1e-3)
        return lcdb.Curve(number, f"{self.learner}, {self.table.name}", self.counts, each.mean(axis=0), stderrs)


def tables(data: Path, seed: int = 0) -> list[Labelled]:
    """All tables to train the prior on."""
    found = [*shipped(seed), *made_up(seed)]
    for source, file, left_out in (("census", "adult", ()), ("nhanes", "nhanes1", ("survival_years",))):
        path = data / source / f"{file}.csv.gz"
        found += list(asked_columns(source, path, left_out, seed))
    return found


def shipped(seed: int) -> Iterator[Labelled]:
    """scikit-learn's tables of two classes, and with shares of their labels turned over."""
    cancer, digits, diabetes = datasets.load_breast_cancer(), datasets.load_digits(), datasets.load_diabetes()
    plain = [
        ("breast cancer", cancer.data, cancer.target),
        ("digits", digits.data, (digits.target > 4).astype(np.int64)),
        ("diabetes", diabetes.data, (diabetes.target > np.median(diabetes.target)).astype(np.int64)),
    ]
    for source, x, y in plain:
        for share in (0.0, 0.15, 0.3):
            rng = np.random.default_rng([seed, len(y), round(100 * share)])
            turned = np.where(rng.random(len(y)) < share, 1 - y, y)
            yield Labelled(source, f"{source} {share}", _standard(x), turned, np.zeros(len(y), dtype=np.int64))


def made_up(seed: int, number: int = 16) -> Iterator[Labelled]:
    """Chances by a straight or a bent rule, mixed with a coin so that no learner errs less than .2 to .42."""
    for at in range(number):
        rng = np.random.default_rng([seed, at, 7])
        columns, useful = int(np.exp(rng.uniform(np.log(4), np.log(25)))), int(rng.integers(2, 5))
        x = rng.normal(size=(9000, columns))
        rule = x[:, :useful] @ rng.normal(size=useful)
        if at % 2:
            rule = rule + x[:, 0] * x[:, 1] + np.abs(x[:, 2])
        clear = (rule > np.median(rule)).astype(np.int64)
        floor = rng.uniform(0.2, 0.42)
        y = np.where(rng.random(len(clear)) < floor, 1 - clear, clear)
        yield Labelled(f"made up {at}", f"floor {floor:.2f}", x, y, np.zeros(len(y), dtype=np.int64))


def asked_columns(source: str, path: Path, left_out: tuple[str, ...], seed: int, number: int = 8) -> Iterator[Labelled]:
    """The table's own label, and whether one of its other columns lies above its median, by the rest."""
    keys = [f"{race}_{sex}" for race in ("White", "Black") for sex in ("Male", "Female")]
    table = people.load(path, keys, left_out)
    group = np.full(len(table.y), -1)
    for code, rows in enumerate(table.rows):
        group[rows] = code
    rng = np.random.default_rng([seed, len(table.y)])
    yield Labelled(source, f"{source} y", table.x, table.y, group)
    above = (table.x > np.median(table.x, axis=0)).astype(np.int64)
    balanced = np.flatnonzero(np.abs(above.mean(axis=0) - 0.5) < 0.3)
    for column in rng.permutation(balanced)[:number]:
        rest = np.delete(table.x, column, axis=1)
        # Copies of the column in other words would leave nothing to learn.
        close = np.abs(np.corrcoef(rest.T, table.x[:, column])[-1, :-1]) > 0.6
        yield Labelled(source, f"{source} column {column}", rest[:, ~close], above[:, column], group)


def _standard(x: FloatArray) -> FloatArray:
    return np.asarray((x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9))


def measured(table: Labelled, learner: str, seed: int) -> list[Scored]:
    """The table's curves, one per group."""
    out = min(SCORED, len(table.y) // 3)
    largest = min(LARGEST, len(table.y) - out)
    sizes = [int(largest / 2**j) for j in range(DOUBLINGS)][::-1]
    sizes = [size for size in sizes if size >= LEAST_ROWS]
    groups = np.unique(table.group)
    wrong = np.zeros((SPLITS, len(sizes), out), dtype=np.bool_)
    member = np.zeros((SPLITS, out), dtype=np.int64)
    counts = np.zeros((len(sizes), len(groups)))
    for split in range(SPLITS):
        order = np.random.default_rng([seed, split]).permutation(len(table.y))
        scored, market = order[:out], order[out:]
        member[split] = table.group[scored]
        for at, size in enumerate(sizes):
            rows = market[:size]
            counts[at] += np.bincount(table.group[rows], minlength=len(groups)) / SPLITS
            wrong[split, at] = told(learner, table.x[rows], table.y[rows], table.x[scored]) != table.y[scored]
    found = []
    for group in groups:
        rows = min(int((member == group).sum(axis=1).min()), out)
        own = np.stack([wrong[split][:, member[split] == group][:, :rows] for split in range(SPLITS)])
        found.append(Scored(table, learner, np.round(counts[:, group]), own))
    return [one for one in found if one.counts[0] >= 2 and one.wrong.shape[2] >= LEAST_HOLDOUT]


def told(learner: str, x: FloatArray, y: IntArray, other: FloatArray) -> IntArray:
    """The class that the learner tells of each row of `other`; the commoner one where it cannot be trained."""
    if len(np.unique(y)) < 2 or len(y) < 16:
        return np.full(len(other), int(y.mean() >= 0.5))
    return np.asarray(LEARNERS[learner]().fit(x, y).predict(other))


def curves(data: Path, seed: int = 0) -> tuple[list[Scored], IntArray]:
    """All measured curves that end above LEAST_ERROR, and the number of each one's table source."""
    every = tables(data, seed)
    sources = sorted({table.source for table in every})
    number = {source: at for at, source in enumerate(sources)}
    found = [one for table in every for learner in LEARNERS for one in measured(table, learner, seed)]
    kept = [one for one in found if one.wrong[:, -1].mean() > LEAST_ERROR]
    return kept, np.array([FIRST + number[one.table.source] for one in kept])


def question(number: int, one: Scored, rng: np.random.Generator) -> lcdb.Question | None:
    """Three to five sizes of one split on one holdout of LEAST_HOLDOUT rows or more; the mean error at a later size."""
    last = len(one.counts) - 1 - int(np.log2(rng.choice(SHARES)))
    sizes = np.arange(max(0, last - int(rng.integers(2, 5))), last + 1)
    if len(sizes) < 3:
        return None
    split, every = int(rng.integers(len(one.wrong))), one.wrong.shape[2]
    rows = rng.permutation(every)[: round(np.exp(rng.uniform(np.log(LEAST_HOLDOUT), np.log(every))))]
    losses = one.wrong[split][sizes][:, rows].mean(axis=1)
    shrunk = (losses * len(rows) + 0.5) / (len(rows) + 1)
    stderrs = np.sqrt(shrunk * (1 - shrunk) / len(rows))
    points = Points(one.counts[sizes], losses, stderrs, np.zeros(len(sizes), dtype=np.int64))
    target = int(rng.integers(last + 1, len(one.counts)))
    curve = one.curve(0)
    return lcdb.Question(number, points, *(float(v[target]) for v in (curve.counts, curve.errors, curve.stderrs)))


def questions(scored: list[Scored], first: int, seed: int, each: int = EACH) -> list[lcdb.Question]:
    """`each` questions of every curve; its number is counted from `first`."""
    found = []
    for at, one in enumerate(scored):
        for again in range(each):
            asked = question(first + at, one, np.random.default_rng([seed, at, again]))
            if asked is not None:
                found.append(asked)
    return found
