"""Draws of what groups do to each other, by importance sampling over strata: no chains, deterministic by the seed.

Candidates are drawn in every stratum, partly from its prior, mostly about the peak of the group's evidence in it
(`joint_peaks`): first in many strata, then in those that have mass, until enough of them count (method.md 3). The
strata's posterior is their prior times the product of the groups' evidences in them: that is how groups tell each
other how alike they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, ndtri

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.borrowing.joint_evidence import FRESH, SIGMAS, Compositions, Looked, look
from app.planner.borrowing.joint_peaks import Peaks, peaks
from app.planner.borrowing.strata import STRATA, centres, weights_of
from app.planner.fitting.grid import draw_level

CANDIDATES = 1_500, 600
"""Candidates of the first pass, over all strata, and of each later one."""
FLATTENED = 0.25, 0.5, 1.0
"""Of the first, the second and the later passes: candidates are shared out by this power of the strata's masses."""
FROM_PRIOR = 0.15
"""Share of them that come from the stratum's prior, ..."""
FREEDOM, SHARPNESS = 5.0, 0.25
"""... the others from Student's t of so many degrees of freedom about the peak; what the points say enters its
precision by this share: at the peak they fit better than they are."""
NEGLIGIBLE = 0.003
"""Strata with less than this share of what the best one gets get no candidates."""
ENOUGH_DRAWS = 100.0
"""Effective draws of a group at which it gets no more candidates ..."""
NO_PART = 1e-4
"""Noise nodes with a smaller share of the mass after the first pass are not looked at in later ones."""
PASSES = 2, 14
"""... but at least and at most so many passes."""


@dataclass(frozen=True)
class Candidates:
    """Candidates of one group: stratum [B], x [B, h + OWN], log importance weight [B], and what was found there."""

    stratum: IntArray
    x: FloatArray
    log_importance: FloatArray
    looked: Looked

    @property
    def log_weight(self) -> FloatArray:
        """Log of evidence times importance [B]."""
        return self.looked.log + self.log_importance

    def and_also(self, more: "Candidates") -> "Candidates":
        """Both, drawn alike."""
        looked = Looked(*(np.concatenate(pair) for pair in zip(self.looked, more.looked, strict=True)))
        return Candidates(
            np.concatenate([self.stratum, more.stratum]),
            np.concatenate([self.x, more.x]),
            np.concatenate([self.log_importance, more.log_importance]),
            looked,
        )

    def within(self, masses: FloatArray, evidence: FloatArray) -> FloatArray:
        """Log posterior weight [B], up to a constant: the stratum's mass, shared out in it; masses, evidence [J]."""
        count = np.bincount(self.stratum, minlength=len(masses))
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.log(masses) - np.log(count) - evidence
        return np.asarray(self.log_weight + each[self.stratum])

    def by_stratum(self) -> FloatArray:
        """Log evidence of every stratum [J], −inf where there are no candidates."""
        top, count = np.full(len(STRATA), -np.inf), np.bincount(self.stratum, minlength=len(STRATA))
        np.maximum.at(top, self.stratum, self.log_weight)
        total = np.bincount(self.stratum, np.exp(self.log_weight - top[self.stratum]), minlength=len(STRATA))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(count > 0, top + np.log(total / count), -np.inf)


@dataclass(frozen=True)
class Law:
    """What one group's candidates are drawn by in every stratum: its prior N(mean, sd²) [J, X], and Student's t about
    `centre` [J, X], root [J, X, X] being the lower factor of its precision. log_evidence [J]: that of the peaks."""

    mean: FloatArray
    sd: FloatArray
    centre: FloatArray
    root: FloatArray
    log_evidence: FloatArray

    @staticmethod
    def about(peaked: Peaks, mean: FloatArray, sd: FloatArray) -> "Law":
        """The law about the peaks of the strata."""
        prior = sd[:, :, None] ** -2.0 * np.eye(sd.shape[1])
        root = np.linalg.cholesky(prior + SHARPNESS * (peaked.precision - prior))
        return Law(mean, sd, peaked.at, np.asarray(root, dtype=np.float64), peaked.log_evidence)

    def drawn(
        self, data: Compositions, stratum: IntArray, nodes: IntArray | None, random: np.random.Generator
    ) -> Candidates:
        """One candidate in each of the strata of `stratum` [B], looked at by the noise nodes numbered `nodes`."""
        mean, sd, centre = self.mean[stratum], self.sd[stratum], self.centre[stratum]
        number, size = mean.shape
        z = random.standard_normal((number, size))
        chi = random.chisquare(FREEDOM, number) / FREEDOM
        own = np.asarray(random.random(number) < FROM_PRIOR)
        spread = np.linalg.inv(self.root).swapaxes(1, 2)
        about = np.einsum("bij,bj->bi", spread[stratum], z) / np.sqrt(chi)[:, None]
        x = np.where(own[:, None], mean + sd * z, centre + about)
        log_prior = -0.5 * (((x - mean) / sd) ** 2 + np.log(2.0 * np.pi)).sum(axis=1) - np.log(sd).sum(axis=1)
        distance = (np.einsum("bji,bj->bi", self.root[stratum], x - centre) ** 2).sum(axis=1)
        log_t = -0.5 * (FREEDOM + size) * np.log1p(distance / FREEDOM)
        log_t += np.log(np.einsum("jii->ji", self.root)).sum(axis=1)[stratum]
        log_t += gammaln((FREEDOM + size) / 2.0) - gammaln(FREEDOM / 2.0) - 0.5 * size * np.log(FREEDOM * np.pi)
        proposed = np.logaddexp(np.log(FROM_PRIOR) + log_prior, np.log(1.0 - FROM_PRIOR) + log_t)
        return Candidates(stratum, x, log_prior - proposed, look(data, x, stratum, nodes).over(nodes))


@dataclass(frozen=True)
class Crossings:
    """Joint draws of what other groups' counts do to each of k groups.

    stratum [draws]: one for the whole project. weights [k, k, draws], kappa [k, draws], conflict d [k, draws] in units
    of the group's typical loss, fresh φ [k, draws]. masses [J]: the strata's posterior. effective [k]: effective draws,
    inf for groups without points.
    """

    stratum: IntArray
    weights: FloatArray
    kappa: FloatArray
    conflict: FloatArray
    fresh: FloatArray
    masses: FloatArray
    effective: FloatArray

    @property
    def alone(self) -> BoolArray:
        """Where a group's curve is that of its own counts [k, draws]."""
        return np.asarray(~self.weights.any(axis=1) & (self.conflict == 0.0))


def sample(
    data: Sequence[Compositions | None], classes: IntArray, log_prior: FloatArray, seed: int, draws: int
) -> Crossings:
    """Draws of the crossings; None for groups that nothing is known of: nothing moves them.

    classes [k, k − 1]: the column of the compositions that each of the other groups is in. log_prior [J]: log weights
    of the strata.
    """
    random = np.random.default_rng(seed)
    every = np.arange(len(STRATA))
    mean, sd = centres(int(classes.max()) + 1)
    known = {g: one for g, one in enumerate(data) if one is not None}
    laws = {g: Law.about(peaks(one, mean, sd), mean, sd) for g, one in known.items()}
    log_mass = log_prior + sum(law.log_evidence for law in laws.values())
    masses = np.exp(log_mass - log_mass.max())
    found: dict[int, Candidates] = {}
    nodes: dict[int, IntArray] = {}
    effective = dict.fromkeys(known, 0.0)
    for passed in range(PASSES[1]):
        share = masses ** FLATTENED[min(passed, 2)]
        share[share < NEGLIGIBLE * share.max()] = 0.0
        stratum = np.repeat(every, np.ceil(CANDIDATES[min(passed, 1)] * share / share.sum()).astype(int))
        for g, one in known.items():
            if passed < PASSES[0] or effective[g] < ENOUGH_DRAWS:
                more = laws[g].drawn(one, stratum, nodes.get(g), random)
                found[g] = found[g].and_also(more) if passed else more
        evidence = {g: one.by_stratum() for g, one in found.items()}
        log_mass = log_prior + sum(evidence.values())
        masses = np.exp(log_mass - log_mass.max())
        masses /= masses.sum()
        within = {g: one.within(masses, evidence[g]) for g, one in found.items()}
        effective = {g: _effective(weight) for g, weight in within.items()}
        if not passed:
            nodes = {g: _likely(one.looked.by_noise, within[g]) for g, one in found.items()}
        elif min(effective.values()) >= ENOUGH_DRAWS:
            break
    return _drawn(known, classes, found, masses, effective, random, draws)


def _likely(by_noise: FloatArray, log_weight: FloatArray) -> IntArray:
    """The noise nodes that have a part in the candidates' weights."""
    share = np.exp(by_noise - by_noise.max(axis=1, keepdims=True))
    weight = np.exp(log_weight - log_weight.max())
    mass = weight @ (share / share.sum(axis=1, keepdims=True))
    return np.flatnonzero(mass > NO_PART * mass.sum())


def _effective(log_weight: FloatArray) -> float:
    weight = np.exp(log_weight - log_weight.max())
    return float(weight.sum() ** 2 / (weight**2).sum())


def _drawn(
    data: Mapping[int, Compositions],
    classes: IntArray,
    found: Mapping[int, Candidates],
    masses: FloatArray,
    effective: Mapping[int, float],
    random: np.random.Generator,
    draws: int,
) -> Crossings:
    groups = len(classes)
    stratum = random.permutation(_systematic(masses, draws, random))
    moved, torn = STRATA[stratum, 0] > 0.0, STRATA[stratum, 2] > 0.0
    weights, kappa = np.zeros((groups, groups, draws)), np.full((groups, draws), np.inf)
    conflict, fresh, every = np.zeros((groups, draws)), np.ones((groups, draws)), np.full(groups, np.inf)
    for g, one in found.items():
        at = np.empty(draws, dtype=np.int64)
        for j in np.unique(stratum):
            here, there = np.flatnonzero(stratum == j), np.flatnonzero(one.stratum == j)
            p = np.exp(one.log_weight[there] - one.log_weight[there].max())
            at[here] = random.permutation(there[_systematic(p / p.sum(), len(here), random)])
        drawn = np.where(moved[:, None], weights_of(one.x[at]), 0.0)
        weights[g, np.arange(groups) != g] = drawn[:, classes[g]].T
        kappa[g] = data[g].biggest * np.exp(one.x[at, -1])
        node = _noise(one.looked, at, random)
        conflict[g] = np.where(torn, _conflict(one.looked, at, node, random), 0.0)
        fresh[g] = FRESH[node // len(SIGMAS)]
        every[g] = effective[g]
    return Crossings(stratum, weights, kappa, conflict, fresh, masses, every)


def _systematic(p: FloatArray, number: int, random: np.random.Generator) -> IntArray:
    """Indices [number] drawn by the probabilities p, as evenly as can be, in ascending order."""
    at = (np.arange(number) + random.random()) / number
    return np.minimum(np.searchsorted(np.cumsum(p), at), len(p) - 1)


def _noise(looked: Looked, at: IntArray, random: np.random.Generator) -> IntArray:
    """A noise node of each of the candidates `at` [draws], by its weight."""
    by_noise = np.exp(looked.by_noise[at] - looked.by_noise[at].max(axis=1, keepdims=True))
    upto = np.cumsum(by_noise, axis=1)
    return np.asarray((random.random((len(at), 1)) * upto[:, -1:] > upto).sum(axis=1))


def _conflict(looked: Looked, at: IntArray, node: IntArray, random: np.random.Generator) -> FloatArray:
    """d of the candidates `at` [draws] by its normal law at their noise nodes, cut at 0."""
    mean, root = looked.mean[at, node, 2], 1.0 / looked.sd[at, node]
    return draw_level(mean * root, root, np.full(len(at), np.inf), ndtri(random.uniform(1e-9, 1.0 - 1e-9, len(at))))
