"""Worlds to play the collection game in: what models trained on given counts would really measure (planner.md 8)."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Diagnostics, Posterior
from app.planner.curves.transfer import Transfer


@dataclass(frozen=True)
class Measured:
    """Runs as they were scored: losses and their evaluation errors, both [runs, groups]; holdout: its number."""

    losses: FloatArray
    stderrs: FloatArray
    holdout: int


class World(Protocol):
    """Where samples are collected. `start`: counts held at first [groups]. `truth`: the true curves in one draw, where
    they are known."""

    @property
    def start(self) -> FloatArray: ...

    @property
    def truth(self) -> Posterior | None: ...

    def losses(self, runs: FloatArray) -> FloatArray:
        """True losses [runs, groups] of models trained on `runs` [runs, groups]."""
        ...

    def measure(self, runs: FloatArray, number: int) -> Measured:
        """The runs of round `number` as they are scored. The same call gives the same numbers, and the errors do not
        depend on the counts: policies that are compared meet the same luck."""
        ...


@dataclass(frozen=True)
class CurveWorld:
    """A world of known curves: `truth` in one draw, with transfer or without.

    shared, noise [groups]: sd of the error that all runs of the holdout share, and of each run's own. The errors are
    made of `seed`; a measured loss is never below 0.
    """

    truth: Posterior
    start: FloatArray
    shared: FloatArray
    noise: FloatArray
    seed: int

    def losses(self, runs: FloatArray) -> FloatArray:
        return np.array([self.truth.moved(counts).loss(counts)[:, 0] for counts in runs])

    def measure(self, runs: FloatArray, number: int) -> Measured:
        groups = len(self.start)
        holdout = self.shared * np.random.default_rng((self.seed, 0)).standard_normal(groups)
        own = self.noise * np.random.default_rng((self.seed, number + 1)).standard_normal((len(runs), groups))
        losses = np.maximum(self.losses(runs) + holdout + own, 0.0)
        return Measured(losses, np.tile(np.where(self.shared > 0.0, self.shared, np.nan), (len(runs), 1)), 0)


def posterior_world(posterior: Posterior, draw: int, start: FloatArray, shared: FloatArray, seed: int) -> CurveWorld:
    """The world in which one draw of a fitted posterior is true, with the training errors that the fit found.

    start, shared [groups]: counts held, and the holdout's error.
    """
    return CurveWorld(one_of(posterior, draw), start, shared, posterior.noise, seed)


def one_of(posterior: Posterior, draw: int) -> Posterior:
    """The posterior's draw of that number, as if it were certain."""
    arrays = {
        name: getattr(posterior, name)[:, [draw]]
        for name in ("asymptote", "excess", "anchor", "exponent", "offset", "knot", "discrepancy")
    }
    transfer = posterior.transfer
    if transfer is not None:
        transfer = replace(transfer, weights=transfer.weights[:, :, [draw]], kappa=transfer.kappa[:, [draw]])
    return replace(posterior, **arrays, transfer=transfer, warnings=())


def hyperbolas(
    keys: tuple[str, ...], top: FloatArray, half: FloatArray, weights: FloatArray, kappa: float, start: FloatArray
) -> Posterior:
    """Curves of scores with the upper bound 1 that grow as A n/(n + m), in one draw.

    n is the effective size n_g + Σ_h w_gh n_h/(1 + n_h/κ). top A and half m [groups], weights w [groups, groups] with a
    diagonal of 0, start [groups]. The loss is 1 − A + A m/(n + m).
    """
    groups = len(keys)
    column = np.ones((groups, 1))
    return Posterior(
        keys=keys,
        asymptote=(1.0 - top)[:, None],
        excess=(top * half)[:, None],
        anchor=column,
        exponent=column,
        offset=half[:, None],
        knot=np.zeros((groups, 1)),
        reference=np.ones(groups),
        noise=np.zeros(groups),
        discrepancy=np.zeros((groups, 1)),
        diagnostics=(Diagnostics(0, 0, 0.0, 0),) * groups,
        residuals=(np.zeros(0),) * groups,
        warnings=(),
        transfer=Transfer(weights[:, :, None], kappa * column, start, np.zeros(groups), ((),) * groups),
    )


POLYGENIC_KEYS = ("YRI", "CEU", "CHB")
POLYGENIC_TRANSFER = np.array([[0.0, 0.17, 0.18], [0.19, 0.0, 0.45], [0.20, 0.44, 0.0]])


def polygenic_surrogate(start: FloatArray, seed: int) -> CurveWorld:
    """A world of three populations whose curves were read off polygenic scores over simulated genomes.

    R² of YRI, CEU and CHB, the holdout's error .03 and a run's own .01.
    """
    truth = hyperbolas(
        POLYGENIC_KEYS,
        np.array([0.96, 0.92, 0.90]),
        np.array([523.0, 402.0, 368.0]),
        POLYGENIC_TRANSFER,
        1500.0,
        start,
    )
    return CurveWorld(truth, start, np.full(3, 0.03), np.full(3, 0.01), seed)


def nested_runs(held: FloatArray, shares: tuple[float, ...]) -> FloatArray:
    """Whole counts [shares, groups] of training subsets of what is held, each within the next."""
    return np.asarray(np.maximum(np.floor(held * np.array(sorted(shares))[:, None]), 0.0))


def mixed_runs(held: FloatArray, shares: tuple[float, ...]) -> FloatArray:
    """`nested_runs`, and before them for every share below 1 and every group with samples a run in which that group
    alone is so small: only runs of different mixtures say who helps whom [runs, groups]."""
    nested = nested_runs(held, shares)
    smaller = nested[[share < 1.0 for share in sorted(shares)]]
    alone = np.where(np.eye(len(held), dtype=np.bool_), smaller[:, None, :], held)[:, held > 0.0]
    return np.concatenate([alone.reshape(-1, len(held)), nested])
