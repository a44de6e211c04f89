"""Worlds to play the collection game in: what models trained on given counts would really measure (simulations.md)."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Posterior


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
    return CurveWorld(posterior.draw(draw), start, shared, posterior.noise, seed)


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
