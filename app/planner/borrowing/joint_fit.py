"""Fits all groups of a project together: each on its effective sizes, where other groups' data moves it (method.md 3).

The posterior of the weights is that of `transfer_weights`. A few of its candidates, by their mass, each give the
group's points their effective sizes; `fitting` fits every such variant, and the draws take turns among them.
A group that nothing moves is fitted as if the others were not there, to the last bit.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.borrowing.pooling import pool
from app.planner.borrowing.transfer_evidence import Compositions
from app.planner.borrowing.transfer_weights import Weighed, weigh
from app.planner.curves.common_errors import error_correlation
from app.planner.curves.explosions import restored, set_aside, without
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import DRAWN, Diagnostics, Posterior
from app.planner.curves.prior import Prior, finer
from app.planner.curves.transfer import Received, Transfer, gain
from app.planner.fitting.binning import table_of, typical_losses
from app.planner.fitting.fit import fit
from app.planner.wording import Warning

VARIANTS = 8
"""So many sets of effective sizes per group that transfer moves."""

MOST_GROUPS = 50
"""In larger projects transfer is off: its cost grows with the square of the groups."""

MOST_RUNS = 150
"""More runs of a group say little more about transfer, and the evidence of each candidate costs a look at every one."""

OFF = 0.2
"""With at least this posterior mass on no transfer, the group is fitted without: harm from a false transfer is larger
than what a doubtful one is worth."""

LEAST_SCALE = 0.004
"""The unit of losses is at least this share of the span, or of the group's largest loss."""

WORTH_SAYING = 0.05
"""A head start of this share of the effective count is told."""


def fit_together(observations: Observations, prior: Prior, seed: int, draws: int) -> Posterior:
    """`fit` with transfer between the groups and pooling of their shapes, where the data speaks for it.

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
    everyone = np.arange(len(observations.keys))
    if observations.runs is None or len(everyone) > MOST_GROUPS:
        return pool(observations, fit(observations, prior, seed, draws), prior, seed, everyone.tolist())
    data = compositions(observations)
    evidence = [None if one is None else one.thinned(MOST_RUNS) for one in data]
    weighed = weigh(evidence, observations.differences(everyone))
    on = np.array([g for g, one in enumerate(weighed) if one.off < OFF], dtype=np.int64)
    off = np.setdiff1d(everyone, on)
    if not len(on) or draws < 1:
        return pool(observations, fit(observations, prior, seed, draws), prior, seed, off.tolist())
    variants = min(VARIANTS, draws)
    picked = [_representatives(weighed[g], observations.held, variants) for g in on]
    moved = [one for g in on if (one := data[g]) is not None]
    sizes = [_at(observations, on, moved, picked, v) for v in range(variants)]
    fine = finer(prior)
    mixed = _mixed([fit(one, fine, seed, draws) for one in sizes], observations, on)
    transfer = _transfer(observations, weighed, on, picked, draws)
    apart = fit(observations.select(off), prior, seed, draws)
    posterior = Posterior.joined((apart, mixed), np.argsort(np.concatenate([off, on]), kind="stable"))
    posterior = pool(observations, posterior, prior, seed, off.tolist())
    remarks = tuple(_told(posterior.keys[g], observations.keys, transfer, int(g), observations.held[g]) for g in on)
    warnings = posterior.warnings + tuple(remark for found in remarks for remark in found)
    return replace(posterior, transfer=transfer, warnings=warnings)


def compositions(observations: Observations) -> list[Compositions | None]:
    """Per group its points with what else was trained on; None where not known or the curve is stated."""
    if observations.runs is None or observations.run_of is None or len(observations.keys) > MOST_GROUPS:
        return [None] * len(observations.keys)
    found: list[Compositions | None] = []
    for g, points in enumerate(observations.points):
        if observations.assumed[g] is not None or not len(points.counts):
            found.append(None)
            continue
        others = observations.runs[observations.run_of[g]].copy()
        others[:, g] = 0.0
        found.append(Compositions.of(points, others, _unit(points, observations.span)))
    return found


def _unit(points: Points, span: float | None) -> float:
    scale = span if span is not None else float(np.abs(points.losses).max())
    least = np.array([LEAST_SCALE * scale if scale > 0.0 else 1.0])
    return float(typical_losses(table_of([points]), least)[0])


def _representatives(weighed: Weighed, held: FloatArray, variants: int) -> Weighed:
    """`variants` equally probable candidates: the midpoints of equal shares of the mass, by what they are worth now."""
    worth = gain(weighed.weights, held, weighed.kappa[:, None]).sum(axis=1)
    order = np.lexsort((weighed.weights.sum(axis=1), worth))
    shares = (np.arange(variants) + 0.5) / variants
    at = order[np.searchsorted(np.cumsum(weighed.probability[order]), shares)]
    return Weighed(weighed.weights[at], weighed.kappa[at], np.full(variants, 1.0 / variants))


def _at(
    observations: Observations,
    on: IntArray,
    data: Sequence[Compositions],
    picked: Sequence[Weighed],
    variant: int,
) -> Observations:
    """The groups `on` with their effective sizes in the variant; where harm leaves less than nothing, 0."""
    rows, points, held = observations.select(on), [], []
    for own, count, one, trained in zip(rows.points, rows.held, picked, data, strict=True):
        w, kappa = one.weights[variant], one.kappa[variant]
        sizes = trained.own + gain(w, trained.others, kappa).sum(axis=1)
        points.append(replace(own, counts=np.maximum(sizes, 0.0)))
        held.append(max(float(count + gain(w, observations.held, kappa).sum()), 0.0))
    return replace(rows, points=tuple(points), held=np.array(held))


def _transfer(
    observations: Observations, weighed: Sequence[Weighed], on: IntArray, picked: Sequence[Weighed], draws: int
) -> Transfer:
    groups = len(observations.keys)
    weights, kappa = np.zeros((groups, groups, draws)), np.full((groups, draws), np.inf)
    received: list[tuple[Received, ...]] = [() for _ in range(groups)]
    for g, one in zip(on, picked, strict=True):
        turn = np.arange(draws) % len(one.kappa)
        weights[g], kappa[g] = one.weights[turn].T, one.kappa[turn]
        received[g] = _received(observations.keys, weighed[g])
    return Transfer.of_fit(weights, kappa, observations.held, np.array([one.off for one in weighed]), tuple(received))


def _received(keys: tuple[str, ...], weighed: Weighed) -> tuple[Received, ...]:
    """Mean, 5 % and 95 % quantile of the weight from each group of which there was a candidate other than 0."""
    found = []
    for h in np.flatnonzero(weighed.weights.any(axis=0)):
        order = np.argsort(weighed.weights[:, h], kind="stable")
        w, cumulated = weighed.weights[order, h], np.cumsum(weighed.probability[order])
        low, high = w[np.minimum(np.searchsorted(cumulated, (0.05, 0.95)), len(w) - 1)]
        found.append(Received(keys[h], float(weighed.probability @ weighed.weights[:, h]), float(low), float(high)))
    return tuple(found)


def _mixed(variants: Sequence[Posterior], observations: Observations, on: IntArray) -> Posterior:
    """The groups `on` with draw i from variant i modulo their number; what has no draws comes from the middle one."""
    middle, every = variants[len(variants) // 2], np.arange(variants[0].draws)
    turn = every % len(variants)

    def taken(name: str) -> FloatArray:
        return np.asarray(np.stack([getattr(one, name) for one in variants])[turn, :, every].T)

    drawn: dict[str, Any] = {name: taken(name) for name in DRAWN}
    residuals = [np.mean(rows, axis=0) for rows in zip(*(one.residuals for one in variants), strict=True)]
    own = [_own(d, observations.points[g]) for g, d in zip(on, middle.diagnostics, strict=True)]
    return replace(
        middle,
        **drawn,
        diagnostics=tuple(own),
        residuals=tuple(residuals),
    )


def _own(diagnostics: Diagnostics, points: Points) -> Diagnostics:
    """Diagnostics of a fit to effective sizes, told in own counts."""
    return diagnostics._replace(
        distinct_sizes=len(np.unique(points.counts)), largest_count=float(points.counts.max(initial=0.0))
    )


def _told(key: str, keys: tuple[str, ...], transfer: Transfer, group: int, held: float) -> tuple[Warning, ...]:
    """The warning `transfer`: what the other groups' counts held now are worth to the group, and whose most."""
    start = transfer.head_start[group]
    mean = float(start.mean())
    if abs(mean) < WORTH_SAYING * max(held, 1.0):
        return ()
    low, high = np.quantile(start, (0.05, 0.95))
    most = keys[int(np.argmax(np.abs(transfer.gains[group].mean(axis=1))))]
    effect = "helps" if mean > 0 else "harms"
    detail = (
        f"Other groups' data {effect} this one: what is held of them counts as {mean:.0f} ({low:.0f} to {high:.0f}) of"
        f" its own samples, most through {most}; see what buying there would do before buying here."
    )
    return (Warning("transfer", detail, key),)
