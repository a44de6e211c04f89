"""Fits every group's learning curve: observations in, posterior draws out (planner.md 1 and 2).

Groups are fitted one by one, each with a random stream made of (seed, key): neither the order of the groups nor
the presence of others changes a group's draws, to the last bit. One group's grid is some 10⁴ nodes, enough for
array operations to pay; a batch over groups would be no faster, and its rounding would depend on its members.

ȳ, the unit of a group's losses, is the mean of its losses at its two largest counts.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from app.planner import checks
from app.planner.arrays import FloatArray
from app.planner.cells import TYPICAL_NOISE, shared_errors, typical_loss
from app.planner.grid import Level, Prior
from app.planner.learn import learn, standardised, stratified, suspect, without
from app.planner.observations import AssumedCurve, Observations, ObservationsError, Points
from app.planner.posterior import Diagnostics, Posterior
from app.planner.warnings import Warning

__all__ = [
    "AssumedCurve",
    "Diagnostics",
    "Observations",
    "ObservationsError",
    "Points",
    "Posterior",
    "Prior",
    "fit",
]

LEAST_LOSS = 0.004
"""ȳ is at least this share of the span, or of the group's largest loss where a bound is open."""

NO_LOSS = 1e-100
"""Losses up to this are zero: they cannot be squared."""


@dataclass(frozen=True)
class _Fit:
    """One group's result: the fields of `Posterior` of the same names, arrays [draws]."""

    asymptote: FloatArray
    excess: FloatArray
    anchor: FloatArray
    exponent: FloatArray
    offset: FloatArray
    knot: FloatArray
    discrepancy: FloatArray
    reference: float
    noise: float
    residuals: FloatArray
    warnings: tuple[Warning, ...]


def fit(observations: Observations, prior: Prior, seed: int, draws: int) -> Posterior:
    """Posterior of every group's curve.

    Groups with points: planner.md 2 on the grid of `prior`, without pooling or transfer. Groups without: the
    prior, at the scale of the metric's span or else of the other groups' losses. Assumed curves: that curve in
    every draw. The same arguments give the same bytes. Raises ValueError where draws < 1.
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}; ask for at least 1")
    scale = _scale_without_points(observations)
    rows = zip(observations.keys, observations.points, observations.assumed, observations.held, strict=True)
    fits = []
    for key, points, assumed, held in rows:
        if assumed is not None:
            fits.append(_stated(assumed, points, draws))
            continue
        unit = _unit(points, observations.span) if len(points.counts) else scale
        task = _Task(key, points, float(held), unit, _level(observations.span, unit))
        fits.append(_learnt(task, prior, stratified(_stream(seed, key), draws)))
    return _assemble(observations, fits, draws)


@dataclass(frozen=True)
class _Task:
    """One group to fit: `unit` is ȳ."""

    key: str
    points: Points
    held: float
    unit: float
    level: Level


def _learnt(task: _Task, prior: Prior, uniforms: FloatArray) -> _Fit:
    points, unit = task.points, task.unit
    # Without points, the count held is all there is to pin the scale-free curve to.
    n_ref = max(1.0, float(points.counts.max()) if len(points.counts) else task.held)
    learnt = learn(points, prior, task.level, n_ref, unit, uniforms)
    residuals = standardised(points, learnt)
    warnings = checks.remarks(task.key, points, unit)
    doubted = suspect(residuals, learnt)
    if doubted is not None:
        warnings += checks.outlier(task.key, points, doubted, _sigmas_off(task, prior, uniforms, doubted))
    return _Fit(
        asymptote=learnt.s * learnt.rho,
        excess=learnt.s * (1.0 - learnt.rho),
        anchor=n_ref * (1.0 + learnt.delta),
        exponent=learnt.c,
        offset=n_ref * learnt.delta,
        knot=np.ones(uniforms.shape[1]),
        discrepancy=learnt.forecast * unit * learnt.z,
        reference=n_ref,
        noise=learnt.sigma * unit,
        residuals=residuals,
        warnings=warnings,
    )


def _sigmas_off(task: _Task, prior: Prior, uniforms: FloatArray, index: int) -> float:
    """How many predictive sds point `index` lies from what the group's other points say."""
    others = without(task.points, index)
    learnt = learn(others, prior, task.level, max(1.0, float(others.counts.max())), task.unit, uniforms)
    return float(standardised(task.points, learnt)[index])


def _unit(points: Points, span: float | None) -> float:
    """ȳ of a group with points."""
    scale = span if span is not None else float(np.abs(points.losses).max())
    return typical_loss(points, LEAST_LOSS * (scale if scale > NO_LOSS else 1.0))


def _level(span: float | None, unit: float) -> Level:
    """A wide prior of the level: over the metric's span where it has one, else over a few ȳ."""
    if span is None:
        return Level(1.0, 2.0, np.inf)
    return Level(0.5 * span / unit, span / unit, span / unit)


def _scale_without_points(observations: Observations) -> float:
    """ȳ of a group without points: half the span, or else the median over the groups with points, or else 1."""
    if observations.span is not None:
        return observations.span / 2.0
    known = [_unit(points, None) for points in observations.points if len(points.counts)]
    return float(np.median(known)) if known else 1.0


def _stream(seed: int, key: str) -> np.random.Generator:
    """The group's own random stream, the same whatever other groups there are."""
    digest = hashlib.sha256(f"{seed}:{key}".encode("utf-8", "surrogatepass")).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def _assemble(observations: Observations, fits: list[_Fit], draws: int) -> Posterior:
    def stack(rows: list[FloatArray]) -> FloatArray:
        return np.stack(rows) if rows else np.zeros((0, draws))

    posterior = Posterior(
        keys=observations.keys,
        asymptote=stack([f.asymptote for f in fits]),
        excess=stack([f.excess for f in fits]),
        anchor=stack([f.anchor for f in fits]),
        exponent=stack([f.exponent for f in fits]),
        offset=stack([f.offset for f in fits]),
        knot=stack([f.knot for f in fits]),
        reference=np.array([f.reference for f in fits], dtype=np.float64),
        discrepancy=stack([f.discrepancy for f in fits]),
        noise=np.array([f.noise for f in fits], dtype=np.float64),
        diagnostics=tuple(_diagnostics(points) for points in observations.points),
        residuals=tuple(f.residuals for f in fits),
        warnings=tuple(warning for f in fits for warning in f.warnings),
    )
    return replace(posterior, residuals=_residuals(observations, posterior))


def _residuals(observations: Observations, posterior: Posterior) -> tuple[FloatArray, ...]:
    """The fits' residuals, and those against assumed curves (by evaluation error and a typical σ)."""
    found = list(posterior.residuals)
    for g, points in enumerate(observations.points):
        if observations.assumed[g] is None or not len(points.counts):
            continue
        f = posterior.select(np.array([g])).loss(points.counts[None, :])[0, :, 0]
        noise = TYPICAL_NOISE * _unit(points, observations.span)
        found[g] = (points.losses - f) / np.sqrt(shared_errors(points) ** 2 + noise**2)
    return tuple(found)


def _diagnostics(points: Points) -> Diagnostics:
    return Diagnostics(
        points=len(points.counts),
        distinct_sizes=len(np.unique(points.counts)),
        largest_count=float(points.counts.max(initial=0.0)),
        holdouts=len(np.unique(points.holdouts)),
    )


def _stated(curve: AssumedCurve, points: Points, draws: int) -> _Fit:
    """The stated curve in every draw, exact down to n + offset = 1, without discrepancy or remarks."""

    def every(value: float) -> FloatArray:
        return np.full(draws, value, dtype=np.float64)

    return _Fit(
        asymptote=every(curve.asymptote),
        excess=every(curve.scale),
        anchor=every(1.0),
        exponent=every(curve.exponent),
        offset=every(curve.offset),
        knot=every(max(0.0, 1.0 - curve.offset)),
        discrepancy=every(0.0),
        reference=max(1.0, float(points.counts.max(initial=0.0))),
        noise=0.0,
        residuals=np.zeros(0),
        warnings=(),
    )
