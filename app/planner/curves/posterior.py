"""Posterior draws of every group's learning curve, and what can be asked of them (method.md 1 and 2).

One draw of one group is the curve

    f(n) = a + A · ((n + d) / m)^(−c),     n ≥ knot,

a the asymptote, A ≥ 0 the excess over it at the anchor n = m − d, c > 0 the exponent, d ≥ 0 the offset in
samples. Below the knot the curve continues by its tangent there. Anchoring at a measured size keeps A of the
order of the losses whatever c and n; a stated curve has m = 1, so that its numbers enter as they are.

Where other groups' data moves this one, n is its effective count: the own count plus the head start that the counts
held of the others give it, and the misfit of a model trained on all adds d M² to f (`transfer`). What is asked stays
a question about own counts, the others' as they are; `moved` asks it with other counts held, so that with all groups
at the counts N the losses are

    posterior.moved(N).loss(N) [groups, draws],
    d loss_g / d N_h = posterior.moved(N).cross_slope(N) [groups, k, draws].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.random_streams import uniforms
from app.planner.curves.transfer import Transfer
from app.planner.wording import Warning


def _in_order(warnings: Sequence[Warning], keys: tuple[str, ...]) -> tuple[Warning, ...]:
    """The warnings about the groups of `keys` and about none, in their order."""
    place: dict[str | None, int] = {None: -1, **{key: g for g, key in enumerate(keys)}}
    mine = [warning for warning in warnings if warning.group in place]
    return tuple(sorted(mine, key=lambda warning: place[warning.group]))


DRAWN = ("asymptote", "excess", "anchor", "exponent", "offset", "knot", "discrepancy", "threshold")
"""The posterior's fields that have a number for every group and draw."""
ARRAYS = (*DRAWN, "reference", "noise")
"""Its fields that are arrays over the groups."""


INVERSE_STEPS = 100
INVERSE_ROUNDING = 1e-13
"""A step smaller than this share of the count ends the search for it."""
REMEMBERED = 2_000_000
"""So many numbers a posterior that remembers keeps at the most."""


class Diagnostics(NamedTuple):
    """How much a group's curve rests on."""

    points: int
    distinct_sizes: int
    largest_count: float
    holdouts: int


@dataclass(frozen=True)
class Errors:
    """The errors of runs that each draw of a curve goes with, in loss units.

    node [groups, draws]: numbers into sigma and kappa [groups, nodes], the sd of one run's training error and of the
    truth's departure from the curve, within the measured sizes, over one doubling.
    """

    node: NDArray[np.int8]
    sigma: FloatArray
    kappa: FloatArray

    def select(self, indices: IntArray) -> "Errors":
        """Those of the groups at `indices`."""
        return Errors(self.node[indices], self.sigma[indices], self.kappa[indices])

    @staticmethod
    def joined(parts: "Sequence[Errors]", order: IntArray) -> "Errors":
        """Those of all parts, one after the other, then in `order`."""
        return Errors(*(np.concatenate([getattr(part, name) for part in parts])[order] for name in _ERRORS))


_ERRORS = ("node", "sigma", "kappa")


@dataclass(frozen=True)
class Posterior:
    """Draws of the curves; arrays [groups, draws] in the order of `keys` unless said otherwise.

    asymptote a, excess A, anchor m, exponent c, offset d, knot: see the head of the module.
    reference [groups]: n_ref, the largest measured count (at least 1), beyond which the discrepancy grows.
    noise [groups]: σ ȳ, the posterior rms of the training error of one run.
    discrepancy: κ_f ȳ z, by how much the truth leaves the curve at 2 n_ref.
    threshold: n₀ ≥ n_ref where the curve has not started in the draw, inf if it never does, else 0: see `path`.
    residuals: per group, the standardised residual of each of its points, in the points' order.
    transfer: how the other groups' counts enter, None where none moves any; reference is an effective count then.
    errors: the runs' errors draw by draw, None where they are no part of it; noise sums them up.
    error_correlation: ρ of what different groups' curves have wrong (`common_errors`); the draws here are independent.
    remembers: whether it keeps what it worked out last, as a plan's does: its parts ask the same one after the other.
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
    threshold: FloatArray
    noise: FloatArray
    diagnostics: tuple[Diagnostics, ...]
    residuals: tuple[FloatArray, ...]
    warnings: tuple[Warning, ...]
    transfer: Transfer | None = None
    errors: Errors | None = None
    error_correlation: float = 0.0
    remembers: bool = False

    @property
    def draws(self) -> int:
        """Number of draws per group."""
        return int(self.asymptote.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes that its arrays take."""
        arrays = [getattr(self, name) for name in ARRAYS]
        if self.errors is not None:
            arrays += [getattr(self.errors, name) for name in _ERRORS]
        borrowed = 0 if self.transfer is None else self.transfer.nbytes
        return borrowed + sum(int(array.nbytes) for array in arrays)

    def loss(self, counts: FloatArray) -> FloatArray:
        """f at `counts` ≥ 0: [groups] → [groups, draws], [groups, sizes] → [groups, sizes, draws]."""
        n = self._effective(counts)
        inside = np.maximum(n, self._like(n, self.knot))
        value = self._continued(n, inside, self._known_excess(counts, inside))
        return value if self._clash is None else value + self._clash.harm(counts)

    def slope(self, counts: FloatArray) -> FloatArray:
        """d f / d n ≤ 0 in loss per sample; shapes as `loss`."""
        n = self._effective(counts)
        inside = np.maximum(n, self._like(n, self.knot))
        value = self._steepness(inside) * self._known_excess(counts, inside)
        return value if self._clash is None else value + self._clash.harm_slope(counts)

    def loss_and_slope(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both at once, to the last bit the same: the power in them is what they cost."""
        n = self._effective(counts)
        inside = np.maximum(n, self._like(n, self.knot))
        excess = self._known_excess(counts, inside)
        value, slope = self._continued(n, inside, excess), self._steepness(inside) * excess
        if self._clash is None:
            return value, slope
        return value + self._clash.harm(counts), slope + self._clash.harm_slope(counts)

    def known(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`loss_and_slope` of a posterior of one draw, without the axis of the draws: shapes as `counts`."""

        def own(values: FloatArray) -> FloatArray:
            return values[:, 0] if counts.ndim == 1 else values

        n = counts if self.transfer is None else counts + own(self.transfer.head_start)
        inside = np.maximum(n, own(self.knot))
        base = inside + own(self.offset)
        power = -own(self.exponent)
        excess = own(self.excess) * (base / own(self.anchor)) ** power
        slope = power / base * excess
        loss = own(self.asymptote) + excess
        below = n < inside
        if np.count_nonzero(below):
            loss = np.where(below, loss + slope * (n - inside), loss)
        if self._clash is None:
            return loss, slope
        return loss + self._clash.harm(counts)[..., 0], slope + self._clash.harm_slope(counts)[..., 0]

    @property
    def not_started(self) -> FloatArray:
        """Share of the draws in which a group's curve has not started [groups]."""
        return np.asarray((self.threshold > 0.0).mean(axis=1))

    def path(self, counts: FloatArray) -> FloatArray:
        """The curve of each draw as it runs; shapes as `loss`.

        In a draw that has not started that is s up to n₀ and ρ s from there on; its `loss` is the mean of this over
        n₀ (method.md 2), which falls steadily, so that what to buy can be solved for.
        """
        return self._walked(counts, self.loss(counts))

    def loss_and_path(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both at once, to the last bit the same: the power in them is what they cost."""
        loss = self.loss(counts)
        return loss, self._walked(counts, loss)

    def _walked(self, counts: FloatArray, loss: FloatArray) -> FloatArray:
        """The path at counts from the `loss` there."""
        if not self.threshold.any():
            return loss
        n = self._effective(counts)
        threshold = self._like(n, self.threshold)
        waiting = self._like(n, self.asymptote) + self._like(n, self.excess) * (n < threshold)
        if self._clash is not None:
            waiting = waiting + self._clash.harm(counts)
        return np.where(threshold > 0.0, waiting, loss)

    def without_thresholds(self) -> "Posterior":
        """The same curves with `loss` for their paths."""
        return replace(self, threshold=np.zeros_like(self.threshold)) if self.threshold.any() else self

    def band(self, counts: FloatArray) -> FloatArray:
        """Predictive loss ≥ 0: the path plus the discrepancy beyond n_ref (method.md 2); shapes as `loss`."""
        return self.band_from(counts, self.path(counts))

    def loss_and_band(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both at once, to the last bit the same: the power in them is what they cost."""
        loss = self.loss(counts)
        return loss, self.band_from(counts, self._walked(counts, loss))

    def band_from(self, counts: FloatArray, path: FloatArray) -> FloatArray:
        """`band` at counts from the `path` there."""
        n = self._effective(counts)
        doublings = np.log2(np.maximum(n / self._like(n, self.reference[:, None]), 1.0))
        strays = np.sqrt(doublings) * self._like(n, self.discrepancy)
        strays += path
        return np.maximum(strays, 0.0, out=strays)

    def doublings_below(self, counts: FloatArray) -> FloatArray:
        """How many doublings `counts` [groups] lie below the reference, at least 0 [groups, draws or 1]."""
        n = np.maximum(self._effective(counts), 1.0)
        return np.asarray(np.log2(np.maximum(self.reference[:, None] / n, 1.0)))

    def inverse(self, loss: FloatArray) -> FloatArray:
        """Least count ≥ 0 with path(count) ≤ loss: [groups] → [groups, draws], inf where it never gets there."""
        target = np.asarray(loss, dtype=np.float64)[:, None]
        count = self._least_count(target)
        return count if self._clash is None else self._least_with_misfit(self._clash, target, count)

    def _least_count(self, target: FloatArray) -> FloatArray:
        """`inverse` of the curves without misfit at targets [groups, draws or 1]."""
        at_knot = self.asymptote + self._excess(self.knot)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = (target - self.asymptote) / self.excess
            inside = self.anchor * np.maximum(ratio, 0.0) ** (-1.0 / self.exponent) - self.offset
            below = self.knot + (target - at_knot) / (self._steepness(self.knot) * self._excess(self.knot))
        below = np.nan_to_num(below, nan=0.0, neginf=0.0)
        # A flat curve is met everywhere or nowhere: what 0/0 gave above is replaced here.
        count = np.where(target < at_knot, np.where(target > self.asymptote, inside, np.inf), below)
        at_start = np.where(target >= self.asymptote, self.threshold, np.inf)
        waiting = np.where(target >= self.asymptote + self.excess, 0.0, at_start)
        count = np.where(self.threshold > 0.0, waiting, count)
        count = count if self.transfer is None else count - self.transfer.head_start
        flat = self.excess == 0.0
        return np.where(flat, np.where(target >= self.asymptote, 0.0, np.inf), np.maximum(count, 0.0))

    def _least_with_misfit(self, clash: Transfer, target: FloatArray, plain: FloatArray) -> FloatArray:
        """`inverse` with misfit, from the counts `plain` [groups, draws] that are enough without it.

        Where the curve steps or is flat, in closed form. Else curve and misfit are convex and fall: at a count that
        either of them needs for itself the loss is not below the target, and Newton's steps from there never pass it.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.maximum(np.nan_to_num((target - self.asymptote) / clash.conflict, nan=0.0), 0.0)
            started = np.maximum(plain, clash.least_for_misfit(room))
            above = np.nan_to_num((target - self.asymptote - self.excess) / clash.conflict, nan=-1.0)
        early = np.where(above >= 0.0, clash.least_for_misfit(np.maximum(above, 0.0)), np.inf)
        early = np.where(early < self.threshold - clash.head_start, early, np.inf)
        late = np.maximum(started, self.threshold - clash.head_start)
        stepped = (self.threshold > 0.0) | (self.excess == 0.0)
        count = np.where(self.threshold > 0.0, np.minimum(early, late), started)
        plain_only = (clash.conflict == 0.0) | (clash.apart == 0.0)
        count = np.where(plain_only, plain, count)
        rest = np.isfinite(count) & ~stepped & ~plain_only
        for _ in range(INVERSE_STEPS if rest.any() else 0):
            value, slope = self._at_each(clash, np.where(rest, count, 1.0))
            step = np.divide(value - target, -slope, out=np.zeros_like(count), where=rest & (slope < 0.0))
            count = count + np.maximum(step, 0.0)
            if np.all(step <= INVERSE_ROUNDING * np.maximum(count, 1.0), where=rest):
                break
        return count

    def _at_each(self, clash: Transfer, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Loss and slope of every draw at a count of its own [groups, draws]."""
        n = counts + clash.head_start
        inside = np.maximum(n, self.knot)
        excess = self._excess(inside)
        harm, harm_slope = clash.harm_and_slope(counts)
        return self._continued(n, inside, excess) + harm, self._steepness(inside) * excess + harm_slope

    def mapped(self, pick: Callable[[FloatArray], FloatArray]) -> "Posterior":
        """With `pick` [..., draws] → [..., other draws] of every number that is drawn; the runs' errors stay."""
        transfer = None if self.transfer is None else self.transfer.mapped(pick)
        picked: dict[str, Any] = {name: pick(getattr(self, name)) for name in DRAWN}
        return replace(self, **picked, transfer=transfer)

    def draw(self, number: int) -> "Posterior":
        """The draw of that number, from 0, as if it were certain."""
        return self.mapped(lambda values: values[..., [number]])

    def moved(self, held: FloatArray) -> "Posterior":
        """The same curves were the counts `held` [all groups the curves were fitted with] held of the others."""
        return self if self.transfer is None else replace(self, transfer=self.transfer.moved(held))

    def shifted(self, held: FloatArray) -> "Posterior":
        """`moved`, but for rounding, quick where few of the counts change."""
        return self if self.transfer is None else replace(self, transfer=self.transfer.shifted(held))

    def cross_slope(self, counts: FloatArray) -> FloatArray:
        """d f_g / d n_h at own counts [groups], the others as held: [groups, all groups, draws], 0 without transfer.

        The own column is 0: that slope is `slope`.
        """
        if self.transfer is None:
            return self.slope(counts)[:, None, :] * np.zeros((1, len(self.keys), 1))
        if self._clash is None:
            return self.slope(counts)[:, None, :] * self.transfer.gain_slopes
        own = self.slope(counts) - self._clash.harm_slope(counts)
        return own[:, None, :] * self.transfer.gain_slopes + self._clash.harm_slopes(counts)

    def mean_cross_slope(self, counts: FloatArray, shares: FloatArray) -> FloatArray:
        """Σ over draws of `shares` [groups, draws] times `cross_slope` [groups, all groups], in far less memory."""
        if self.transfer is None:
            return np.zeros((len(self.keys), len(self.keys)))
        slope = self.slope(counts)
        if self._clash is None:
            return self.transfer.mean_gain_slope(shares * slope)
        curve = shares * (slope - self._clash.harm_slope(counts))
        return self.transfer.mean_gain_slope(curve) + self._clash.mean_harm_slope(counts, shares)

    def select(self, indices: IntArray) -> "Posterior":
        """The same draws for the groups at `indices` alone, in that order."""
        picked = indices.tolist()
        if picked == list(range(len(self.keys))):
            # The draws of thousands of groups need no second copy.
            transfer = None if self.transfer is None else self.transfer.select(indices)
            return replace(self, warnings=_in_order(self.warnings, self.keys), transfer=transfer)
        keys = tuple(self.keys[i] for i in picked)
        return Posterior(
            keys=keys,
            **{name: getattr(self, name)[indices] for name in ARRAYS},
            diagnostics=tuple(self.diagnostics[i] for i in picked),
            residuals=tuple(self.residuals[i] for i in picked),
            warnings=_in_order(self.warnings, keys),
            transfer=None if self.transfer is None else self.transfer.select(indices),
            errors=None if self.errors is None else self.errors.select(indices),
            error_correlation=self.error_correlation,
        )

    def part(self, indices: IntArray | slice) -> "Posterior":
        """The curves of `select` alone, quickly: without keys, what is said of them, and errors; without transfer a
        slice copies nothing."""
        arrays = {name: getattr(self, name)[indices] for name in ARRAYS}
        transfer = None
        if self.transfer is not None:
            transfer = self.transfer.select(np.arange(len(self.reference))[indices])
        return Posterior(keys=(), **arrays, diagnostics=(), residuals=(), warnings=(), transfer=transfer)

    @staticmethod
    def joined(parts: Sequence["Posterior"], order: IntArray) -> "Posterior":
        """The groups of all `parts`, without transfer, one after the other, then in `order` (indices into that row)."""

        def stacked(name: str) -> FloatArray:
            return np.concatenate([getattr(part, name) for part in parts])[order]

        def listed(name: str) -> tuple[Any, ...]:
            row = [item for part in parts for item in getattr(part, name)]
            return tuple(row[i] for i in order)

        keys, errors = listed("keys"), [part.errors for part in parts if part.errors is not None]
        return Posterior(
            keys=keys,
            **{name: stacked(name) for name in ARRAYS},
            diagnostics=listed("diagnostics"),
            residuals=listed("residuals"),
            warnings=_in_order([warning for part in parts for warning in part.warnings], keys),
            transfer=None,
            errors=Errors.joined(errors, order) if len(errors) == len(parts) else None,
            error_correlation=parts[0].error_correlation,
            remembers=False,
        )

    def replaced(self, indices: IntArray, part: "Posterior") -> "Posterior":
        """These groups with those at `indices` taken from `part`, in its order."""
        changed = set(part.keys)
        kept = replace(self, warnings=tuple(w for w in self.warnings if w.group not in changed))
        order = np.arange(len(self.keys))
        order[indices] = len(self.keys) + np.arange(len(part.keys))
        return Posterior.joined((kept, part), order)

    def parameters(self) -> dict[str, FloatArray]:
        """Classical symbols, curve = asymptote + scale · (n + offset)^(−exponent), each [groups, draws]; what misfit
        adds is not in them, and goes to 0 as the own count grows."""
        return {
            "asymptote": self.asymptote,
            "scale": self.excess * self.anchor**self.exponent,
            "exponent": self.exponent,
            "offset": self.offset if self.transfer is None else self.offset + self.transfer.head_start,
        }

    @property
    def _clash(self) -> Transfer | None:
        """The transfer where misfit adds to any loss."""
        return self.transfer if self.transfer is not None and self.transfer.clashes else None

    def _effective(self, counts: FloatArray) -> FloatArray:
        """Own counts as effective ones [groups, (sizes,) draws], or [groups, (sizes,) 1] without transfer."""
        n = np.asarray(counts, dtype=np.float64)[..., None]
        return n if self.transfer is None else n + self._like(n, self.transfer.head_start)

    def _known_excess(self, counts: FloatArray, inside: FloatArray) -> FloatArray:
        """`_excess` of `inside`, which follows from `counts`."""
        kept = REMEMBERED // max(inside.size, 1)
        if counts.ndim > 1 or not self.remembers or not kept:
            return self._excess(inside)
        key, known = counts.tobytes(), self._excesses
        if key not in known:
            if len(known) >= kept:
                del known[next(iter(known))]
            known[key] = self._excess(inside)
        return known[key]

    @cached_property
    def _excesses(self) -> dict[bytes, FloatArray]:
        return {}

    def _excess(self, n: FloatArray) -> FloatArray:
        # In place: fresh memory for arrays of this size costs as much as the arithmetic.
        found = n + self._like(n, self.offset)
        found /= self._like(n, self.anchor)
        np.power(found, -self._like(n, self.exponent), out=found)
        found *= self._like(n, self.excess)
        return found

    def _steepness(self, n: FloatArray) -> FloatArray:
        """f' over the excess, at n ≥ knot."""
        return -self._like(n, self.exponent) / (n + self._like(n, self.offset))

    def _continued(self, n: FloatArray, inside: FloatArray, excess: FloatArray) -> FloatArray:
        """f at n from the excess at max(n, knot): on the curve, or on its tangent below the knot."""
        value = self._like(n, self.asymptote) + excess
        below = n < inside
        if not below.any():
            return value
        # Only values below the knot take the tangent, so that the others stay exact.
        return np.where(below, value + self._steepness(inside) * excess * (n - inside), value)

    @staticmethod
    def _like(n: FloatArray, values: FloatArray) -> FloatArray:
        """[groups, draws] made to broadcast with n [groups, (sizes,) draws]."""
        return values if n.ndim == 2 else values[:, None, :]


def point_estimate(posterior: Posterior) -> Posterior:
    """One curve per group whose parameters are the posterior's means: no uncertainty is left in it, and no threshold.

    Means keep the curve pinned where the draws are: anchor − offset, the count at which A is the excess, is the same
    in all of them.
    """
    point = posterior.mapped(lambda values: values.mean(axis=-1, keepdims=True))
    return point.without_thresholds()


def one_draw(posterior: Posterior, seed: int) -> Posterior:
    """One draw of the posterior, picked by `seed` at random, the same for any order of the groups."""
    number = int(uniforms(seed, ("thompson",), 1)[0, 0, 0] * posterior.draws)
    return posterior.draw(min(number, posterior.draws - 1))


def stating(posterior: Posterior, indices: IntArray, stated: Posterior) -> Posterior:
    """`posterior` with the groups at `indices` taken from `stated`, in its order; the others keep their draws.

    A stated curve is exact: other groups' data does not move it, while its own count moves others as before.
    """
    replaced = posterior.replaced(indices, stated)
    transfer = posterior.transfer
    if transfer is None:
        return replaced
    return replace(replaced, transfer=transfer.without(indices))
