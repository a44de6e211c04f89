"""What the groups of one project have in common, in strata, and what each group then has of its own (method.md 3).

    L_g(n) = a + b ((E + m)/(E_ref + m))^(−c) + d (M² − M_ref²)
    E = n_g + Σ_h w_h n_h/(1 + n_h/κ),    M = Σ_h (1 − w_h)⁺ n_h / N

in units of the group's typical loss, ref being the largest run. A stratum j is a transfer t, an exponent, a conflict
and a gain; given it the groups are independent:

    log w_h ~ N(log t − s²/4, s²),  log c ~ N(log c_j, .3²)
    log m/E_ref ~ N(log .3, 1.6²),  log κ/n_max ~ N(log 2, 1.5²)
    a ~ N(1 − β, .15²),  b ~ N(β, (.35 β)²),  d ~ N(0, D²),  b and d ≥ 0

A stratum without transfer and conflict is own counts. The form and these numbers were chosen among nine on eighteen
tables of retrained models (docs/evidence.md).
"""

from dataclasses import replace
from itertools import product

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.prior import Prior

TRANSFERS = (0.0, 0.06, 0.2, 0.5, 0.9)
"""t: what a sample of another group is worth, about."""
EXPONENTS = (0.3, 0.6, 1.2)
CONFLICTS = (0.0, 0.1)
"""D: how much of its typical loss a group may have from models that fit the others, about."""
GAIN_LEVELS = (0.12, 0.35, 0.8)
"""β: the share of the loss at the largest run that data can still take away."""

STRATA = np.array(list(product(TRANSFERS, EXPONENTS, CONFLICTS, GAIN_LEVELS)))
"""[J, 4]: t, exponent, D, β."""

WEIGHT_SPREAD, STRATUM_SPREAD = 0.7, 0.3
OFFSET, OFFSET_SPREAD = 0.3, 1.6
SATURATION, SATURATION_SPREAD = 2.0, 1.5
LEVEL_SPREAD, GAIN_SPREAD = 0.15, 0.35

SHAPES = len(EXPONENTS) * len(GAIN_LEVELS)
"""Strata that differ in transfer and conflict alone say the same of a group's own curve."""
FAINT = 1e-3
"""Every shape is in every stratum to this share, at least."""

NO_TRANSFER = 1e-3
"""t = 0 stands for weights about this, too small to matter, so that all strata have one form; they are drawn as 0."""

OWN = 3
"""So many coordinates of x are not weights: log m/E_ref, log c, log κ/n_max."""


def centres(others: int) -> tuple[FloatArray, FloatArray]:
    """Mean and sd [J, others + OWN] of x = (log w of the others, log m/E_ref, log c, log κ/n_max) in every stratum."""
    t, exponent = np.maximum(STRATA[:, 0], NO_TRANSFER), STRATA[:, 1]
    mean = np.empty((len(STRATA), others + OWN))
    mean[:, :others] = (np.log(t) - WEIGHT_SPREAD**2 / 4.0)[:, None]
    mean[:, others:] = np.column_stack(
        [np.full(len(t), np.log(OFFSET)), np.log(exponent), np.full(len(t), np.log(SATURATION))]
    )
    sd = np.full(mean.shape, WEIGHT_SPREAD)
    sd[:, others:] = OFFSET_SPREAD, STRATUM_SPREAD, SATURATION_SPREAD
    return mean, sd


def weights_of(x: FloatArray) -> FloatArray:
    """w [..., others] of x: a sample of another group is worth at most 1½ of one's own, softly."""
    w = np.exp(x[..., :-OWN])
    return np.where(w > 1.0, 1.0 + 0.5 * np.tanh((w - 1.0) / 0.5), w)


def shape_of(stratum: IntArray) -> IntArray:
    """What each of the strata says of a group's own curve, as a number below SHAPES."""
    exponent, gain = stratum // (len(CONFLICTS) * len(GAIN_LEVELS)) % len(EXPONENTS), stratum % len(GAIN_LEVELS)
    return np.asarray(exponent * len(GAIN_LEVELS) + gain)


def leaning(prior: Prior, shape: int) -> Prior:
    """The prior of own curves in the strata of that `shape_of`: each node's weight times the chance that a curve like
    it comes from there. Over all strata alike the prior itself is left."""
    c, rho = np.log(prior.shape_nodes[0])[:, None, None], 1.0 - np.array(prior.floors)[:, None]
    typical, gain = (values.ravel() for values in np.meshgrid(EXPONENTS, GAIN_LEVELS, indexing="ij"))
    log_chance = -0.5 * ((c - np.log(typical)) / STRATUM_SPREAD) ** 2
    log_chance = log_chance - 0.5 * ((rho - gain) / (GAIN_SPREAD * gain)) ** 2 - np.log(gain)
    chance = np.exp(log_chance - log_chance.max(axis=2, keepdims=True))
    chance /= chance.sum(axis=2, keepdims=True)
    chance = (1.0 - FAINT) * SHAPES * chance[:, :, shape] + FAINT
    return replace(prior, shape=prior.shape + np.log(chance))
