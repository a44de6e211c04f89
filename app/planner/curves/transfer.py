"""How other groups' counts enter a group's curve (method.md 3, "Transfer").

    n_eff,g = n_g + Σ_{h≠g} gain(w_gh, n_h, κ_g),    gain = w n / (1 + n/κ) for w ≥ 0,  w n for w < 0:

concave and nondecreasing in the counts where w ≥ 0, linear where others harm (saturating harm would not be concave).

One model trained on all groups also fits a group the worse, the more of the mixture is unlike it. Its loss is then its
curve at n_eff plus the conflict d ≥ 0, in loss units, times the square of the misfit M, the share that is unlike it:

    M_g(n) = S_g / N,    S_g = Σ_{h≠g} max(0, 1 − w_gh) n_h,    N = Σ_h n_h  (own samples included).

With the others' counts held, d M² falls with the own count and is convex in it, down to 0. In all counts together it is
not convex; but with a total N between A and T

    d M² ≥ d S² / (N (A + T) − A T),    equal where N = A or N = T,

as N² − N (A + T) + A T = (N − A)(N − T) ≤ 0; a square over what is linear is convex, and no convex function lies
between the two (`within`). Plans are bounded by it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.planner.arrays import FloatArray, IntArray


def gain(weights: FloatArray, counts: FloatArray, kappa: FloatArray) -> FloatArray:
    """What counts of other groups are worth in own samples, elementwise; κ = inf: no saturation."""
    return weights * np.where(weights >= 0.0, counts / (1.0 + counts / kappa), counts)


def gain_slope(weights: FloatArray, counts: FloatArray, kappa: FloatArray) -> FloatArray:
    """d gain / d count, elementwise."""
    return weights * np.where(weights >= 0.0, (1.0 + counts / kappa) ** -2, 1.0)


@dataclass(frozen=True)
class Received:
    """The transfer weight from the group `source`, over the posterior."""

    source: str
    mean: float
    p05: float
    p95: float


@dataclass(frozen=True)
class Transfer:
    """Draws of what the data of all k groups of a fit does to `groups` of them.

    weights w [groups, k, draws], own columns 0. kappa κ, conflict d [groups, draws]; d = 0: none. held [k]: the counts
    the head start and the misfit are for. own [groups]: where these groups stand among the k.
    off [groups]: posterior mass on no transfer into the group. received: per group its weights; empty where it is off.
    within: where given, the least and the largest total N; d M² then counts as the highest convex function of S
    and N that is nowhere above it between them.
    """

    weights: FloatArray
    kappa: FloatArray
    conflict: FloatArray
    held: FloatArray
    own: IntArray
    off: FloatArray
    received: tuple[tuple[Received, ...], ...]
    within: tuple[float, float] | None = None

    @classmethod
    def of_fit(
        cls,
        weights: FloatArray,
        kappa: FloatArray,
        held: FloatArray,
        off: FloatArray,
        received: tuple[tuple[Received, ...], ...],
        conflict: FloatArray | None = None,
    ) -> "Transfer":
        """Into all groups of a fit; conflict None: none."""
        conflict = np.zeros_like(kappa) if conflict is None else conflict
        return cls(weights, kappa, conflict, held, np.arange(len(held)), off, received)

    @cached_property
    def moves(self) -> bool:
        """Whether the others' data moves any curve."""
        return self.clashes or bool(np.any(self.weights != 0.0))

    @cached_property
    def clashes(self) -> bool:
        """Whether misfit adds to any loss."""
        return bool(np.any(self.conflict != 0.0))

    @cached_property
    def head_start(self) -> FloatArray:
        """Σ_h gain(w_gh, held_h, κ_g) [groups, draws]."""
        return np.asarray(self._gained(slice(None), self.held).sum(axis=1))

    @property
    def gains(self) -> FloatArray:
        """What each group's held count is worth to each [groups, k, draws]."""
        return self._gained(slice(None), self.held)

    @cached_property
    def helps(self) -> bool:
        """Whether no weight is below 0."""
        return bool(self.weights.min(initial=0.0) >= 0.0)

    def _gained(self, columns: IntArray | slice, counts: FloatArray) -> FloatArray:
        """What counts of the groups at `columns` are worth to each [groups, columns, draws]."""
        weights, kappa, n = self.weights[:, columns], self.kappa[:, None, :], counts[:, None]
        if not self.helps:
            return gain(weights, n, kappa)
        # `gain` where nothing harms, in as little memory: plans ask for it most.
        found = n / kappa
        found += 1.0
        np.divide(n, found, out=found)
        found *= weights
        return found

    @property
    def gain_slopes(self) -> FloatArray:
        """d n_eff,g / d n_h at the held counts [groups, k, draws]."""
        if not self.helps:
            return gain_slope(self.weights, self.held[:, None], self.kappa[:, None, :])
        found = self.held[:, None] / self.kappa[:, None, :]
        found += 1.0
        np.square(found, out=found)
        return np.asarray(np.divide(self.weights, found, out=found))

    @cached_property
    def unlike(self) -> FloatArray:
        """max(0, 1 − w_gh) [groups, k, draws], own columns 0."""
        found = 1.0 - np.minimum(self.weights, 1.0)
        found[np.arange(len(self.own)), self.own] = 0.0
        return found

    @cached_property
    def apart(self) -> FloatArray:
        """S at the held counts [groups, draws]."""
        return np.asarray(np.matmul(self.held, self.unlike))

    @cached_property
    def others(self) -> FloatArray:
        """Σ_{h≠g} of the held counts [groups]."""
        return np.asarray(np.maximum(self.held.sum() - self.held[self.own], 0.0))

    def misfit(self, counts: FloatArray) -> FloatArray:
        """M at own counts: [groups] → [groups, draws], [groups, sizes] → [groups, sizes, draws]; 0 without samples."""
        return self._share(np.asarray(counts)[..., None])[0]

    def harm(self, counts: FloatArray) -> FloatArray:
        """d M² in loss units; shapes as `misfit`."""
        return self.harm_and_slope(np.asarray(counts)[..., None])[0]

    def harm_slope(self, counts: FloatArray) -> FloatArray:
        """d harm / d own count ≤ 0; shapes as `misfit`."""
        return self.harm_and_slope(np.asarray(counts)[..., None])[1]

    def harm_and_slope(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both at own counts [groups, (sizes,) 1, or draws: to each its own]."""
        conflict = _like(counts, self.conflict)
        if self.within is None:
            share, total = self._share(counts)
            harm = conflict * share**2
            return harm, -2.0 * harm / total
        apart, over = _like(counts, self.apart), self._over(counts)
        harm = conflict * apart**2 / over
        return harm, -harm * sum(self.within) / over

    def _share(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """M and N at own counts with an axis for the draws; N is inf where there are no samples: nothing is a share."""
        total = np.asarray(counts + _like(counts, self.others[:, None]), dtype=np.float64)
        total = np.where(total > 0.0, total, np.inf)
        return _like(total, self.apart) / total, total

    def _over(self, counts: FloatArray) -> FloatArray:
        """N (A + T) − A T at own counts with an axis for the draws; inf where it is 0 or less, far below all totals."""
        least, most = self.within or (0.0, 0.0)
        over = (counts + _like(counts, self.others[:, None])) * (least + most) - least * most
        return np.where(over > 0.0, over, np.inf)

    def harm_slopes(self, counts: FloatArray) -> FloatArray:
        """d harm_g / d n_h at own counts [groups], the others as held [groups, k, draws]; own columns 0."""
        each, all_ = self._harm_parts(counts)
        found = self.unlike * each[:, None, :]
        found -= all_[:, None, :]
        found[np.arange(len(self.own)), self.own] = 0.0
        return found

    def mean_harm_slope(self, counts: FloatArray, shares: FloatArray) -> FloatArray:
        """Σ over draws of `shares` [groups, draws] times `harm_slopes` [groups, k]."""
        each, all_ = self._harm_parts(counts)
        found = np.matmul(self.unlike, (shares * each)[:, :, None])[:, :, 0] - (shares * all_).sum(axis=1)[:, None]
        found[np.arange(len(self.own)), self.own] = 0.0
        return np.asarray(found)

    def mean_gain_slope(self, shares: FloatArray) -> FloatArray:
        """Σ over draws of `shares` [groups, draws] times `gain_slopes` [groups, k]."""
        return np.asarray(np.matmul(self.gain_slopes, shares[:, :, None])[:, :, 0])

    def _harm_parts(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What a sample of another group adds to the harm [groups, draws]: per unit that it is unlike, less what every
        sample takes from it."""
        if self.within is None:
            misfit, total = self._share(counts[:, None])
            each = 2.0 * self.conflict * misfit / total
            return each, each * misfit
        over = self._over(counts[:, None])
        each = 2.0 * self.conflict * self.apart / over
        return each, each * self.apart * (0.5 * sum(self.within)) / over

    def least_for_misfit(self, square: FloatArray) -> FloatArray:
        """Least own counts ≥ 0 with M² ≤ `square` ≥ 0 [groups, draws], inf where there is none."""
        with np.errstate(divide="ignore"):
            wanted = np.divide(self.apart, np.sqrt(square), out=np.zeros_like(self.apart), where=self.apart > 0.0)
        return np.asarray(np.maximum(wanted - self.others[:, None], 0.0))

    def moved(self, held: FloatArray) -> "Transfer":
        """The same weights with the counts `held` [k]."""
        return self._with(np.asarray(held, dtype=np.float64), {})

    def shifted(self, held: FloatArray) -> "Transfer":
        """`moved`, but for rounding, from what is known at the counts here: quick where few of them change."""
        changed = np.flatnonzero(held != self.held)
        if 2 * len(changed) >= len(held):
            return self.moved(held)
        before, after = self.held[changed], held[changed]
        known = {
            "head_start": self.head_start + (self._gained(changed, after) - self._gained(changed, before)).sum(axis=1)
        }
        if self.clashes:
            known["apart"] = self.apart + np.matmul(after - before, self.unlike[:, changed])
        return self._with(held, known)

    def _with(self, held: FloatArray, known: Mapping[str, FloatArray]) -> "Transfer":
        """With other counts, and what is known there; what does not hang on counts need not be worked out again."""
        found = replace(self, held=held)
        vars(found).update(known, clashes=self.clashes, helps=self.helps)
        if self.clashes:
            vars(found).update(unlike=self.unlike)
        return found

    def select(self, indices: IntArray) -> "Transfer":
        """Into the groups at `indices` alone, from all k as before."""
        received = tuple(self.received[int(i)] for i in indices)
        arrays = (self.weights[indices], self.kappa[indices], self.conflict[indices])
        return Transfer(*arrays, self.held, self.own[indices], self.off[indices], received, self.within)

    def permuted(self, order: IntArray) -> "Transfer":
        """Of a fit of all groups, with the groups in another order."""
        weights, held = self.weights[np.ix_(order, order)], self.held[order]
        return replace(self.select(order), weights=weights, held=held, own=np.arange(len(order)))

    def mapped(self, pick: Callable[[FloatArray], FloatArray]) -> "Transfer":
        """With `pick` [..., draws] → [..., other draws] of every number that is drawn."""
        weights, kappa, conflict = pick(self.weights), pick(self.kappa), pick(self.conflict)
        return replace(self, weights=weights, kappa=kappa, conflict=conflict)

    def without(self, indices: IntArray) -> "Transfer":
        """The groups at `indices` moved by none; they move others as before."""
        weights, kappa, conflict, off = (x.copy() for x in (self.weights, self.kappa, self.conflict, self.off))
        weights[indices], kappa[indices], conflict[indices], off[indices] = 0.0, np.inf, 0.0, 1.0
        dropped = set(indices.tolist())
        received = tuple(() if at in dropped else one for at, one in enumerate(self.received))
        return replace(self, weights=weights, kappa=kappa, conflict=conflict, off=off, received=received)

    @property
    def nbytes(self) -> int:
        """Bytes that its arrays take."""
        return sum(array.nbytes for array in (self.weights, self.kappa, self.conflict, self.held, self.off))


def _like(counts: FloatArray, values: FloatArray) -> FloatArray:
    """[groups, draws] made to broadcast with counts [groups, (sizes,) draws]."""
    return values if counts.ndim == 2 else values[:, None, :]
