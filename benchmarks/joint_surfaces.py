"""Smooth true responses read off tables of retrained models, as worlds: the mean of three forms, each fitted to a whole
table, none of them the engine's.

    product       a + b Π_h (n_h + m)^(−c_h)
    two powers    a + b (n_g + m)^(−c) + d (E + m)^(−c),                E = n_g + Σ w_h n_h
    misfit        a + b (E + m)^(−c) + d (Σ_h q_h n_h / N)²             (the engine ties q to w)

with a, b, d ≥ 0 by least squares, and a constant for each further split. Runs weigh by √(N + 50).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from joint_tables import Table
from joint_worlds import TYPICAL, Order
from scipy.optimize import least_squares, nnls

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Posterior
from app.planner.simulation.worlds import Measured

PULL = 0.02
"""What the runs leave open is pulled to where the search starts by this share of the losses' spread."""
OTHERS = 0.4
"""What a sample of another group counts in a training error."""
EVALUATIONS = 25
Form = Callable[[FloatArray, FloatArray, FloatArray], list[FloatArray]]
"""Own counts [runs], the others' [runs, k − 1] and θ → the columns that b and d are for, each [runs]."""


def power(counts: FloatArray, offset: float, exponent: FloatArray | float) -> FloatArray:
    return np.asarray(((counts + np.exp(offset)) / TYPICAL) ** -np.exp(exponent))


def product(own: FloatArray, others: FloatArray, theta: FloatArray) -> list[FloatArray]:
    counts = np.column_stack([own, others])
    return [power(counts, theta[0], theta[1 : 1 + counts.shape[1]]).prod(axis=1)]


def two_powers(own: FloatArray, others: FloatArray, theta: FloatArray) -> list[FloatArray]:
    return [power(own, theta[0], theta[1]), power(own + others @ np.exp(theta[2:]), theta[0], theta[1])]


def misfit(own: FloatArray, others: FloatArray, theta: FloatArray) -> list[FloatArray]:
    weights, unlike = np.exp(theta[2:]).reshape(2, -1)
    mixture = others / (own + others.sum(axis=1) + 1.0)[:, None]
    return [power(own + others @ weights, theta[0], theta[1]), (mixture @ unlike) ** 2]


def starts(others: int) -> list[tuple[Form, FloatArray]]:
    """The forms, each with the θ that its search begins at."""
    offset, exponent, weight = np.log([40.0, 0.6, 0.4])
    return [
        (product, np.array([offset, np.log(0.3), *[np.log(0.1)] * others])),
        (two_powers, np.array([offset, exponent, *[weight] * others])),
        (misfit, np.array([offset, exponent, *[weight] * others, *[0.0] * others])),
    ]


@dataclass(frozen=True)
class Curve:
    """A form of one group with its θ and coefficients (of 1 and of the form's columns)."""

    form: Form
    group: int
    theta: FloatArray
    coefficients: FloatArray

    def loss(self, runs: FloatArray) -> FloatArray:
        """runs [runs, k] → [runs]."""
        columns = self.form(runs[:, self.group], np.delete(runs, self.group, axis=1), self.theta)
        return np.column_stack([np.ones(len(runs)), *columns]) @ self.coefficients


def fitted(table: Table, group: int, form: Form, start: FloatArray) -> Curve:
    own, others = table.counts[:, group], np.delete(table.counts, group, axis=1)
    weight = np.sqrt(table.counts.sum(axis=1) + 50.0)
    weight /= np.sqrt((weight**2).mean())
    shift = (table.split[:, None] == np.arange(1, table.split.max() + 1)) * 1.0
    losses = table.losses[:, group]
    pull = PULL * float((weight * losses).std())

    def solved(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Coefficients and weighted residuals."""
        columns = np.column_stack([np.ones(len(own)), *form(own, others, theta), shift, -shift])
        scale = np.maximum(np.abs(columns).max(axis=0), 1e-12)
        found, _ = nnls(columns * weight[:, None] / scale, losses * weight)
        return found / scale, weight * (losses - columns @ (found / scale))

    def residuals(theta: FloatArray) -> FloatArray:
        return np.append(solved(theta)[1], pull * (theta - start))

    theta = least_squares(residuals, start, bounds=(-9.0, 9.0), max_nfev=EVALUATIONS).x
    parts = 1 + len(form(own, others, theta))
    return Curve(form, group, theta, solved(theta)[0][:parts])


@dataclass(frozen=True)
class Surface:
    """What a table says of its groups. noise [k]: sd of one run's training error at TYPICAL samples; most [k]: the
    largest counts."""

    table: Table
    curves: tuple[tuple[Curve, ...], ...]
    noise: FloatArray
    most: FloatArray

    @classmethod
    def of(cls, table: Table) -> "Surface":
        groups = len(table.keys)
        curves = tuple(tuple(fitted(table, g, *one) for one in starts(groups - 1)) for g in range(groups))
        left = table.losses - losses_of(curves, table.counts)
        for split in np.unique(table.split):
            left[table.split == split] -= left[table.split == split].mean(axis=0)
        left *= np.sqrt(table.counts.sum(axis=1) / TYPICAL)[:, None]
        return cls(table, curves, left.std(axis=0), table.counts.max(axis=0))


def losses_of(curves: tuple[tuple[Curve, ...], ...], runs: FloatArray) -> FloatArray:
    """[runs, k]: the mean of each group's curves."""
    return np.stack([np.mean([one.loss(runs) for one in mine], axis=0) for mine in curves], axis=1)


@dataclass
class SurfaceWorld:
    """A surface with counts held at first, as a world made of `seed`. shared: sd of the holdout's error, stated; noise:
    times the table's training error, whose runs draw their rows anew and thus stray more than those on one order."""

    surface: Surface
    start: FloatArray
    seed: int
    shared: float = 0.03
    noise: float = 0.7
    luck: FloatArray = field(init=False)
    order: Order = field(init=False)

    def __post_init__(self) -> None:
        groups = len(self.start)
        self.luck = self.shared * np.random.default_rng((self.seed, 0)).standard_normal(groups)
        weight = np.where(np.eye(groups, dtype=np.bool_), 1.0, OTHERS)
        self.order = Order(weight, self.noise * self.surface.noise, self.seed)

    @property
    def truth(self) -> Posterior | None:
        return None

    def losses(self, runs: FloatArray) -> FloatArray:
        return losses_of(self.surface.curves, runs)

    def measure(self, runs: FloatArray, number: int) -> Measured:
        losses = np.maximum(self.losses(runs) + self.luck + self.order.errors(runs, number), 0.0)
        return Measured(losses, np.full(runs.shape, self.shared), 0)
