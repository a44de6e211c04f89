"""Posterior draws of every group's learning curve, and what can be asked of them (planner.md 1 and 2).

One draw of one group is the curve

    f(n) = a + A · ((n + d) / m)^(−c),     n ≥ knot,

a the asymptote, A ≥ 0 the excess over it at the anchor n = m − d, c > 0 the exponent, d ≥ 0 the offset in
samples. Below the knot the curve continues by its tangent there. Anchoring at a measured size keeps A of the
order of the losses whatever c and n; a stated curve has m = 1, so that its numbers enter as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.warnings import Warning


def _in_order(warnings: Sequence[Warning], keys: tuple[str, ...]) -> tuple[Warning, ...]:
    """The warnings about the groups of `keys` and about none, in their order."""
    place: dict[str | None, int] = {None: -1, **{key: g for g, key in enumerate(keys)}}
    mine = [warning for warning in warnings if warning.group in place]
    return tuple(sorted(mine, key=lambda warning: place[warning.group]))


_ARRAYS = ("asymptote", "excess", "anchor", "exponent", "offset", "knot", "reference", "discrepancy")
"""The posterior's fields that are arrays over the groups."""


@dataclass(frozen=True)
class Diagnostics:
    """How much a group's curve rests on."""

    points: int
    distinct_sizes: int
    largest_count: float
    holdouts: int


@dataclass(frozen=True)
class Posterior:
    """Draws of the curves; arrays [groups, draws] in the order of `keys` unless said otherwise.

    asymptote a, excess A, anchor m, exponent c, offset d, knot: see the head of the module.
    reference [groups]: n_ref, the largest measured count (at least 1), beyond which the discrepancy grows.
    discrepancy: κ_f ȳ z, by how much the truth leaves the curve at 2 n_ref.
    residuals: per group, the standardised residual of each of its points, in the points' order.
    """

    keys: tuple[str, ...]
    asymptote: FloatArray
    excess: FloatArray
    anchor: FloatArray
    exponent: FloatArray
    offset: FloatArray
    knot: FloatArray
    reference: FloatArray
    discrepancy: FloatArray
    diagnostics: tuple[Diagnostics, ...]
    residuals: tuple[FloatArray, ...]
    warnings: tuple[Warning, ...]

    @property
    def draws(self) -> int:
        """Number of draws per group."""
        return int(self.asymptote.shape[1])

    def loss(self, counts: FloatArray) -> FloatArray:
        """f at `counts` ≥ 0: [groups] → [groups, draws], [groups, sizes] → [groups, sizes, draws]."""
        n = np.asarray(counts, dtype=np.float64)[..., None]
        knot = self._like(n, self.knot)
        inside = np.maximum(n, knot)
        value = self._like(n, self.asymptote) + self._excess(inside)
        if np.all(n >= knot):
            return value
        return np.where(n < knot, value + self._slope(inside) * (n - knot), value)

    def slope(self, counts: FloatArray) -> FloatArray:
        """d f / d n ≤ 0 in loss per sample; shapes as `loss`."""
        n = np.asarray(counts, dtype=np.float64)[..., None]
        return self._slope(np.maximum(n, self._like(n, self.knot)))

    def band(self, counts: FloatArray) -> FloatArray:
        """Predictive loss ≥ 0: f plus the discrepancy beyond n_ref (planner.md 2); shapes as `loss`."""
        n = np.asarray(counts, dtype=np.float64)[..., None]
        doublings = np.log2(np.maximum(n / self._like(n, self.reference[:, None]), 1.0))
        return np.maximum(self.loss(counts) + np.sqrt(doublings) * self._like(n, self.discrepancy), 0.0)

    def inverse(self, loss: FloatArray) -> FloatArray:
        """Least count ≥ 0 with f(count) ≤ loss: [groups] → [groups, draws], inf where f never gets there."""
        target = np.asarray(loss, dtype=np.float64)[:, None]
        at_knot = self.asymptote + self._excess(self.knot)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = (target - self.asymptote) / self.excess
            inside = self.anchor * np.maximum(ratio, 0.0) ** (-1.0 / self.exponent) - self.offset
            below = self.knot + (target - at_knot) / self._slope(self.knot)
        below = np.nan_to_num(below, nan=0.0, neginf=0.0)
        # A flat curve is met everywhere or nowhere: what 0/0 gave above is replaced here.
        count = np.where(target < at_knot, np.where(target > self.asymptote, inside, np.inf), below)
        flat = self.excess == 0.0
        return np.where(flat, np.where(target >= self.asymptote, 0.0, np.inf), np.maximum(count, 0.0))

    def select(self, indices: IntArray) -> "Posterior":
        """The same draws for the groups at `indices` alone, in that order."""
        picked = [int(i) for i in indices]
        keys = tuple(self.keys[i] for i in picked)
        return Posterior(
            keys=keys,
            asymptote=self.asymptote[picked],
            excess=self.excess[picked],
            anchor=self.anchor[picked],
            exponent=self.exponent[picked],
            offset=self.offset[picked],
            knot=self.knot[picked],
            reference=self.reference[picked],
            discrepancy=self.discrepancy[picked],
            diagnostics=tuple(self.diagnostics[i] for i in picked),
            residuals=tuple(self.residuals[i] for i in picked),
            warnings=_in_order(self.warnings, keys),
        )

    @staticmethod
    def joined(parts: Sequence["Posterior"], order: IntArray) -> "Posterior":
        """The groups of all `parts` one after the other, then put in `order` (indices into that row)."""

        def stacked(name: str) -> FloatArray:
            return np.concatenate([getattr(part, name) for part in parts])[order]

        def listed(name: str) -> tuple[Any, ...]:
            row = [item for part in parts for item in getattr(part, name)]
            return tuple(row[i] for i in order)

        keys = listed("keys")
        return Posterior(
            keys=keys,
            **{name: stacked(name) for name in _ARRAYS},
            diagnostics=listed("diagnostics"),
            residuals=listed("residuals"),
            warnings=_in_order([warning for part in parts for warning in part.warnings], keys),
        )

    def replaced(self, indices: IntArray, part: "Posterior") -> "Posterior":
        """These groups with those at `indices` taken from `part`, in its order."""
        changed = set(part.keys)
        kept = replace(self, warnings=tuple(w for w in self.warnings if w.group not in changed))
        order = np.arange(len(self.keys))
        order[indices] = len(self.keys) + np.arange(len(part.keys))
        return Posterior.joined((kept, part), order)

    def parameters(self) -> dict[str, FloatArray]:
        """Classical symbols, loss = asymptote + scale · (n + offset)^(−exponent), each [groups, draws]."""
        return {
            "asymptote": self.asymptote,
            "scale": self.excess * self.anchor**self.exponent,
            "exponent": self.exponent,
            "offset": self.offset,
        }

    def _excess(self, n: FloatArray) -> FloatArray:
        base = (n + self._like(n, self.offset)) / self._like(n, self.anchor)
        return self._like(n, self.excess) * base ** -self._like(n, self.exponent)

    def _slope(self, n: FloatArray) -> FloatArray:
        steepness = self._like(n, self.exponent) / (n + self._like(n, self.offset))
        return -steepness * self._excess(n)

    @staticmethod
    def _like(n: FloatArray, values: FloatArray) -> FloatArray:
        """[groups, draws] made to broadcast with n [groups, (sizes,) draws]."""
        return values if n.ndim == 2 else values[:, None, :]
