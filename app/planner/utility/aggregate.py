"""U = F(V): how the groups' values make one utility (method.md 5). F is concave, polyhedral and nondecreasing.

    utilitarian, isoelastic, targets, gap    Σ w_g V_g
    maximin                                  min V_g over the counted groups
    cvar                                     max_τ τ − (1/α) Σ w_g max(0, τ − V_g), the mean of the worst share α
    robust                                   min_k Σ w_kg V_g − V*_k       (V*_k = 0 in the worst case)

Every F is the least of some Σ q_g V_g + a, q ≥ 0: `gradient` gives the q that is least at some values.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, eye_array, hstack, vstack

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.utility.objective import Objective


@dataclass(frozen=True)
class Outer:
    """F as a linear programme: F(v) = max over z of objective · (v, z) subject to rows @ (v, z) ≤ rhs.

    objective [k + extra], rows [R, k + extra], rhs [R]; the `extra` variables z are free.
    """

    objective: FloatArray
    rows: csr_array
    rhs: FloatArray
    extra: int


@dataclass(frozen=True)
class Aggregate(ABC):
    """F. weights [groups] and each of the vectors [vectors, groups] sum to 1; counted [groups]; base V* [vectors]."""

    objective: Objective
    weights: FloatArray
    counted: BoolArray
    vectors: FloatArray
    base: FloatArray

    @abstractmethod
    def totals(self, value: FloatArray) -> FloatArray:
        """F [n] of values [groups, n]."""

    @abstractmethod
    def gradient(self, value: FloatArray) -> FloatArray:
        """A supergradient q [groups] of F at values [groups]; of several, the one of the first group or vector."""

    @abstractmethod
    def outer(self) -> Outer:
        """The rows that say F to a linear solver."""

    def total(self, value: FloatArray) -> float:
        """F of values [groups]."""
        return float(self.totals(value[:, None])[0])

    @property
    def emphasis(self) -> FloatArray:
        """What a group's value counts for at the margin [groups] where F does not choose between groups."""
        return self.weights * self.counted


class WeightedSum(Aggregate):
    """Σ w_g V_g."""

    def totals(self, value: FloatArray) -> FloatArray:
        return np.asarray((self.weights[:, None] * value).sum(axis=0))

    def total(self, value: FloatArray) -> float:
        return float((self.weights * value).sum())

    def gradient(self, value: FloatArray) -> FloatArray:
        return self.weights.astype(value.dtype)

    def outer(self) -> Outer:
        return Outer(self.weights.copy(), csr_array((0, len(self.weights))), np.zeros(0), 0)


class Least(Aggregate):
    """min V_g over the counted groups."""

    def totals(self, value: FloatArray) -> FloatArray:
        return np.asarray(value[self.counted].min(axis=0))

    def gradient(self, value: FloatArray) -> FloatArray:
        found = np.zeros_like(value)
        found[np.argmin(np.where(self.counted, value, np.inf))] = 1.0
        return found

    def outer(self) -> Outer:
        counted = np.flatnonzero(self.counted)
        below = -eye_array(len(self.weights), format="csr")[counted]
        return _epigraph(below, np.zeros(len(counted)))

    @property
    def emphasis(self) -> FloatArray:
        return self.counted.astype(np.float64)


class WorstShare(Aggregate):
    """max_τ τ − (1/α) Σ w_g max(0, τ − V_g)."""

    def totals(self, value: FloatArray) -> FloatArray:
        order, share = self._worst(value)
        return np.asarray((share * np.take_along_axis(value, order, axis=0)).sum(axis=0))

    def gradient(self, value: FloatArray) -> FloatArray:
        found = np.zeros_like(value)
        order, share = self._worst(value[:, None])
        found[order[:, 0]] = share[:, 0]
        return found

    def outer(self) -> Outer:
        """z = (τ, ξ), τ − (1/α) Σ w ξ with ξ ≥ τ − v and ξ ≥ 0."""
        k, counted = len(self.weights), np.flatnonzero(self.counted)
        picked, n = eye_array(k, format="csr")[counted], len(counted)
        slack = eye_array(n, format="csr")
        behind = hstack([-picked, csr_array(np.ones((n, 1))), -slack])
        positive = hstack([csr_array((n, k + 1)), -slack])
        objective = np.concatenate([np.zeros(k), [1.0], -self.weights[counted] / self.objective.tail])
        return Outer(objective, csr_array(vstack([behind, positive])), np.zeros(2 * n), n + 1)

    def _worst(self, value: FloatArray) -> tuple[IntArray, FloatArray]:
        """Groups from the worst up and the share of U each has, both [groups, n] for values [groups, n]."""
        order = np.asarray(np.argsort(value, axis=0, kind="stable"), dtype=np.int64)
        weights = self.weights[order]
        room = self.objective.tail - (np.cumsum(weights, axis=0) - weights)
        return order, np.clip(room, 0.0, weights) / self.objective.tail


class WorstWeights(Aggregate):
    """min_k Σ w_kg V_g − V*_k."""

    def totals(self, value: FloatArray) -> FloatArray:
        return np.asarray((self.vectors @ value - self.base[:, None]).min(axis=0))

    def gradient(self, value: FloatArray) -> FloatArray:
        return np.array(self.vectors[np.argmin(self.vectors @ value - self.base)])

    def outer(self) -> Outer:
        return _epigraph(csr_array(-self.vectors), -self.base)

    @property
    def emphasis(self) -> FloatArray:
        return self.counted.astype(np.float64)


def _epigraph(rows: csr_array, rhs: FloatArray) -> Outer:
    """The largest z with z + rows @ v ≤ rhs."""
    count, k = rows.shape
    objective = np.zeros(k + 1)
    objective[k] = 1.0
    return Outer(objective, csr_array(hstack([rows, csr_array(np.ones((count, 1)))])), rhs, 1)
