"""Census and NHANES people as worlds of the collection game: a real learner on rows that are held, losses on others.

The loss is the mean log loss over the entropy of the group's base rate in its test rows: 1 is a constant predictor's.
"""

import csv
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.posterior import Posterior
from app.planner.simulation.worlds import Measured

Learner = Literal["logistic regression", "gradient boosting"]
Person = dict[str, str]
"""A row of a file, by column."""
LEAST = 0.02
"""Predicted chances stay this far from 0 and 1, so that no single row decides a loss."""


@dataclass(frozen=True)
class Table:
    """Rows of people. x [rows, columns], y [rows] of 0 and 1; rows of each group by its key, in the order of `keys`."""

    keys: tuple[str, ...]
    x: FloatArray
    y: IntArray
    rows: tuple[IntArray, ...]


def load(
    path: Path,
    keys: Sequence[str],
    left_out: Sequence[str] = (),
    group_of: Callable[[Person], str | None] = lambda row: row["group"],
    label_of: Callable[[Person], int] = lambda row: int(row["y"]),
) -> Table:
    """The rows of the groups `keys`; words become one column a value, numbers are standardised. No label is used."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        people = [row for row in csv.DictReader(file) if group_of(row) in keys]
    columns = [name for name in people[0] if name not in ("y", "group", *left_out)]
    numbers = [name for name in columns if all(is_number(row[name]) for row in people)]
    words = [name for name in columns if name not in numbers]
    values = np.array([[float(row[name] or "nan") for name in numbers] for row in people])
    values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    parts = [StandardScaler().fit_transform(values)]
    if words:
        spelt = np.array([[row[name] for name in words] for row in people])
        parts.append(OneHotEncoder(sparse_output=False).fit_transform(spelt))
    group = np.array([group_of(row) for row in people])
    y = np.array([label_of(row) for row in people])
    return Table(tuple(keys), np.hstack(parts), y, tuple(np.flatnonzero(group == key) for key in keys))


def is_number(text: str) -> bool:
    try:
        float(text or "nan")
    except ValueError:
        return False
    return True


@dataclass
class People:
    """One split of a table for one learner. The market's rows of a group are bought in their order.

    market, validation, test: rows by group.
    """

    table: Table
    learner: Learner
    market: tuple[IntArray, ...]
    validation: tuple[IntArray, ...]
    test: tuple[IntArray, ...]
    known: dict[tuple[int, ...], tuple[FloatArray, FloatArray, FloatArray]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table, learner: Learner, held_out: Sequence[int], seed: int) -> "People":
        """held_out: rows of each group that validate, and as many that test."""
        random = np.random.default_rng(seed)
        shuffled = [random.permutation(rows) for rows in table.rows]
        cut = list(zip(shuffled, held_out, strict=True))
        return cls(
            table,
            learner,
            tuple(rows[2 * out :] for rows, out in cut),
            tuple(rows[:out] for rows, out in cut),
            tuple(rows[out : 2 * out] for rows, out in cut),
        )

    def scored(self, counts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Normalised losses by group of a model trained on the first `counts` rows of every market: those of validation
        rows, their standard errors, and those of test rows."""
        key = tuple(int(count) for count in counts)
        if key not in self.known:
            rows = np.concatenate([market[:count] for market, count in zip(self.market, key, strict=True)])
            predict = fitted(self.learner, self.table.x[rows], self.table.y[rows])
            seen, truth = self._losses(predict, self.validation), self._losses(predict, self.test)
            self.known[key] = seen[0], seen[1], truth[0]
        return self.known[key]

    def _losses(self, predict: Any, parts: tuple[IntArray, ...]) -> tuple[FloatArray, FloatArray]:
        found = [normalised(predict(self.table.x[rows]), self.table.y[rows]) for rows in parts]
        return np.array([loss for loss, _ in found]), np.array([stderr for _, stderr in found])


def fitted(learner: Learner, x: FloatArray, y: IntArray) -> Any:
    """A function from x to the chance of y = 1."""
    if len(np.unique(y)) < 2:
        share = (y.sum() + 0.5) / (len(y) + 1.0)
        return lambda other: np.full(len(other), share)
    if learner == "logistic regression":
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    else:
        model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, min_samples_leaf=10, random_state=0)
    model.fit(x, y)
    return lambda other: model.predict_proba(other)[:, 1]


def normalised(chance: FloatArray, y: IntArray) -> tuple[float, float]:
    """Mean log loss over the entropy of the base rate, and its standard error."""
    chance = np.clip(chance, LEAST, 1.0 - LEAST)
    losses = -np.where(y == 1, np.log(chance), np.log(1.0 - chance))
    base = (y.sum() + 0.5) / (len(y) + 1.0)
    entropy = -(base * np.log(base) + (1.0 - base) * np.log(1.0 - base))
    return float(losses.mean() / entropy), float(losses.std(ddof=1) / np.sqrt(len(y)) / entropy)


@dataclass(frozen=True)
class PeopleWorld:
    """A split and a learner as a world; nothing is drawn when it is measured."""

    people: People
    start: FloatArray

    @property
    def truth(self) -> Posterior | None:
        return None

    def losses(self, runs: FloatArray) -> FloatArray:
        return np.array([self.people.scored(counts)[2] for counts in runs])

    def measure(self, runs: FloatArray, number: int) -> Measured:
        scored = [self.people.scored(counts) for counts in runs]
        return Measured(np.array([one[0] for one in scored]), np.array([one[1] for one in scored]), 0)
