"""Which runs with a pilot of a source would tell its quality best (method.md 9, "Pilots").

A pilot of m samples is swapped onto subsets of the clean ones: a run on n of these and k ≤ m of the pilot measures
f(n + q k). Runs are chosen one after the other, each where the expected posterior variance of q falls most. Over the
draws d of q and of the group's curve, for runs Y = f_d(n + q_d k) − f_d(n_ref),

    E Var(q | Y) = Var q − c ᵀ (Cov Y + τ² (I + 1 1ᵀ))⁻¹ c,    c = Cov(q, Y):

the run on what is held has seen the shared holdout's error, which so cancels; its own training error τ stays in all.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import ndtr

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Posterior
from app.planner.curves.random_streams import uniforms
from app.planner.quality.worth import Z90, Quality

CLEAN_PARTS = (1.0, 0.5, 0.25, 0.125, 0.0)
"""Of the clean samples held, a run takes one of these shares, ..."""
PILOT_PARTS = (1.0, 0.5)
"""... and of the pilot one of these."""
LEAST_SAMPLES = 5.0
"""Runs on fewer samples in all are not asked for."""
LEAST_NOISE = 1e-6
"""τ is at least this share of what losses differ by."""
DECIDES = 0.5
"""A pilot decides where the chance is at least this that the 90 % interval is then clear of the break-even."""


@dataclass(frozen=True)
class PilotRun:
    """A run on `clean` samples and `pilot` of the source's, both whole. sd: of the quality, expected after this run and
    those before it."""

    clean: int
    pilot: int
    sd: float


@dataclass(frozen=True)
class Pilot:
    """runs: in the order in which they tell most. sd_now, sd_after: of the quality. chance: that it is then decided
    whether the source is worth its price, None where there is no break-even to decide by. decides: whether that is
    likely."""

    runs: tuple[PilotRun, ...]
    sd_now: float
    sd_after: float
    chance: float | None

    @property
    def decides(self) -> bool:
        return self.chance is not None and self.chance >= DECIDES


def plan_pilot(
    curve: Posterior, quality: Quality, clean: int, size: int, runs: int, break_even: float | None, seed: int
) -> Pilot:
    """Up to `runs` runs with a pilot of `size` samples. curve: of the one group that they are of. clean: samples of it
    that are held and clean. break_even: the quality at which the source is worth its price. Raises ValueError where
    size or runs is below 1."""
    if size < 1 or runs < 1:
        raise ValueError(f"a pilot of {size} samples in {runs} runs; both must be at least 1")
    options = _options(clean, size)
    now = float(np.sqrt(quality.variance))
    if quality.is_exact or curve.draws < 2:
        return Pilot((), now, now, None if break_even is None else 1.0)
    drawn = _drawn(quality, curve.draws, seed)
    seen = np.stack([_losses(curve, n + drawn * k) for n, k in options])
    seen = seen - _losses(curve, np.full(curve.draws, float(curve.reference[0])))
    noise = max(float(curve.noise[0]), LEAST_NOISE * float(np.abs(seen).max()))
    chosen: list[int] = []
    left: list[float] = []
    for _ in range(min(runs, len(options))):
        after = [
            np.inf if at in chosen else _variance_left(drawn, seen[[*chosen, at]], noise) for at in range(len(options))
        ]
        chosen.append(int(np.argmin(after)))
        left.append(min(after) * quality.variance / float(drawn.var()))
    found = tuple(
        PilotRun(*options[at], sd=float(np.sqrt(max(variance, 0.0)))) for at, variance in zip(chosen, left, strict=True)
    )
    sd = found[-1].sd
    return Pilot(found, now, sd, None if break_even is None else _chance(quality, sd, break_even))


def _options(clean: int, size: int) -> list[tuple[int, int]]:
    """The compositions to choose among, each once."""
    parts = product(CLEAN_PARTS, PILOT_PARTS)
    found = ((int(clean * share), max(1, int(size * part))) for share, part in parts)
    return list(dict.fromkeys(one for one in found if sum(one) >= min(LEAST_SAMPLES, size)))


def _drawn(quality: Quality, draws: int, seed: int) -> FloatArray:
    """Even quantiles of the quality, in random order [draws]."""
    levels = (np.arange(draws) + 0.5) / draws
    values = np.array([quality.quantile(float(level)) for level in levels])
    return values[np.argsort(uniforms(seed, ("pilot",), draws)[0, 0])]


def _losses(curve: Posterior, counts: FloatArray) -> FloatArray:
    """Each draw's loss at its own count ≥ 0 [draws]."""
    found = curve.loss(np.maximum(counts, 0.0)[None, :])
    return np.asarray(found[0, np.arange(len(counts)), np.arange(len(counts))])


def _variance_left(drawn: FloatArray, seen: FloatArray, noise: float) -> float:
    """E Var(q | Y) of runs that see `seen` [runs, draws], by the draws' own covariances."""
    off, quality = seen - seen.mean(axis=1, keepdims=True), drawn - drawn.mean()
    covariance = off @ off.T / len(drawn) + noise**2 * (np.eye(len(seen)) + 1.0)
    cross = off @ quality / len(drawn)
    return float(quality @ quality / len(drawn) - cross @ np.linalg.solve(covariance, cross))


def _chance(quality: Quality, sd: float, break_even: float) -> float:
    """That the interval of a posterior with the sd `sd` is clear of the break-even: its mean is about N(now, what is
    learnt)."""
    learnt = float(np.sqrt(max(quality.variance - sd**2, 0.0)))
    reach = Z90 * sd
    if learnt == 0.0:
        return float(abs(quality.mean - break_even) > reach)
    low, high = ((break_even + end * reach - quality.mean) / learnt for end in (-1.0, 1.0))
    return float(ndtr(low) + 1.0 - ndtr(high))
