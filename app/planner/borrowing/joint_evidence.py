"""The evidence of one group's losses for what other groups' samples do to it, its own curve integrated out.

    y ~ N(X (a, b, d), V),   X = [1, p, M² − M_ref²],   V = σ² C_φ + Σ_h s_h² 1_h 1_hᵀ

C_φ is the covariance of models trained on the first n_h of one order of each group's samples, whose errors are means
over samples that overlap, but for a share φ that is new in every run (method.md 3):

    C_ij = (1 − φ) E_ref E_ij/(E_i E_j) + φ E_ref/E_i 1{i = j},   E_ij = Σ_h ω_h min(n_ih, n_jh),  ω = 1 own, .4 others.

(a, b, d) is integrated over its normal prior, cut to b, d ≥ 0 by the product of the two marginal chances; σ and φ over
their grids. Shapes: B candidates, P points, h other groups, T noise nodes (σ, φ).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

from app.planner.arrays import FloatArray, IntArray
from app.planner.borrowing.strata import GAIN_SPREAD, LEVEL_SPREAD, OWN, STRATA, weights_of

SIGMAS = np.array([0.004, 0.008, 0.016, 0.032, 0.064, 0.128])
TYPICAL_SIGMA, TYPICAL_SIZE, SIGMA_SPREAD = 0.05, 400.0, 0.7
"""log σ ~ N(log(.05 √(400/E_ref)), .7²) on the grid: a mean over samples strays the less, the more there are."""
FRESH = np.array([0.05, 0.25, 1.0])
"""φ."""
OTHERS = 0.4
"""ω."""
NO_CONFLICT = 1e-3
"""D = 0 stands for this, too small to matter."""
JITTER = 1e-6
LARGEST_LOG_POWER = float(np.log(1e6))
"""A loss a million times the typical one is ruled out as well as a larger one."""


@dataclass(frozen=True)
class Compositions:
    """One group's points with all that their models were trained on, losses in units of its typical one.

    own, losses [P], others [P, h], by group or by class of groups, holdout [P] from 0; errors s_h [holdouts]. biggest:
    n_max, inf where nothing saturates.
    """

    own: FloatArray
    others: FloatArray
    losses: FloatArray
    holdout: IntArray
    errors: FloatArray
    biggest: float

    @cached_property
    def largest(self) -> int:
        """The point of most samples."""
        return int(np.argmax(self.total))

    @cached_property
    def total(self) -> FloatArray:
        """N [P], at least 1."""
        return np.asarray(np.maximum(self.own + self.others.sum(axis=1), 1.0))

    @cached_property
    def counted(self) -> FloatArray:
        """E_ii [P], at least 1."""
        return np.asarray(np.maximum(self.own + OTHERS * self.others.sum(axis=1), 1.0))

    @cached_property
    def factors(self) -> tuple[FloatArray, FloatArray]:
        """L⁻¹ of V [T, P, P] and the log prior less log det L [T] of every noise node."""
        white, log_weight = [], []
        shared = (self.holdout[:, None] == self.holdout) * (self.errors**2)[self.holdout][:, None]
        typical = TYPICAL_SIGMA * np.sqrt(TYPICAL_SIZE / self.counted[self.largest])
        log_prior = -0.5 * (np.log(SIGMAS / np.clip(typical, SIGMAS[0], SIGMAS[-1])) / SIGMA_SPREAD) ** 2
        for fresh in FRESH:
            training = self._training(float(fresh))
            for sigma, prior in zip(SIGMAS, log_prior, strict=True):
                lower = np.linalg.cholesky(sigma**2 * training + shared)
                white.append(np.linalg.inv(lower))
                log_weight.append(prior - np.log(np.diag(lower)).sum())
        return np.array(white), np.array(log_weight)

    def _training(self, fresh: float) -> FloatArray:
        """C_φ [P, P]."""
        both, each = overlap(self.own, self.others), self.counted
        reference = each[self.largest]
        overlapping = (1.0 - fresh) * reference * both / (each[:, None] * each)
        return np.asarray(overlapping + np.diag(fresh * reference / each + JITTER))


def overlap(own: FloatArray, others: FloatArray) -> FloatArray:
    """E_ij [P, P] of runs that train on the first n of one order of each group's samples."""
    counts = np.column_stack([own, others * OTHERS])
    both = np.zeros((len(counts), len(counts)))
    for column in counts.T:
        both += np.minimum(column[:, None], column)
    return both


class Looked(NamedTuple):
    """Candidates with their evidence. log [B]: log p(y | x, stratum), up to a constant of the group.

    by_noise [B, T]: of each noise node. mean [B, T, 3], of (a, b, d) there, and sd [B, T], of d, both before the cut.
    """

    log: FloatArray
    by_noise: FloatArray
    mean: FloatArray
    sd: FloatArray

    def over(self, nodes: IntArray | None) -> "Looked":
        """Over all noise nodes, those but `nodes` ruled out."""
        if nodes is None:
            return self
        every = len(SIGMAS) * len(FRESH)
        by_noise, mean = np.full((len(self.log), every), -np.inf), np.zeros((len(self.log), every, 3))
        sd = np.ones(by_noise.shape)
        by_noise[:, nodes], mean[:, nodes], sd[:, nodes] = self.by_noise, self.mean, self.sd
        return Looked(self.log, by_noise, mean, sd)


def effective_counts(data: Compositions, x: FloatArray) -> FloatArray:
    """E [B, P] of candidates x [B, h + OWN]."""
    w = weights_of(x)
    if np.isinf(data.biggest):
        return np.asarray(data.own + w @ data.others.T)
    kappa = data.biggest * np.exp(x[:, [-1]])
    found = np.repeat(data.own[None], len(x), axis=0)
    # w n/(1 + n/κ) in one array's memory: candidates are looked at most for this.
    w, worth = w * kappa, np.empty_like(found)
    for h, n in enumerate(data.others.T):
        np.divide(n, np.add(n, kappa, out=worth), out=worth)
        worth *= w[:, [h]]
        found += worth
    return found


def misfits(data: Compositions, x: FloatArray) -> FloatArray:
    """M² [B, P] of candidates x [B, h + OWN]."""
    away = np.maximum(1.0 - weights_of(x), 0.0)
    return np.asarray((away @ (data.others / data.total[:, None]).T) ** 2)


def columns(data: Compositions, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """p and M² − M_ref² [B, P] of candidates x [B, h + OWN]."""
    effective, misfit = effective_counts(data, x), misfits(data, x)
    reference = np.maximum(effective[:, [data.largest]], 1.0)
    m = np.exp(x[:, [-OWN]]) * reference
    base = np.maximum((effective + m) / (reference + m), 1e-12)
    power = np.exp(np.minimum(-np.exp(x[:, [1 - OWN]]) * np.log(base), LARGEST_LOG_POWER))
    return power, misfit - misfit[:, [data.largest]]


def coefficients(stratum: IntArray) -> tuple[FloatArray, FloatArray]:
    """Prior mean and precision of (a, b, d) [B, 3]."""
    _, _, conflict, gain = STRATA[stratum].T
    mean = np.stack([1.0 - gain, gain, np.zeros(len(gain))], axis=1)
    sd = np.stack([np.full(len(gain), LEVEL_SPREAD), GAIN_SPREAD * gain, np.maximum(conflict, NO_CONFLICT)], axis=1)
    return mean, sd**-2.0


def look(data: Compositions, x: FloatArray, stratum: IntArray, nodes: IntArray | None = None) -> Looked:
    """The evidence of candidates x [B, h + OWN] in the strata numbered `stratum` [B], over the noise nodes numbered
    `nodes`, all unless given."""
    white, log_weight = data.factors
    if nodes is not None:
        white, log_weight = white[nodes], log_weight[nodes]
    mean, precision = coefficients(stratum)
    power, misfit = columns(data, x)
    size = len(data.own)
    flat = white.reshape(-1, size)
    one, y = white.sum(axis=2), white @ data.losses

    def against(known: FloatArray, column: FloatArray) -> FloatArray:
        """[T, P] · L⁻¹ column, [T, B]."""
        return np.asarray(np.einsum("tp,tpq->tq", known, white) @ column.T)

    p = (flat @ power.T).reshape(len(white), size, -1)
    m = (flat @ misfit.T).reshape(len(white), size, -1)
    aa = (one**2).sum(axis=1)[:, None] + precision[:, 0]
    bb = np.einsum("tpb,tpb->tb", p, p) + precision[:, 1]
    dd = np.einsum("tpb,tpb->tb", m, m) + precision[:, 2]
    ab, ad, bd = against(one, power), against(one, misfit), np.einsum("tpb,tpb->tb", p, m)
    prior = precision * mean
    ra = (one * y).sum(axis=1)[:, None] + prior[:, 0]
    rb, rd = against(y, power) + prior[:, 1], against(y, misfit) + prior[:, 2]
    # a is eliminated first, then b: what is left of each is its precision given those after it.
    bb -= ab * (ab / aa)
    bd -= ab * (ad / aa)
    dd -= ad * (ad / aa)
    rb -= ab * (ra / aa)
    rd -= ad * (ra / aa)
    bb, precise = np.maximum(bb, precision[:, 1]), dd
    precise = np.maximum(precise - bd * (bd / bb), precision[:, 2])
    last = rd - bd * (rb / bb)
    d = last / precise
    b = (rb - bd * d) / bb
    a = (ra - ab * b - ad * d) / aa
    fit = ra**2 / aa + rb**2 / bb + last**2 / precise
    quadratic = fit - (y**2).sum(axis=1)[:, None] - (prior * mean).sum(axis=1)
    spread_b = np.sqrt(1.0 / bb + (bd / bb) ** 2 / precise)
    cut = log_ndtr(b / spread_b) + log_ndtr(d * np.sqrt(precise))
    log_det = np.log(aa) + np.log(bb) + np.log(precise) - np.log(precision).sum(axis=1)
    by_noise = (0.5 * (quadratic - log_det) + cut + log_weight[:, None]).T
    found = np.stack([a.T, b.T, d.T], axis=2)
    return Looked(_log_sum(by_noise), by_noise, found, precise.T**-0.5)


def _log_sum(values: FloatArray) -> FloatArray:
    """log Σ exp over the last axis."""
    top = values.max(axis=-1)
    return np.asarray(top + np.log(np.exp(values - top[..., None]).sum(axis=-1)))
