"""Questions put to learning curves of LCDB 1.1: points up to a share of the final size, the error at the final size.

Each point of the database averages 25 splits of its own, so every point is given its own holdout.
"""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Observations, Points

ODD_LEARNERS = ("TabNet", "QDA")
"""Their curves rise and peak; the tables are given with and without them."""

SINGLE_SPLIT = 5.0
"""The database's standard errors are those of means over 25 splits; one split's is this many times as large."""


@dataclass(frozen=True)
class Curve:
    """One learner's validation error on one data set."""

    dataset: int
    learner: str
    counts: FloatArray
    errors: FloatArray
    stderrs: FloatArray

    @property
    def odd(self) -> bool:
        return any(name in self.learner for name in ODD_LEARNERS)


def load(path: Path) -> list[Curve]:
    """The curves of a file with one JSON object per line."""
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Curve(
            row["dataset"],
            row["learner"],
            *(np.array(row[name], dtype=np.float64) for name in ("n", "error", "stderr")),
        )
        for row in rows
    ]


def folds(curves: list[Curve], number: int, seed: int = 0) -> IntArray:
    """The fold of each curve; all curves of one data set are in the same."""
    datasets, of_curve = np.unique([curve.dataset for curve in curves], return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(datasets)) % number)[of_curve]


@dataclass(frozen=True)
class Question:
    """Points to fit and the size, error and standard error asked for; `curve` numbers its curve."""

    curve: int
    points: Points
    target: float
    truth: float
    stderr: float


def doubling(curve: Curve, last: float, number: int = 5) -> IntArray | None:
    """Anchors nearest to `number` sizes a factor 2 apart ending at `last`; None where the curve has not got them."""
    wanted = last / 2.0 ** np.arange(number - 1, -1, -1)
    if wanted[0] < curve.counts[0] / 1.05:
        return None
    distance = np.abs(np.log(curve.counts[None, :] / wanted[:, None]))
    return np.argmin(distance, axis=1) if distance.min(axis=1).max() < 0.06 else None


def dense(curve: Curve, last: float) -> IntArray | None:
    """All anchors up to `last`; None where they are fewer than ten."""
    upto = np.flatnonzero(curve.counts <= last * 1.01)
    return upto if len(upto) >= 10 else None


def question(
    number: int, curve: Curve, chosen: IntArray, target: int, rng: np.random.Generator | None = None
) -> Question:
    """The question of the error at anchor `target`, given the chosen anchors; with `rng`, as of single splits."""
    errors, stderrs = curve.errors[chosen], curve.stderrs[chosen]
    if rng is not None:
        stderrs = SINGLE_SPLIT * stderrs
        errors = np.clip(errors + stderrs * rng.normal(size=len(errors)), 0.0, 1.0)
    points = Points(curve.counts[chosen], errors, stderrs, np.arange(len(chosen)))
    return Question(
        number, points, float(curve.counts[target]), float(curve.errors[target]), float(curve.stderrs[target])
    )


def questions(curves: list[Curve], share: int, kind: str, seed: int = 0) -> list[Question]:
    """The final error from points up to final size / `share`; kind: 'five', 'single' (split) or 'dense'."""
    found = []
    for number, curve in enumerate(curves):
        last = curve.counts[-1] / share
        chosen = dense(curve, last) if kind == "dense" else doubling(curve, last)
        if chosen is not None:
            rng = np.random.default_rng([seed, number, share]) if kind == "single" else None
            found.append(question(number, curve, chosen, -1, rng))
    return found


def observations(asked: list[Question]) -> Observations:
    """All questions' points as groups of one project."""
    keys = tuple(str(number) for number in range(len(asked)))
    points = tuple(one.points for one in asked)
    held = np.array([one.points.counts[-1] for one in asked])
    return Observations(keys, points, (None,) * len(keys), held, 1.0)
