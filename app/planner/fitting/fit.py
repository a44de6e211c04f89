"""Fits every group's learning curve: observations in, posterior draws out (method.md 1 and 2).

All groups are fitted at once, each with random numbers made of (seed, key): neither the order of the groups nor the
presence of others changes a group's draws, to the last bit.

ȳ, the unit of a group's losses, is the mean of its losses at its two largest counts.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate, pairwise

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Diagnostics, Errors, Posterior
from app.planner.curves.prior import Prior
from app.planner.curves.random_streams import Lattice, lattice
from app.planner.fitting import checks
from app.planner.fitting.batched_grid import GroupData, learn, standardised
from app.planner.fitting.binning import TYPICAL_NOISE, Table, table_of, typical_losses
from app.planner.fitting.grid import Level
from app.planner.fitting.holdout_luck import luck_of
from app.planner.fitting.outliers import Strays, strays, without
from app.planner.fitting.sampling import LEARNT, Learnt
from app.planner.wording import Warning

LEAST_LOSS = 0.004
"""ȳ is at least this share of the span, or of the group's largest loss where a bound is open."""

NO_LOSS = 1e-140
"""Losses up to this are zero: they cannot be squared."""


def fit(observations: Observations, prior: Prior, seed: int, draws: int) -> Posterior:
    """Posterior of every group's curve.

    Groups with points: method.md 2 on the grid of `prior`, without pooling or transfer. Groups without: the
    prior, at the scale of the metric's span or else of the other groups' losses. Assumed curves: that curve in
    every draw. The same arguments give the same bytes. Raises ValueError where draws < 1.
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}; ask for at least 1")
    return _fitted(observations, prior, seed, draws, _scale_without_points(observations))


def fit_watched(observations: Observations, prior: Prior, seed: int, draws: int) -> tuple[Posterior, Strays]:
    """`fit` of groups without stated curves, and the points that it left out as contradicting the others."""
    return _learnt(observations, prior, seed, draws, _scale_without_points(observations))


def fit_as_is(observations: Observations, prior: Prior, seed: int, draws: int) -> Posterior:
    """`fit` of groups without stated curves by all their points, without a word on how they sit together."""
    return _once(observations, prior, lattice(seed, observations.keys, draws), _scale_without_points(observations))[0]


def _fitted(observations: Observations, prior: Prior, seed: int, draws: int, scale: float) -> Posterior:
    """`scale` is ȳ of groups without points."""
    stated = np.array([curve is not None for curve in observations.assumed], dtype=np.bool_)
    if not stated.any():
        return _learnt(observations, prior, seed, draws, scale)[0]
    free, fixed = np.flatnonzero(~stated), np.flatnonzero(stated)
    learnt, _ = _learnt(observations.select(free), prior, seed, draws, scale)
    parts = learnt, _stated(observations.select(fixed), draws, len(prior.noises))
    return Posterior.joined(parts, np.argsort(np.concatenate([free, fixed])))


def _learnt(observations: Observations, prior: Prior, seed: int, draws: int, scale: float) -> tuple[Posterior, Strays]:
    """The groups' posterior, where a point contradicts the others theirs alone; and those points."""
    numbers = lattice(seed, observations.keys, draws)
    posterior, data, learnt = _once(observations, prior, numbers, scale)
    keys, table = observations.keys, data.table
    residuals = np.concatenate([np.zeros(0), *posterior.residuals])
    examples = data.luck.examples
    warnings = checks.remarks(keys, table, data.units, observations.span, examples, learnt.not_started)
    stray = strays(data, learnt, residuals, prior, numbers)
    warnings += stray.warnings(keys, table)
    warnings += checks.bends(keys, data, learnt.sigma, warnings)
    if len(stray.groups):
        posterior = posterior.replaced(stray.groups, _following(posterior, observations, stray, data, prior, numbers))
    return replace(posterior, warnings=tuple(sorted(warnings, key=_by_group(keys)))), stray


def _once(
    observations: Observations, prior: Prior, numbers: Lattice, scale: float
) -> tuple[Posterior, GroupData, Learnt]:
    """The posterior of all points, without warnings, and what it was made of."""
    table = table_of(observations.points)
    data = data_of(observations, table, prior, scale)
    learnt = learn(data, prior, numbers)
    posterior = Posterior(
        keys=observations.keys,
        **{name: getattr(learnt, name) for name in LEARNT},
        knot=np.broadcast_to(1.0, learnt.exponent.shape),
        reference=data.n_ref,
        threshold=learnt.threshold,
        noise=learnt.sigma * data.units,
        diagnostics=_diagnostics(table),
        residuals=_split(standardised(data, learnt), _sizes(observations)),
        warnings=(),
        errors=Errors(learnt.node, *(np.outer(data.units, scales) for scales in prior.noise_nodes)),
    )
    return posterior, data, learnt


def _following(
    before: Posterior, observations: Observations, stray: Strays, data: GroupData, prior: Prior, numbers: Lattice
) -> Posterior:
    """The groups of `stray` by their other points; a stray point's residual is its distance from what these say."""
    others = replace(observations.select(stray.groups), points=tuple(without(data.table, stray.groups, stray.points)))
    found, _, _ = _once(others, prior, numbers.select(stray.groups), 1.0)
    residuals = [
        np.insert(rest, at, sigmas) for rest, at, sigmas in zip(found.residuals, stray.index, stray.sigmas, strict=True)
    ]
    diagnostics = tuple(before.diagnostics[g] for g in stray.groups)
    return replace(found, residuals=tuple(residuals), diagnostics=diagnostics)


def _split(values: FloatArray, sizes: list[int]) -> tuple[FloatArray, ...]:
    """The values of each group in turn."""
    ends = list(accumulate(sizes, initial=0))
    return tuple(values[first:last] for first, last in pairwise(ends))


def _by_group(keys: tuple[str, ...]) -> Callable[[Warning], int]:
    place = {key: g for g, key in enumerate(keys)}
    return lambda warning: place[warning.group or ""]


def _sizes(observations: Observations) -> list[int]:
    return [len(points.counts) for points in observations.points]


def data_of(
    observations: Observations, table: Table, prior: Prior, scale: float, units: FloatArray | None = None
) -> GroupData:
    """What the grid needs to know of the groups; `scale` is ȳ of groups without points. units [groups]: ȳ of all, where
    it is not to be their own."""
    measured = np.array(_sizes(observations), dtype=np.int64) > 0
    luck = luck_of(table, observations.span)
    if units is None:
        units = np.where(measured, _units(replace(table, losses=luck.losses), observations.span), scale)
    # Without points, the count held is all there is to pin the scale-free curve to.
    n_ref = np.where(measured, table.n_ref, np.maximum(observations.held, 1.0))
    held = observations.held
    if observations.span is None:
        wide = np.ones(len(units))
        level = Level(wide, 2.0 * wide, np.inf * wide)
        return GroupData(table, luck, n_ref, held, units, level, np.zeros((len(units), 2)))
    covariates = prior.covariates(units / observations.span, n_ref)
    # Noise goes with what is right where that is less than what is wrong: near the worst value little can vary.
    units = np.minimum(units, np.maximum(2.0 * (observations.span - units), LEAST_LOSS * observations.span))
    share = observations.span / units
    return GroupData(table, luck, n_ref, held, units, Level(0.5 * share, share, share), covariates)


def _units(table: Table, span: float | None) -> FloatArray:
    """ȳ [groups]."""
    if span is not None:
        return typical_losses(table, np.full(table.groups, LEAST_LOSS * span))
    largest = np.zeros(table.groups)
    np.maximum.at(largest, table.group, np.abs(table.losses))
    return typical_losses(table, LEAST_LOSS * np.where(largest > NO_LOSS, largest, 1.0))


def _scale_without_points(observations: Observations) -> float:
    """ȳ of a group without points: half the span, or else the median over the groups with points, or else 1."""
    if observations.span is not None:
        return observations.span / 2.0
    known = [points for points in observations.points if len(points.counts)]
    return float(np.median(_units(table_of(known), None))) if known else 1.0


def _diagnostics(table: Table) -> tuple[Diagnostics, ...]:
    points, holdouts = (np.bincount(of, minlength=table.groups) for of in (table.group, table.pair_group))
    sizes = np.bincount(table.row_group[table.new_size], minlength=table.groups)
    largest = np.zeros(table.groups)
    np.maximum.at(largest, table.row_group, table.row_count)
    columns = (values.tolist() for values in (points, sizes, largest, holdouts))
    return tuple(map(Diagnostics._make, zip(*columns, strict=True)))


def _stated(observations: Observations, draws: int, nodes: int) -> Posterior:
    """Stated curves in every draw, exact down to n + offset = 1, without errors at any of the noise nodes, discrepancy
    or remarks."""
    curves = [curve for curve in observations.assumed if curve is not None]

    def every(values: list[float]) -> FloatArray:
        return np.repeat(np.array(values, dtype=np.float64)[:, None], draws, axis=1)

    table = table_of(observations.points)
    ones = every([1.0] * len(curves))
    posterior = Posterior(
        keys=observations.keys,
        asymptote=every([curve.asymptote for curve in curves]),
        excess=every([curve.scale for curve in curves]),
        anchor=ones,
        exponent=every([curve.exponent for curve in curves]),
        offset=every([curve.offset for curve in curves]),
        knot=every([max(0.0, 1.0 - curve.offset) for curve in curves]),
        reference=table.n_ref,
        noise=np.zeros(len(curves)),
        discrepancy=np.zeros(ones.shape),
        threshold=np.zeros(ones.shape),
        diagnostics=_diagnostics(table),
        residuals=(np.zeros(0),) * len(curves),
        warnings=(),
        errors=Errors(np.zeros(ones.shape, dtype=np.int8), *np.zeros((2, len(curves), nodes))),
    )
    return replace(posterior, residuals=_residuals_of_stated(observations, posterior))


def _residuals_of_stated(observations: Observations, posterior: Posterior) -> tuple[FloatArray, ...]:
    """Residuals against assumed curves, by evaluation error and a typical σ."""
    table = table_of(observations.points)
    noise = TYPICAL_NOISE * _units(table, observations.span)
    found = []
    for g, points in enumerate(observations.points):
        f = posterior.select(np.array([g])).loss(points.counts[None, :])[0, :, 0]
        errors = table.shared[table.group == g]
        found.append((points.losses - f) / np.sqrt(errors**2 + noise[g] ** 2))
    return tuple(found)
