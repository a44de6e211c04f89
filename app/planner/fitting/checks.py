"""What groups' points say about themselves: the warnings of a fit (warnings.md)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, stdtr

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.fitting.batched_grid import GroupData
from app.planner.fitting.binning import TYPICAL_NOISE, Table, summed, typical_losses
from app.planner.fitting.departures import Fall, bent, falls
from app.planner.wording import Warning, percent

ENOUGH_SIZES = 3
"""Fewer distinct sizes than this do not show how a curve bends."""

RISE_LEVEL = 1e-3
"""Chance of calling a flat curve rising."""

SCATTER_FREEDOM = 3.0
"""How many observations' worth σ = TYPICAL_NOISE is known before the scatter about the line is seen."""

OUTLIER_SIGMAS = 5.0
"""A point this far from what the others say is named."""

WIDE_DOUBLINGS = 20.0
"""Over so many doublings, a factor of a million, no real curve is one power law."""

MANY_POINTS = 1_000
"""So many points are worth thinning: more than nine sizes are averaged into bins in any case."""

BORNE_OUT = 0.95
"""Chance that the loss of a group without a miss is below what is said (Jeffreys)."""

STILL_CHANCE = 0.1
"""A group whose curve has not started with this chance (method.md 2) or more is named: of LCDB's curves that fell by a
tenth or more over their measured sizes, one in fifty is, or one in twenty where they are single splits."""

NEAR_BOUND = 0.01
"""Points within two standard errors of the worst value, and this share of the span at the most, are at it."""

NOTHING_LEFT = 0.05
"""A loss below this share of the span stands near the metric's best value: that it stands still needs no saying."""


@dataclass(frozen=True)
class Trend:
    """Each group's least squares line of the loss in log₂ n [G], in units of ȳ.

    slope and its sd, by Σ a_i y_i with a = x / Σx², x the centred log₂ counts; the variance is
    Σ_h s_h² (Σ_{i∈h} a_i)² + σ² Σ a², σ² from the scatter about the line shrunk to TYPICAL_NOISE.
    doublings: from the smallest to the largest count.
    """

    slope: FloatArray
    sd: FloatArray
    freedom: FloatArray
    sizes: IntArray
    doublings: FloatArray

    def rise_chance(self) -> FloatArray:
        """Chance of a slope at least as steep, were the loss flat: a t test [G]; 1 where all points are at one size."""
        chance: FloatArray = np.where(self.sd > 0.0, stdtr(self.freedom, -self.slope / self._sd), 1.0)
        return chance

    @property
    def _sd(self) -> FloatArray:
        return np.where(self.sd > 0.0, self.sd, 1.0)


def trend_of(table: Table, units: FloatArray) -> Trend:
    """The line through each group's points; `units` is ȳ [G]."""

    def sums(values: FloatArray) -> FloatArray:
        return summed(table.group, values, table.groups)

    n = sums(np.ones(len(table.group)))
    many = np.maximum(n, 1.0)
    log_counts, y = np.log2(np.maximum(table.counts, 1.0)), table.losses / units[table.group]
    x = log_counts - (sums(log_counts) / many)[table.group]
    y = y - (sums(y) / many)[table.group]
    sizes, doublings = _sizes(table)
    square = np.where(doublings > 0.0, sums(x * x), 0.0)
    a = x / np.maximum(square, 1e-300)[table.group] * (square > 0.0)[table.group]
    slope = sums(a * y)
    scatter = sums((y - slope[table.group] * x) ** 2)
    freedom = np.maximum(n - 2.0, 0.0) + SCATTER_FREEDOM
    variance = (scatter + SCATTER_FREEDOM * TYPICAL_NOISE**2) / freedom
    variance = _shared_variance(table, a, units) + variance * sums(a * a)
    return Trend(slope, np.sqrt(variance), freedom, sizes, doublings)


def _sizes(table: Table) -> tuple[IntArray, FloatArray]:
    """Number of distinct sizes, and doublings from the smallest to the largest [G]."""
    counts, group, new = table.row_count, table.row_group, table.new_size
    smallest = np.array(table.n_ref)
    np.minimum.at(smallest, group, np.maximum(counts, 1.0))
    return np.bincount(group[new], minlength=table.groups), np.log2(table.n_ref / smallest)


def _shared_variance(table: Table, a: FloatArray, units: FloatArray) -> FloatArray:
    """Σ_h s_h² (Σ_{i∈h} a_i)², in units of ȳ² [G]."""
    pair = table.row_pair[table.row]
    owner = table.pair_group
    by_holdout = (table.errors / units[owner]) ** 2 * np.bincount(pair, a) ** 2
    return summed(owner, by_holdout, table.groups)


def remarks(
    keys: tuple[str, ...],
    table: Table,
    units: FloatArray,
    span: float | None,
    examples: FloatArray,
    not_started: FloatArray,
) -> list[Warning]:
    """What holds for each group's points: about their number and sizes, their errors, their trend.

    examples [G]: M. not_started [G]: the chance that its curve has not started.
    """
    trend = trend_of(table, units)
    points = np.bincount(table.group, minlength=table.groups)
    unknown = np.bincount(table.group, np.isnan(table.stderrs), minlength=table.groups)
    few = (trend.sizes > 0) & (trend.sizes < ENOUGH_SIZES)
    rises = (trend.sizes >= ENOUGH_SIZES) & (trend.rise_chance() < RISE_LEVEL)
    between = (table.last >= NOTHING_LEFT * (span or 0.0)) & (table.last < (span or np.inf))
    fallen = [one for one in falls(table, units) if not rises[one.group]]
    still = (not_started >= STILL_CHANCE) & between & ~rises
    still[[one.group for one in fallen]] = False
    found = [Warning("no_observations", _NOTHING, keys[g]) for g in np.flatnonzero(points == 0)]
    found += [Warning("few_points", _few(int(trend.sizes[g])), keys[g]) for g in np.flatnonzero(few)]
    found += [
        Warning("stderr_unknown", _unknown(int(unknown[g]), int(points[g])), keys[g]) for g in np.flatnonzero(unknown)
    ]
    for code, detail, holds in _extremes(table, units, span):
        found += [Warning(code, detail, keys[g]) for g in np.flatnonzero(holds)]
    found += _at_worst(keys, table, span)
    best = np.flatnonzero((points > 0) & (table.last <= 0.0))
    found += [Warning("at_bound", _perfect(float(examples[g])), keys[g]) for g in best]
    wide = trend.doublings >= WIDE_DOUBLINGS
    found += [Warning("wide_range", _wide(float(trend.doublings[g])), keys[g]) for g in np.flatnonzero(wide)]
    found += [Warning("many_points", _many(int(points[g])), keys[g]) for g in np.flatnonzero(points >= MANY_POINTS)]
    found += [Warning("not_monotone", _RISES, keys[g]) for g in np.flatnonzero(rises)]
    found += [Warning("fell", _fell(one), keys[one.group]) for one in fallen]
    found += [Warning("not_started", _still(float(not_started[g])), keys[g]) for g in np.flatnonzero(still)]
    return found


def _at_worst(keys: tuple[str, ...], table: Table, span: float | None) -> list[Warning]:
    """Groups with some runs at the metric's worst value, or within their errors of it, where it does not stay."""
    if span is None:
        return []
    error = np.minimum(2.0 * np.nan_to_num(table.stderrs), NEAR_BOUND * span)
    worst = table.losses >= span - error
    many = np.bincount(table.group, worst, minlength=table.groups)
    left = typical_losses(table, np.zeros(table.groups)) < span
    largest = np.zeros(table.groups)
    np.maximum.at(largest, table.group[worst], table.counts[worst])
    return [Warning("at_bound", _clipped(int(many[g]), largest[g]), keys[g]) for g in np.flatnonzero((many > 0) & left)]


def _extremes(table: Table, units: FloatArray, span: float | None) -> list[tuple[str, str, BoolArray]]:
    """Remarks on losses at a bound and on errors of 0 or beyond the losses: code, detail, where it holds [G]."""
    measured = np.bincount(table.group, minlength=table.groups) > 0
    last = typical_losses(table, np.zeros(table.groups))
    perfect, worst = measured & (last <= 0.0), measured & (last >= (np.inf if span is None else span))
    least = np.full(table.groups, np.inf)
    np.minimum.at(least, table.pair_group, table.errors)
    largest = summed(table.group, np.where(np.isnan(table.stderrs), 0.0, table.stderrs), table.groups)
    known = measured & (np.bincount(table.group, ~np.isnan(table.stderrs), minlength=table.groups) > 0)
    return [
        ("at_bound", _WORST, worst),
        ("stderr_zero", _EXACT, known & (largest == 0.0)),
        ("stderr_large", _VAGUE, measured & ~perfect & (least > units)),
    ]


def outlier(key: str, index: int, count: float, loss: float, sigmas: float) -> Warning:
    """The warning for the group's point `index`, `sigmas` from what the others predict."""
    detail = (
        f"Point {index} (count {count:g}, loss {loss:.4g}) lies"
        f" {abs(sigmas):.1f} sigma {'above' if sigmas > 0 else 'below'} what the other points say;"
        " the curve follows the others. Check that run and post it again."
    )
    return Warning("outlier", detail, key)


def bends(keys: tuple[str, ...], data: GroupData, sigma: FloatArray, found: list[Warning]) -> list[Warning]:
    """The warnings for groups whose points no power law follows; sigma [G]: σ, shares of ȳ. found: what is warned of.

    A significant fall is such a bend, whatever the number of sizes. What an outlier or a rising loss explains is none.
    """
    explained = {one.group for one in found if one.code in ("outlier", "not_monotone")}
    bent_groups = {keys[g] for g in bent(data, sigma)} | {one.group for one in found if one.code == "fell"}
    return [Warning("bends", _BENDS, key) for key in keys if key in bent_groups - explained]


def _few(sizes: int) -> str:
    measured = "one size" if sizes == 1 else f"{sizes} sizes"
    return (
        f"Measured at {measured} only, so it is planned on the wide prior;"
        f" train on nested subsets of at least {ENOUGH_SIZES} sizes, which costs no samples."
    )


def _still(chance: float) -> str:
    return (
        f"The loss has not moved over the sizes measured, by more than its scatter: the group has not started to learn"
        f" (chance {percent(chance)}), or is at its floor. Buy a part for it and measure at several times the largest"
        " size; `exploration` says how much."
    )


def _clipped(many: int, largest: float) -> str:
    runs = "One point is" if many == 1 else f"{many} points are"
    return (
        f"{runs} at the metric's worst value, at up to {largest:,.0f} samples: it cannot show how far beyond"
        " the model is, and the curve takes that for its course. Leave such runs out, or use a finer metric."
    )


def _fell(one: Fall) -> str:
    return (
        f"From {one.smaller:,.0f} to {one.larger:,.0f} samples the metric got worse: its loss rose from"
        f" {one.before:.4g} to {one.after:.4g}, by {one.sigmas:.1f} standard errors. The curve takes in both: train and"
        " score both sizes again, and if it stays so, check the recipe and the labels of the samples that came between."
    )


def _wide(doublings: float) -> str:
    return (
        f"The sizes measured span a factor of {2.0**doublings:.2g}; one curve seldom holds so far."
        " Leave out runs far below the sizes you decide on."
    )


def _many(points: int) -> str:
    return (
        f"{points:,} points are averaged into bins of half an octave; from here on a few runs per doubling of the size"
        " tell as much."
    )


def _perfect(examples: float) -> str:
    best = "The metric is at its best value"
    if np.isinf(examples):
        return (
            f"{best}, so its runs show nothing that is left to learn. How far that holds goes with the examples scored:"
            " give stderr or eval_size with each run, or use a harder holdout."
        )
    bound = percent(float(betaincinv(0.5, examples + 0.5, BORNE_OUT)))
    return (
        f"{best}; the {max(examples, 1.0):,.0f} examples scored, each counted once, bear out no more than a loss below"
        f" {bound} of the metric's span. Use a larger or a harder holdout, or a finer metric."
    )


def _unknown(unknown: int, total: int) -> str:
    return (
        f"{unknown} of {total} points have no standard error, so it is learnt from their scatter;"
        " give stderr or eval_size with each."
    )


_NOTHING = "No run has a metric for this group; it is planned on the prior. Post one evaluated run."

_WORST = "The metric is at its worst value, so it shows no learning yet; measure at larger sizes or use a finer metric."

_EXACT = "Every standard error is 0, which says the holdout is infinite; give the true ones, or leave them out."

_VAGUE = "The standard errors exceed the losses themselves, so the points say little; check their unit."

_RISES = (
    "The loss rises with the number of samples, more than its errors explain; the curve is fitted as flat."
    " Check the recipe and the labels of the newer samples."
)

_BENDS = (
    "The loss bends in a way that no one power law follows, by more than its errors explain, so forecasts beyond the"
    " largest size are doubtful. Leave out the runs before it bent, or measure more sizes at the upper end."
)
