"""A real task with groups: models trained on the first so many rows of every group's market, and judged on others."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from buyer import ACCURACY, MetricKind, Terms
from people import fitted
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from app.planner.arrays import FloatArray, IntArray
from app.planner.utility import Metric

Predict = Callable[[IntArray, IntArray], FloatArray]
"""Rows to train on, rows asked → predictions of these."""
Judge = Callable[[FloatArray, IntArray], tuple[float, float]]
"""Predictions, their rows → the metric and its standard error, nan where the number of rows says it."""


@dataclass(frozen=True)
class Offer:
    """By group: counts at the start, prices, rows that validate and rows that test; the money of all rounds."""

    keys: tuple[str, ...]
    start: tuple[int, ...]
    price: tuple[float, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    budget: float


@dataclass(frozen=True)
class Scored:
    """A model by group: the metric on validation rows with what its error is made of, and on test rows [groups]."""

    values: FloatArray
    errors: tuple[dict[str, float], ...]
    truth: FloatArray


@dataclass
class Task:
    """One split of a task's rows. The market's rows of a group are bought in their order; own_models: every group has
    a model of its own."""

    name: str
    offer: Offer
    terms: Terms
    market: tuple[IntArray, ...]
    validation: tuple[IntArray, ...]
    test: tuple[IntArray, ...]
    predict: Predict
    judge: Judge
    own_models: bool = False
    known: dict[object, list[tuple[float, float, float]]] = field(default_factory=dict)

    @property
    def start(self) -> FloatArray:
        return np.array(self.offer.start, dtype=np.float64)

    def scored(self, counts: FloatArray) -> Scored:
        """Trained on the first `counts` rows of every market."""
        sizes = [max(1, int(min(count, len(rows)))) for count, rows in zip(counts, self.market, strict=True)]
        if self.own_models:
            found = [self._judged([g], {g: size})[0] for g, size in enumerate(sizes)]
        else:
            found = self._judged(range(len(sizes)), dict(enumerate(sizes)))
        values, stderrs, truth = (np.array(column) for column in zip(*found, strict=True))
        errors = tuple(
            {"eval_size": len(rows)} if np.isnan(stderr) else {"stderr": float(stderr)}
            for rows, stderr in zip(self.validation, stderrs, strict=True)
        )
        return Scored(values, errors, truth)

    def _judged(self, groups: Sequence[int], sizes: dict[int, int]) -> list[tuple[float, float, float]]:
        """Value, its standard error and the truth of each group, by one model trained on `sizes` rows by group."""
        key = tuple(sizes.items())
        if key not in self.known:
            rows = np.concatenate([self.market[g][:size] for g, size in sizes.items()])
            asked = [part for g in groups for part in (self.validation[g], self.test[g])]
            ends = np.cumsum([len(part) for part in asked])[:-1]
            told = np.split(self.predict(rows, np.concatenate(asked)), ends)
            judged = [self.judge(one, part) for one, part in zip(told, asked, strict=True)]
            self.known[key] = [(*seen, true[0]) for seen, true in zip(judged[::2], judged[1::2], strict=True)]
        return self.known[key]


def split(
    name: str,
    offer: Offer,
    rows: Sequence[IntArray],
    seed: int,
    predict: Predict,
    judge: Judge,
    *,
    metric: Metric = ACCURACY,
    metric_kind: MetricKind = "proportion",
    reference: FloatArray | None = None,
    own_models: bool = False,
) -> Task:
    """The task with its rows [rows of a group] dealt out at random."""
    random = np.random.default_rng(seed)
    shuffled = [random.permutation(part) for part in rows]
    cut = list(zip(shuffled, offer.validation, np.add(offer.validation, offer.test).tolist(), strict=True))
    market = tuple(part[end:] for part, _, end in cut)
    room = np.array([float(len(part)) for part in market])
    return Task(
        name,
        offer,
        Terms(offer.keys, np.array(offer.price), room, metric, metric_kind, reference),
        market,
        tuple(part[:first] for part, first, _ in cut),
        tuple(part[first:end] for part, first, end in cut),
        predict,
        judge,
        own_models,
    )


def accuracy(labels: IntArray) -> Judge:
    return lambda told, rows: (float((told == labels[rows]).mean()), np.nan)


def nearest(x: FloatArray, labels: FloatArray, neighbours: int) -> Predict:
    """The mean label of the nearest rows."""

    def predict(rows: IntArray, asked: IntArray) -> FloatArray:
        near = min(neighbours, len(rows))
        _, found = cKDTree(x[rows]).query(x[asked], k=np.arange(1, near + 1))
        return np.asarray(labels[rows][found].mean(axis=1))

    return predict


def likelier(x: FloatArray, y: IntArray) -> Predict:
    """The likelier of two classes by logistic regression."""
    return lambda rows, asked: np.asarray(fitted("logistic regression", x[rows], y[rows])(x[asked]) > 0.5)


def naive_bayes(x: csr_matrix, y: IntArray, *, learns_shares: bool) -> Predict:
    """Multinomial naive Bayes with .1 added to every count; the classes' shares are learnt, or taken as equal."""
    classes = int(y.max()) + 1

    def predict(rows: IntArray, asked: IntArray) -> FloatArray:
        of_class = csr_matrix((np.ones(len(rows)), (y[rows], np.arange(len(rows)))), shape=(classes, len(rows)))
        counts = np.asarray((of_class @ x[rows]).todense()) + 0.1
        weights = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
        seen = np.bincount(y[rows], minlength=classes) + 0.5
        shares = np.log(seen / seen.sum()) if learns_shares else 0.0
        return np.asarray((x[asked] @ weights.T + shares).argmax(axis=1))

    return predict


FEATURES = 2**13
"""Character n-grams share so many columns, by their checksum."""


def grams(strings: Iterable[str]) -> csr_matrix:
    """Counts of the strings' n-grams of one to three characters [strings, FEATURES]."""
    ends, columns = [0], []
    for string in strings:
        text = f"^{string.lower()}$"
        for n in (1, 2, 3):
            columns += [_column(text[at : at + n]) for at in range(len(text) - n + 1)]
        ends.append(len(columns))
    return csr_matrix((np.ones(len(columns)), np.array(columns), np.array(ends)), shape=(len(ends) - 1, FEATURES))


@cache
def _column(gram: str) -> int:
    return zlib.crc32(gram.encode()) % FEATURES
