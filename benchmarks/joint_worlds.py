"""Made worlds of one model on all groups: families that teach each other, families in each other's way, and groups that
have nothing to do with each other. None has a form of the engine's.
"""

from dataclasses import dataclass, field

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Posterior
from app.planner.simulation.worlds import Measured

MOST = 20_000
"""Samples of a group's order; more change no error."""
TYPICAL = 400.0
"""`noise` is the sd of the training error at so many effective samples."""
FRESH = 0.1
"""Share of the training error's variance that is new in every run; the rest is that of who was trained on."""


@dataclass
class Order:
    """Training errors of models trained on the first n of one order of each group's samples: weighted means over
    samples, so that runs share what they have in common.

    weight [k, k]: what a sample of h (columns) counts in the mean of g, 1 on the diagonal. noise [k]: at TYPICAL.
    """

    weight: FloatArray
    noise: FloatArray
    seed: int
    walk: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        k = len(self.noise)
        steps = np.random.default_rng((self.seed, 1)).standard_normal((k, k, MOST))
        self.walk = np.concatenate([np.zeros((k, k, 1)), steps.cumsum(axis=2)], axis=2)

    def errors(self, runs: FloatArray, number: int) -> FloatArray:
        """Of the runs [runs, k] of round `number`."""
        at = np.minimum(runs, MOST).astype(np.int64)
        groups = np.arange(len(self.noise))
        size = np.maximum(runs @ self.weight.T, 1.0)
        mean = np.array([(self.weight * self.walk[:, groups, row]).sum(axis=1) for row in at]) / size
        fresh = np.random.default_rng((self.seed, 2, number)).standard_normal(runs.shape) / np.sqrt(size)
        return np.asarray(self.noise * np.sqrt(TYPICAL) * (np.sqrt(1.0 - FRESH) * mean + np.sqrt(FRESH) * fresh))


@dataclass
class FamilyWorld:
    """Six groups in two families as a world of the game, made of `seed`.

    A sample of kin counts as `near` own ones, of others as `far`, each pair somewhat apart. The loss falls with a power
    of the effective count and, for the share `own`, with one of the own count; the squared share that the other family
    has in the mixture is added, times `harm`. shared: sd of the holdout's error, which is stated.
    """

    seed: int
    near: float = 0.6
    far: float = 0.08
    own: float = 0.3
    harm: float = 0.0
    noise: float = 0.02
    shared: float = 0.02
    start: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng((self.seed, 0))
        family = np.repeat([0, 1], 3)
        kin = family[:, None] == family
        k = len(family)
        self.start = np.floor(np.exp(random.uniform(np.log(40.0), np.log(150.0), k)))
        apart = np.exp(0.25 * random.standard_normal((k, k)))
        self.weight = np.minimum(np.where(kin, self.near, self.far) * apart, 1.0)
        np.fill_diagonal(self.weight, 1.0)
        self.others = 1.0 * ~kin
        self.floor, self.scale = random.uniform(0.25, 0.45, k), 0.6 * random.uniform(0.4, 0.6, k)
        self.power = -random.uniform(0.35, 0.7, k)
        self.luck = self.shared * random.standard_normal(k)
        self.order = Order(self.weight, np.full(k, self.noise), self.seed)

    @property
    def truth(self) -> Posterior | None:
        return None

    def losses(self, runs: FloatArray) -> FloatArray:
        together = ((runs @ self.weight.T + 80.0) / 300.0) ** self.power
        alone = ((runs + 40.0) / 150.0) ** self.power
        mixture = runs / np.maximum(runs.sum(axis=1, keepdims=True), 1.0)
        falls = self.floor + self.scale * ((1.0 - self.own) * together + self.own * alone)
        return np.asarray(falls + self.harm * (mixture @ self.others) ** 2)

    def measure(self, runs: FloatArray, number: int) -> Measured:
        losses = np.maximum(self.losses(runs) + self.luck + self.order.errors(runs, number), 0.0)
        return Measured(losses, np.full(runs.shape, self.shared), 0)


WORLDS = {
    "families": {},
    "harm": {"near": 0.5, "far": 0.0, "harm": 1.0 / 16.0},
    "independent": {"near": 0.0, "far": 0.0, "own": 0.0},
}
PRICES = np.array([1.0, 2.0, 4.0, 1.0, 2.0, 4.0])
