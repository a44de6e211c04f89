"""Fits all groups of a project together, as one model trained on all their data (method.md 3).

`joint_sampling` draws what the groups' samples do to each other. Each of its draws gives a group's points effective
sizes, and losses without misfit; `fitting` fits every such variant as it fits own counts, so that a group's own curve
is the same thing with and without others. In draws where nothing moves a group that is its own curve.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.borrowing.joint_evidence import Compositions, overlap
from app.planner.borrowing.joint_sampling import Crossings, sample
from app.planner.borrowing.pooling import pool
from app.planner.borrowing.strata import STRATA, leaning, shape_of
from app.planner.curves.common_errors import error_correlation
from app.planner.curves.explosions import restored, set_aside, without
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import DRAWN, Posterior
from app.planner.curves.prior import Prior
from app.planner.curves.transfer import Received, Transfer, gain
from app.planner.fitting.binning import table_of, typical_losses
from app.planner.fitting.fit import fit, fit_as_is, fit_watched
from app.planner.wording import Warning

VARIANTS = 100
"""So many sets of effective sizes per group, ..."""
VARIED_POINTS = 40_000
"""... fewer where all groups have more points than these among them, but at least LEAST_VARIANTS."""
LEAST_VARIANTS = 8

MOST_GROUPS = 50
"""In larger projects groups are fitted apart: the cost grows with the square of the groups."""

MOST_PAIRED = 20
"""With more groups than this, all that differ from a group in as many attributes are worth the same to it ..."""
MOST_APART = 3
"""... and that many attributes are as good as more; a parent counts as alike."""

MOST_RUNS = 60
"""More runs of a group say little more about transfer, and every candidate costs a look at each of them."""

LEAST_SCALE = 0.004
"""The unit of losses is at least this share of the span, or of the group's largest loss."""

WORTH_TELLING = 0.05
"""A head start of this share of the effective count is told."""

LARGEST_ERROR = 1e3
"""An evaluation error of this many units says nothing about the level; more would only cost digits."""

NONE = np.zeros(0, dtype=np.int64)

SAME, MOSTLY_FRESH = 0.9, 0.5
"""Of runs that share more than the first of their samples, and where less than the second of their errors is new in
every run, several say no more of a group's own curve than one: taken for several they would make it too sure."""

BATCH = 2_000
"""So many variants are fitted at a time, which bounds the memory."""


def fit_together(observations: Observations, prior: Prior, seed: int, draws: int) -> Posterior:
    """The posterior of the joint response, or of own counts where no runs are known.

    Deterministic by its arguments, whatever the order of the groups. Raises ValueError where draws < 1.
    """
    aside = set_aside(observations)
    kept = without(observations, aside)
    # Sums over groups round by their order, so there is one order: that of the keys.
    order = np.array(sorted(range(len(observations.keys)), key=observations.keys.__getitem__), dtype=np.int64)
    back = np.argsort(order)
    sorted_ = kept.permuted(order)
    posterior = _fit_in_order(sorted_, prior, seed, draws)
    together = error_correlation(posterior.residuals, sorted_.run_of)
    transfer = None if posterior.transfer is None else posterior.transfer.permuted(back)
    found = replace(posterior.select(back), transfer=transfer, error_correlation=together)
    return restored(found, observations, aside)


def _fit_in_order(observations: Observations, prior: Prior, seed: int, draws: int) -> Posterior:
    apart = fit(observations, prior, seed, draws)
    classes = classes_of(observations)
    data = compositions(observations, classes)
    moved = np.flatnonzero([one is not None for one in data])
    if not len(moved):
        return pool(observations, apart, prior, seed, range(len(observations.keys)))
    points = sum(len(observations.points[g].counts) for g in moved)
    variants = min(draws, int(np.clip(VARIED_POINTS // points, LEAST_VARIANTS, VARIANTS)))
    crossings = sample(data, classes, np.broadcast_to(prior.strata, (len(STRATA),)), seed, variants)
    turn = np.arange(draws) % variants
    seen = [_Seen.of(observations, int(g), crossings) for g in moved]
    typical, strays = fit_watched(_of(observations.span, [one.typical for one in seen]), prior, seed, draws)
    for at, point in zip(strays.groups, strays.index, strict=True):
        seen[at] = seen[at].without(int(point))
    rows = {name: getattr(typical, name).copy() for name in DRAWN}
    shape = shape_of(crossings.stratum)
    for number in np.unique(shape):
        for some in _asked(seen, crossings.alone[moved], shape == number, turn):
            most = max(len(ask.draws) for ask in some)
            fitted = fit_as_is(_of(observations.span, some), leaning(prior, int(number)), seed, most)
            for row, ask in enumerate(some):
                for name, values in rows.items():
                    values[ask.group, ask.draws] = getattr(fitted, name)[row, : len(ask.draws)]
                rows["asymptote"][ask.group, ask.draws] -= ask.lost
    own = tuple(apart.diagnostics[g] for g in moved)
    posterior = apart.replaced(moved, replace(typical, **rows, diagnostics=own))
    transfer = _transfer(observations, crossings, turn)
    remarks = [_told(observations.keys, transfer, int(g), float(observations.held[g])) for g in moved]
    warnings = posterior.warnings + tuple(remark for one in remarks for remark in one)
    return replace(posterior, transfer=transfer, warnings=warnings)


def classes_of(observations: Observations) -> IntArray:
    """By group the classes [k, k − 1] of the others, in their order: those of one class are worth the same to it."""
    groups = len(observations.keys)
    if groups <= MOST_PAIRED:
        return np.tile(np.arange(groups - 1), (groups, 1))
    apart = np.minimum(observations.differences(np.arange(groups)), MOST_APART)
    for g, parent in enumerate(observations.parent):
        if parent is not None:
            apart[g, parent] = apart[parent, g] = 0
    others = ~np.eye(groups, dtype=np.bool_)
    return np.unique(apart[others], return_inverse=True)[1].reshape(groups, groups - 1)


def compositions(observations: Observations, classes: IntArray) -> list[Compositions | None]:
    """Per group its points with what else was trained on, by class; None where not known or the curve is stated."""
    groups = len(observations.keys)
    if not observations.joint or observations.runs is None or not 1 < groups <= MOST_GROUPS:
        return [None] * groups
    found: list[Compositions | None] = []
    number = int(classes.max()) + 1
    for g, points in enumerate(observations.points):
        if observations.assumed[g] is not None or not len(points.counts):
            found.append(None)
            continue
        trained = observations.trained(g)
        kept = _thinned(trained)
        rows = Points(points.counts[kept], points.losses[kept], points.stderrs[kept], points.holdouts[kept])
        others = np.delete(trained[kept], g, axis=1) @ (classes[g][:, None] == np.arange(number))
        found.append(_compositions(rows, others, _unit(points, observations.span), groups <= MOST_PAIRED))
    return found


def _thinned(trained: FloatArray) -> IntArray:
    """At most MOST_RUNS of the points, evenly spread over them, the first and the last included."""
    number = len(trained)
    if number <= MOST_RUNS:
        return np.arange(number)
    return np.round(np.linspace(0, number - 1, MOST_RUNS)).astype(np.int64)


def _compositions(points: Points, others: FloatArray, unit: float, saturates: bool) -> Compositions:
    names, holdout = np.unique(points.holdouts, return_inverse=True)
    known = ~np.isnan(points.stderrs)
    errors = np.zeros(len(names))
    for h in range(len(names)):
        of = points.stderrs[known & (holdout == h)]
        errors[h] = np.sqrt((of**2).mean()) / unit if len(of) else 0.0
    biggest = max(float(points.counts.max()), float(others.max(initial=0.0)), 1.0) if saturates else np.inf
    losses = points.losses / unit
    return Compositions(points.counts, others, losses, holdout, np.minimum(errors, LARGEST_ERROR), biggest)


def _unit(points: Points, span: float | None) -> float:
    scale = span if span is not None else float(np.abs(points.losses).max())
    least = np.array([LEAST_SCALE * scale if scale > 0.0 else 1.0])
    return float(typical_losses(table_of([points]), least)[0])


class _Ask(NamedTuple):
    """One curve to fit: a name, its points, the count held, the group (its place among those fitted), the draws of it
    that are wanted, and what misfit takes at its largest run, in loss units."""

    key: str
    points: Points
    held: float
    group: int = 0
    draws: IntArray = NONE
    lost: float = 0.0


@dataclass(frozen=True)
class _Seen:
    """A group's points in all variants: head starts and misfits M² [P, variants] of the points, and head starts of the
    counts held [variants]; reference, conflict [variants]: M² of the largest run, d in loss units. mates [P]: which
    points say the same, in the variants that are `ordered` [variants].
    """

    key: str
    points: Points
    held: float
    start: FloatArray
    start_held: FloatArray
    misfit: FloatArray
    reference: FloatArray
    conflict: FloatArray
    mates: IntArray
    ordered: BoolArray

    @staticmethod
    def of(observations: Observations, group: int, crossings: Crossings) -> "_Seen":
        """The group's points under every variant of `crossings`."""
        points, w = observations.points[group], crossings.weights[group]
        trained = observations.trained(group)
        counts = np.concatenate([trained, observations.held[None]])
        others = counts.copy()
        others[:, group] = 0.0
        start = gain(w, others[:, :, None], crossings.kappa[group]).sum(axis=1)
        misfit = (others @ np.maximum(1.0 - w, 0.0) / np.maximum(counts.sum(axis=1), 1.0)[:, None]) ** 2
        reference = misfit[int(np.argmax(trained.sum(axis=1)))]
        conflict = crossings.conflict[group] * _unit(points, observations.span)
        mates = _mates(trained[:, group], np.delete(trained, group, axis=1), points.holdouts)
        return _Seen(
            observations.keys[group],
            points,
            float(observations.held[group]),
            start[:-1],
            start[-1],
            misfit[:-1],
            reference,
            conflict,
            mates,
            crossings.fresh[group] < MOSTLY_FRESH,
        )

    def without(self, point: int) -> "_Seen":
        """The same with one point left out."""
        kept = np.arange(len(self.points.counts)) != point
        points = Points(*(getattr(self.points, name)[kept] for name in ("counts", "losses", "stderrs", "holdouts")))
        return replace(self, points=points, start=self.start[kept], misfit=self.misfit[kept], mates=self.mates[kept])

    @property
    def typical(self) -> _Ask:
        """The points at the mean over the variants."""
        lost = (self.conflict * (self.misfit - self.reference)).mean(axis=1)
        points = self._moved(self.start.mean(axis=1), lost)
        return _Ask(self.key, points, self.held + float(self.start_held.mean()))

    def variant(self, number: int, group: int, draws: IntArray) -> _Ask:
        """The points in one variant: effective sizes, and losses as they were at the misfit of the largest run."""
        conflict, reference = float(self.conflict[number]), float(self.reference[number])
        points = self._moved(self.start[:, number], conflict * (self.misfit[:, number] - reference))
        points = _merged(points, self.mates) if self.ordered[number] else points
        held = self.held + float(self.start_held[number])
        return _Ask(f"{self.key}\0{number}", points, held, group, draws, conflict * reference)

    def _moved(self, start: FloatArray, lost: FloatArray) -> Points:
        return replace(self.points, counts=self.points.counts + start, losses=self.points.losses - lost)


def _asked(seen: Sequence[_Seen], alone: BoolArray, asked: BoolArray, turn: IntArray) -> Iterator[list[_Ask]]:
    """The curves of the variants that are `asked` [variants], those alike in their draws together, some thousands at a
    time. alone [groups, variants]: all such variants of a group are one curve, but for its mates."""
    single, several = [], []
    for g, one in enumerate(seen):
        crossed = np.flatnonzero(asked & ~alone[g])
        single += [one.variant(int(v), g, np.flatnonzero(turn == v)) for v in crossed]
        for ordered in (False, True):
            own = np.flatnonzero(asked & alone[g] & (one.ordered == ordered))
            if len(own):
                several.append(one.variant(int(own[0]), g, np.flatnonzero(np.isin(turn, own))))
    for asks in (single, several):
        for first in range(0, len(asks), BATCH):
            yield asks[first : first + BATCH]


def _mates(own: FloatArray, others: FloatArray, holdouts: IntArray) -> IntArray:
    """By point the number of the largest one [P] with which it shares its holdout and most of its samples."""
    both = overlap(own, others)
    size = np.sqrt(np.maximum(np.diag(both), 1.0))
    same = (both > SAME * size[:, None] * size) & (holdouts[:, None] == holdouts)
    found = np.full(len(own), -1, dtype=np.int64)
    for at in np.argsort(-size, kind="stable"):
        if found[at] < 0:
            found[same[at] & (found < 0)] = at
            found[at] = at
    return found


def _merged(points: Points, mates: IntArray) -> Points:
    """The means of points that are mates."""
    _, of, number = np.unique(mates, return_inverse=True, return_counts=True)
    counts, losses, stderrs = (
        np.bincount(of, values) / number for values in (points.counts, points.losses, points.stderrs)
    )
    holdouts = np.zeros(len(number), dtype=np.int64)
    holdouts[of] = points.holdouts
    return Points(counts, losses, stderrs, holdouts)


def _of(span: float | None, asks: Sequence[_Ask]) -> Observations:
    return Observations(
        keys=tuple(ask.key for ask in asks),
        points=tuple(ask.points for ask in asks),
        assumed=(None,) * len(asks),
        held=np.array([ask.held for ask in asks]),
        span=span,
    )


def _transfer(observations: Observations, crossings: Crossings, turn: IntArray) -> Transfer:
    weights = crossings.weights[:, :, turn]
    off = (~crossings.weights.any(axis=1)).mean(axis=1)
    received = tuple(_received(observations.keys, g, rows) for g, rows in enumerate(weights))
    units = np.array([_unit(p, observations.span) if len(p.counts) else 0.0 for p in observations.points])
    conflict = crossings.conflict[:, turn] * units[:, None]
    return Transfer.of_fit(weights, crossings.kappa[:, turn], observations.held, off, received, conflict)


def _received(keys: tuple[str, ...], group: int, weights: FloatArray) -> tuple[Received, ...]:
    """Mean, 5 % and 95 % quantile of the weight from every other group; nothing where none moves this one."""
    if not weights.any():
        return ()
    low, high = np.quantile(weights, (0.05, 0.95), axis=1)
    return tuple(
        Received(key, float(weights[h].mean()), float(low[h]), float(high[h]))
        for h, key in enumerate(keys)
        if h != group
    )


def _told(keys: tuple[str, ...], transfer: Transfer, group: int, held: float) -> tuple[Warning, ...]:
    """The warning `transfer`: what the other groups' counts held now are worth to the group, and whose most."""
    start = transfer.head_start[group]
    mean = float(start.mean())
    if mean < WORTH_TELLING * max(held, 1.0):
        return ()
    low, high = np.quantile(start, (0.05, 0.95))
    most = keys[int(np.argmax(transfer.gains[group].mean(axis=1)))]
    detail = (
        f"Other groups' data helps this one: what is held of them counts as {mean:.0f} ({low:.0f} to {high:.0f}) of"
        f" its own samples, most through {most}; see what buying there would do before buying here."
    )
    return (Warning("transfer", detail, keys[group]),)
