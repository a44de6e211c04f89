"""The share of promised gains that did not come, by the record of past forecasts, and curves that promise so much less
(method.md 4).

A forecast beyond the largest size p measured before it promises a gain: what its median lies better than the curve at
p. The share b overpromised is one for all promises of the record; a curve's gain beyond p is then (1 − b) of what it
was, which is the same family with another floor: f(n) → b f(p) + (1 − b) f(n).
"""

from dataclasses import replace

import numpy as np

from app.planner.arrays import BoolArray, FloatArray
from app.planner.curves import Posterior
from app.planner.forecasts.predictive import Asked, at_runs
from app.planner.forecasts.scoring import LEAST_RECORD

DOUBTED = 10.0
"""What the record says is drawn to 0 as if so many forecasts had told of no bias. Chosen on simulated ledgers, in which
20 forecasts then leave at most half of a bias, and where there is none make later errors larger by less than 1 %."""


def overpromised(promised: FloatArray, short: FloatArray, width: FloatArray) -> float:
    """The share b of promised gains that did not come, within ±1; 0 below LEAST_RECORD forecasts.

    promised [forecasts] > 0: the gains. short: by how much what was measured was worse than the median. width > 0: of
    each forecast's interval, same units. b minimises Σ |short − b promised| / width: the median of short/promised at
    weights promised/width, which a few forecasts cannot move far. It is then multiplied by m/(m + DOUBTED), where
    m = (Σ weights)² / Σ weights² is how many forecasts of equal weight are worth as much.
    """
    if len(promised) < LEAST_RECORD:
        return 0.0
    share, weight = short / promised, promised / width
    order = np.argsort(share, kind="stable")
    mass = np.cumsum(weight[order])
    median = float(share[order][np.searchsorted(mass, 0.5 * mass[-1])])
    worth = float(weight.sum() ** 2 / (weight**2).sum())
    return min(max(median, -1.0), 1.0) * worth / (worth + DOUBTED)


def promised_gains(posterior: Posterior, asked: Asked) -> FloatArray:
    """What the median of each row's curve gains from its largest measured size to the run's counts [rows], 0 at
    sizes up to there; as losses."""
    largest = np.array([one.largest_count for one in posterior.diagnostics], dtype=np.float64)
    known = asked.runs.copy()
    rows = np.arange(len(asked.groups))
    known[rows, asked.groups] = np.minimum(known[rows, asked.groups], largest[asked.groups])
    before, after = (at_runs(posterior, asked.groups, runs, Posterior.loss).all() for runs in (known, asked.runs))
    return np.asarray(np.median(before - after, axis=1))


def promising_less(posterior: Posterior, held: FloatArray, measured: BoolArray, share: float) -> Posterior:
    """The curves with gains beyond what is known cut by `share`; a share below 0 adds to them, no loss falling below 0.

    held [groups]: effective counts. measured [groups]: whose curves are forecast; others stay. A group's curve is kept
    at the smaller one of what is held and its largest measured size; plans ask of counts from there on only.
    """
    if share == 0.0 or not measured.any():
        return posterior
    largest = np.array([one.largest_count for one in posterior.diagnostics], dtype=np.float64)
    kept = posterior.loss(np.minimum(held, largest))
    gain = kept - posterior.asymptote
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.where(gain > 0.0, -posterior.asymptote / gain, 0.0)
    cut = np.where(measured[:, None], np.maximum(share, least), 0.0)
    transfer = posterior.transfer
    if transfer is not None:
        transfer = replace(transfer, conflict=(1.0 - cut) * transfer.conflict)
    asymptote, excess = posterior.asymptote + cut * gain, (1.0 - cut) * posterior.excess
    return replace(posterior, asymptote=asymptote, excess=excess, transfer=transfer)
