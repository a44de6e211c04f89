"""What the curves are learnt from: measured points per group, and curves a user states instead."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.planner.arrays import FloatArray, IntArray

LARGEST_LOSS = 1e100
"""The largest loss or error that can still be squared."""


class ObservationsError(ValueError):
    """The observations contradict themselves; the message names the group and what to change."""


@dataclass(frozen=True)
class Points:
    """One group's evaluated runs, all arrays [points].

    counts: own samples trained on, ≥ 0. losses: the metric turned to a loss (lower is better). stderrs: the
    loss's evaluation error, nan where unknown. holdouts: which holdout each run was scored on, any integers.
    """

    counts: FloatArray
    losses: FloatArray
    stderrs: FloatArray
    holdouts: IntArray


@dataclass(frozen=True)
class AssumedCurve:
    """loss(n) = asymptote + scale · (n + offset)^(−exponent), taken as exact instead of a fit."""

    asymptote: float
    scale: float
    exponent: float
    offset: float


@dataclass(frozen=True)
class Observations:
    """Everything known about the groups' curves, in the order of `keys`.

    held [groups]: counts held now. span: upper − lower of the metric where both bounds are given, else None.
    runs [runs, groups]: what each run was trained on, and run_of, per group, the run of each of its points; both None
    where only the own counts are known. attributes: each group's attributes. parent: the index of a broader group.
    Without entries, no group has any. joint: whether a run trained one model on all its counts, or one for each group.
    """

    keys: tuple[str, ...]
    points: tuple[Points, ...]
    assumed: tuple[AssumedCurve | None, ...]
    held: FloatArray
    span: float | None
    runs: FloatArray | None = None
    run_of: tuple[IntArray, ...] | None = None
    attributes: tuple[Mapping[str, str], ...] = ()
    parent: tuple[int | None, ...] = ()
    joint: bool = False

    def __post_init__(self) -> None:
        """Raises ObservationsError where the parts do not fit together."""
        lengths = {len(self.keys), len(self.points), len(self.assumed), len(self.held)}
        if len(lengths) != 1:
            raise ObservationsError("keys, points, assumed and held must have one entry per group each")
        if len(set(self.keys)) != len(self.keys):
            raise ObservationsError("a group's key occurs twice; keys must be unique")
        if not np.all(np.isfinite(self.held) & (self.held >= 0)):
            raise ObservationsError("held counts must be finite and at least 0")
        if self.span is not None and not 0 < self.span < np.inf:
            raise ObservationsError(f"the metric's span is {self.span}; it must be finite and above 0")
        _check_all_points(self.keys, self.points)
        for key, assumed in zip(self.keys, self.assumed, strict=True):
            _check_assumed(key, assumed)
        self._check_runs()
        self._check_relations()

    def _check_runs(self) -> None:
        """Raises ObservationsError where the runs are not those of the points."""
        if self.runs is None and self.run_of is None:
            return
        if self.runs is None or self.run_of is None or len(self.run_of) != len(self.keys):
            raise ObservationsError("give runs together with run_of, one array of run_of per group, or neither")
        if self.runs.shape != (len(self.runs), len(self.keys)):
            raise ObservationsError(f"runs has shape {self.runs.shape}; it needs one column per group")
        if not np.all(np.isfinite(self.runs) & (self.runs >= 0)):
            raise ObservationsError("the counts of runs must be finite and at least 0")
        if [len(run) for run in self.run_of] == [len(points.counts) for points in self.points]:
            owner, points = in_a_row(self.points)
            run = np.concatenate([np.zeros(0, dtype=np.int64), *self.run_of])
            inside = not np.any((run < 0) | (run >= len(self.runs)))
            if inside and np.array_equal(self.runs[run, owner], points.counts):
                return
        # One of them is wrong: which?
        for g, (key, own, run) in enumerate(zip(self.keys, self.points, self.run_of, strict=True)):
            if len(run) != len(own.counts) or np.any((run < 0) | (run >= len(self.runs))):
                raise ObservationsError(f"group {key}: run_of must name one of the {len(self.runs)} runs per point")
            if not np.array_equal(self.runs[run, g], own.counts):
                raise ObservationsError(f"group {key}: its points' counts are not those of their runs")

    def _check_relations(self) -> None:
        """Raises ObservationsError where attributes or parents are not the groups'."""
        groups = len(self.keys)
        if self.attributes and len(self.attributes) != groups:
            raise ObservationsError("attributes must have one entry per group, or none")
        if self.parent and len(self.parent) != groups:
            raise ObservationsError("parent must have one entry per group, or none")
        for g, parent in enumerate(self.parent):
            if parent is not None and (parent == g or not 0 <= parent < groups):
                raise ObservationsError(f"group {self.keys[g]}: its parent must be the index of another group")

    def trained(self, group: int) -> FloatArray:
        """What the model of each of a group's points was trained on [points, groups]. Raises ObservationsError where
        that is not known."""
        if self.runs is None or self.run_of is None:
            raise ObservationsError("only the groups' own counts are known, not what else their runs were trained on")
        return np.asarray(self.runs[self.run_of[group]])

    def differences(self, of: IntArray) -> IntArray:
        """The number of attributes in which the groups `of` differ from every group [of, groups]; one that only one
        of the two has counts."""
        found = np.zeros((len(of), len(self.keys)), dtype=np.int64)
        for codes in self._codes:
            found += codes[of][:, None] != codes
        return found

    @cached_property
    def _codes(self) -> list[IntArray]:
        """By attribute, a number for each value of it, one for having none [groups]."""
        found = []
        for name in sorted({name for owned in self.attributes for name in owned}):
            values = [owned.get(name) for owned in self.attributes]
            place = {value: code for code, value in enumerate(dict.fromkeys(values))}
            found.append(np.array([place[value] for value in values], dtype=np.int64))
        return found

    def select(self, indices: IntArray) -> "Observations":
        """What is known of the groups at `indices` alone, in that order, without their runs and relations."""
        picked = [int(i) for i in indices]
        return Observations(
            keys=tuple(self.keys[i] for i in picked),
            points=tuple(self.points[i] for i in picked),
            assumed=tuple(self.assumed[i] for i in picked),
            held=self.held[picked],
            span=self.span,
        )

    def permuted(self, order: IntArray) -> "Observations":
        """The same with its groups in another order; `order` holds the positions of all groups, each once."""
        picked = order.tolist()
        if picked == list(range(len(self.keys))):
            return self
        place = {at: now for now, at in enumerate(picked)}
        parents = [self.parent[i] for i in picked] if self.parent else []
        return replace(
            self,
            keys=tuple(self.keys[i] for i in picked),
            points=tuple(self.points[i] for i in picked),
            assumed=tuple(self.assumed[i] for i in picked),
            held=self.held[order],
            runs=None if self.runs is None else self.runs[:, order],
            run_of=None if self.run_of is None else tuple(self.run_of[i] for i in picked),
            attributes=tuple(self.attributes[i] for i in picked) if self.attributes else (),
            parent=tuple(None if parent is None else place[parent] for parent in parents),
        )

    def distinct_sizes(self) -> IntArray:
        """At how many different counts each group was measured [groups]."""
        owner, points = in_a_row(self.points)
        order = np.lexsort((points.counts, owner))
        owner, counts = owner[order], points.counts[order]
        new = np.ones(len(owner), dtype=np.bool_)
        new[1:] = (owner[1:] != owner[:-1]) | (counts[1:] != counts[:-1])
        return np.bincount(owner[new], minlength=len(self.points))


def in_a_row(points: Sequence[Points]) -> tuple[IntArray, Points]:
    """The group of each point [P], and the points of all groups one after the other."""
    owner = np.repeat(np.arange(len(points)), np.array([len(one.counts) for one in points], dtype=np.int64))
    counts, losses, stderrs = (
        np.concatenate([np.zeros(0), *(getattr(one, name) for one in points)])
        for name in ("counts", "losses", "stderrs")
    )
    holdouts = np.concatenate([np.zeros(0, dtype=np.int64), *(one.holdouts for one in points)])
    return owner, Points(counts, losses, stderrs, holdouts)


def _check_all_points(keys: Sequence[str], points: Sequence[Points]) -> None:
    """Raises as `_check_points` for the first group that is wrong: all are looked at in one pass, and one by one only
    to name it."""
    if all(len(one.counts) == len(one.losses) == len(one.stderrs) == len(one.holdouts) for one in points):
        with suppress(ObservationsError):
            _check_points("", in_a_row(points)[1])
            return
    for key, one in zip(keys, points, strict=True):
        _check_points(key, one)


def _check_points(key: str, points: Points) -> None:
    """Raises ObservationsError where counts, losses or errors are not of one length or out of range."""
    if len({len(points.counts), len(points.losses), len(points.stderrs), len(points.holdouts)}) != 1:
        raise ObservationsError(f"group {key}: counts, losses, stderrs and holdouts must have one length")
    if not np.all(np.isfinite(points.counts) & (points.counts >= 0)):
        raise ObservationsError(f"group {key}: counts must be finite and at least 0")
    if not np.all(np.abs(points.losses) <= LARGEST_LOSS):
        raise ObservationsError(f"group {key}: losses must be numbers up to {LARGEST_LOSS}; leave out runs without one")
    if not np.all(np.isnan(points.stderrs) | ((points.stderrs >= 0) & (points.stderrs <= LARGEST_LOSS))):
        raise ObservationsError(f"group {key}: stderrs must be from 0 to {LARGEST_LOSS}, or nan where unknown")


def _check_assumed(key: str, curve: AssumedCurve | None) -> None:
    """Raises ObservationsError where the stated curve does not fall."""
    if curve is None:
        return
    if not np.all(np.isfinite([curve.asymptote, curve.scale, curve.exponent, curve.offset])):
        raise ObservationsError(f"group {key}: the assumed curve's numbers must be finite")
    if curve.scale < 0 or curve.exponent <= 0 or curve.offset < 0:
        raise ObservationsError(
            f"group {key}: an assumed curve needs scale ≥ 0, exponent > 0 and offset ≥ 0,"
            f" got {curve.scale}, {curve.exponent}, {curve.offset}"
        )
