"""Groups with few points borrow the shape of the others' curves (method.md 3, "Pooling").

A group's prior over (c, δ) and the knots of ρ becomes (π₀ + m q)/(1 + m): π₀ the prior, q what the other groups'
posteriors say, m the strength. δ and ρ belong to a group's n_ref, so every donor's draw is first told at the
receiver's. Donors count by ½ to the number of attributes in which they differ; a parent counts as much as all the
others together.

m is chosen by the evidence, each group judged by what the others alone say of it: its marginal likelihood grows by

    (1 + m B_g)/(1 + m),    B_g = E[q_{−g}/π₀]  over g's posterior,

and m = 0 stands unless the product over the groups speaks for more.

Groups of few sizes borrow from all others, if the evidence is clear. Those whose own points show a shape learn little
from them of what the next samples bring: they borrow too, from groups that the same models were scored on, at sizes
like their own, and under a prior that knows what curves that have nothing in common look like (decision 0021).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit
from app.planner.wording import Warning

FEW_SIZES = 5
"""Groups measured at fewer distinct sizes borrow from all."""

STRENGTHS = np.array([0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0])
"""m."""
LEAST_EVIDENCE, GAIN_PER_GROUP = 5.0, 2.0
"""So much log evidence, in all and per group, must speak for a strength above 0: unrelated groups gain some too where
the prior is wider than all of them, and lose by leaning on each other all the same."""

SPOKEN_FOR = 1.0
"""So much is enough for groups that one learner is scored on: they are likely alike before their points say so."""

LIKE = 2.5
"""Sizes are alike where n_ref is at most so many times as large as the other's."""

MOST_ALIKE = 50
"""In larger projects only groups of few sizes borrow: every one that does is fitted by itself."""

DONORS, DONATED = 128, 48
"""At most so many other groups, and draws of each, enter q."""


def pool(observations: Observations, posterior: Posterior, prior: Prior, seed: int, alone: Sequence[int]) -> Posterior:
    """The posterior with groups among `alone` refitted on the pooled prior, where that is worth it.

    alone: the groups whose posterior came from `fit` with `prior` on own counts. Others' rows stay as they are.
    """
    known = [g for g in range(len(observations.keys)) if _is_measured(observations, g)]
    free = [g for g in alone if observations.assumed[g] is None]
    few = [g for g in free if _sizes(observations, g) < FEW_SIZES]
    measured = set(known)
    judged = [g for g in free if g in measured][:DONORS]
    pooled, borrowed = posterior, set[int]()
    if few and len(known) > 1:
        lenders = dict.fromkeys({*few, *judged}, known)
        enough = max(LEAST_EVIDENCE, GAIN_PER_GROUP * len(judged))
        strength, lent = _lent(observations, posterior, prior, seed, judged, few, lenders, enough)
        borrowed = set(lent)
        for g, one in lent.items():
            told = replace(one, warnings=(*one.warnings, _told(posterior.keys[g], strength)))
            pooled = pooled.replaced(np.array([g]), told)
    if prior.by_level and len(observations.keys) <= MOST_ALIKE:
        alike = _alike(observations, posterior.reference, known)
        lenders = {g: alike[g] for g in judged if g not in borrowed and alike[g]}
        many = list(lenders)
        _, lent = _lent(observations, posterior, prior, seed, many, many, lenders, SPOKEN_FOR)
        for g, one in lent.items():
            pooled = pooled.replaced(np.array([g]), one)
    return pooled


def _lent(
    observations: Observations,
    posterior: Posterior,
    prior: Prior,
    seed: int,
    judged: Sequence[int],
    borrowers: Sequence[int],
    lenders: Mapping[int, Sequence[int]],
    enough: float,
) -> tuple[float, dict[int, Posterior]]:
    """The strength for which the evidence of the groups `judged` speaks by more than `enough`, and the borrowers
    refitted with it; lenders: by judged group or borrower."""

    def said(group: int) -> FloatArray:
        # The number of attributes in which the group differs from each.
        apart = np.asarray(observations.differences(np.array([group]))[0])
        return _said(observations, posterior, prior, group, lenders[group], apart)

    heard = {g: said(g) for g in judged}
    strength = _strength(np.array([_ratio(posterior, prior, g, heard[g]) for g in judged]), enough)
    if not strength:
        return 0.0, {}
    leaning = {g: _leaning(prior, heard[g] if g in heard else said(g), strength) for g in borrowers}
    refitted = {g: fit(observations.select(np.array([g])), one, seed, posterior.draws) for g, one in leaning.items()}
    return strength, refitted


def _alike(observations: Observations, references: FloatArray, known: Sequence[int]) -> dict[int, list[int]]:
    """For each group of `known` the others that models were scored on together with it, at sizes like its own;
    references: n_ref [groups]."""
    if observations.runs is None or observations.run_of is None:
        return {g: [] for g in known}
    scored = {g: set(observations.run_of[g].tolist()) for g in known}

    def alike(one: int, other: int) -> bool:
        return 1.0 / LIKE <= references[other] / references[one] <= LIKE and not scored[one].isdisjoint(scored[other])

    return {g: [h for h in known if h != g and alike(g, h)] for g in known}


def _is_measured(observations: Observations, group: int) -> bool:
    return observations.assumed[group] is None and _sizes(observations, group) > 1


def _sizes(observations: Observations, group: int) -> int:
    return len(np.unique(observations.points[group].counts))


def _strength(ratios: FloatArray, enough: float) -> float:
    """The strength of most evidence, by the groups' B [groups]; 0 where it is not more than `enough`."""
    evidence = np.log((1.0 + STRENGTHS[:, None] * ratios) / (1.0 + STRENGTHS[:, None])).sum(axis=1)
    best = int(np.argmax(evidence))
    return float(STRENGTHS[best]) if evidence[best] > enough else 0.0


def _plain(prior: Prior) -> FloatArray:
    """π₀ over the nodes and knots [C, D, R], where the covariates are at their centre."""
    size = len(prior.exponents), len(prior.offsets), len(prior.floors)
    density = np.broadcast_to(prior.shape, (size[0] * size[1], size[2])).reshape(size)
    weights = np.exp(density - density.max()) * prior.knots.sum(axis=1)
    return np.asarray(weights / weights.sum())


def _leaning(prior: Prior, said: FloatArray, strength: float) -> Prior:
    """The prior with its nodes' weights drawn to q with the strength m."""
    factor = (1.0 + strength * said / _plain(prior)) / (1.0 + strength)
    return replace(prior, shape=prior.shape + np.log(factor).reshape(-1, len(prior.floors)))


def _ratio(posterior: Posterior, prior: Prior, group: int, said: FloatArray) -> float:
    """B_g."""
    c, delta, rho = _told_at(posterior, np.array([group]), posterior.reference[group], posterior.draws)
    return float(_at(prior, said / _plain(prior), c, delta, rho).mean())


def _at(prior: Prior, table: FloatArray, c: FloatArray, delta: FloatArray, rho: FloatArray) -> FloatArray:
    """Values of a table [C, D, R] at (c, δ, ρ): the nearest nodes', their logs straight lines between the knots."""
    c_at, delta_at, _ = _nearest(prior, c, delta, rho)
    knots = np.array(prior.floors)
    below = np.clip(np.searchsorted(knots, rho, side="right") - 1, 0, len(knots) - 2)
    share = (rho - knots[below]) / (knots[below + 1] - knots[below])
    log_table = np.log(np.maximum(table, 1e-12))
    low, high = log_table[c_at, delta_at, below], log_table[c_at, delta_at, below + 1]
    return np.asarray(np.exp(low + share * (high - low)))


def _said(
    observations: Observations,
    posterior: Posterior,
    prior: Prior,
    group: int,
    known: Sequence[int],
    differences: IntArray,
) -> FloatArray:
    """q_{−g} over the nodes [C, D, R]: the donors' posteriors told at the group's n_ref, one node wide."""
    donors = np.array([h for h in known if h != group], dtype=np.int64)
    parent = observations.parent[group] if observations.parent else None
    # The most alike come first where there are too many.
    donors = donors[np.lexsort((donors, differences[donors], donors != parent))][:DONORS]
    if not len(donors):
        return _plain(prior)
    share = 0.5 ** differences[donors].astype(np.float64)
    if parent is not None and parent in donors and len(donors) > 1:
        share[donors == parent] = share[donors != parent].sum()
    draws = min(DONATED, posterior.draws)
    nodes = _nearest(prior, *_told_at(posterior, donors, posterior.reference[group], draws))
    found = np.zeros((len(prior.exponents), len(prior.offsets), len(prior.floors)))
    np.add.at(found, nodes, np.repeat(share / (share.sum() * draws), draws))
    for axis in range(3):
        found = _widened(found, axis)
    return found


def _told_at(
    posterior: Posterior, groups: IntArray, n_ref: float, draws: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """c, δ, ρ of the groups' first draws at the reference size n_ref, each [groups · draws]."""
    part = slice(0, draws)
    c, shift = posterior.exponent[groups, part], posterior.offset[groups, part]
    excess = posterior.excess[groups, part] * ((n_ref + shift) / posterior.anchor[groups, part]) ** -c
    floor = posterior.asymptote[groups, part]
    level = floor + excess
    rho = np.divide(floor, level, out=np.ones_like(level), where=level > 0.0)
    return c.ravel(), (shift / n_ref).ravel(), rho.ravel()


def _nearest(prior: Prior, c: FloatArray, delta: FloatArray, rho: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
    """Indices of the nodes nearest to (c, δ, ρ), in log c, √δ and ρ."""
    axes = (
        (np.log(prior.exponents), np.log(c)),
        (np.sqrt(prior.offsets), np.sqrt(delta)),
        (np.array(prior.floors), rho),
    )
    c_at, delta_at, rho_at = (np.searchsorted((nodes[1:] + nodes[:-1]) / 2.0, value) for nodes, value in axes)
    return c_at, delta_at, rho_at


def _widened(mass: FloatArray, axis: int) -> FloatArray:
    """A quarter of each node's mass to each neighbour along the axis; what would leave the grid stays."""
    moved = np.moveaxis(mass, axis, 0)
    if len(moved) < 2:
        return mass
    after, before = np.zeros_like(moved), np.zeros_like(moved)
    after[1:], before[:-1] = moved[:-1], moved[1:]
    after[-1] += moved[-1]
    before[0] += moved[0]
    return np.moveaxis(0.5 * moved + 0.25 * (after + before), 0, axis)


def _told(key: str, strength: float) -> Warning:
    detail = (
        f"Too few sizes were measured to show its shape, so it leans on the other groups' curves ({strength:g} to 1"
        f" against the prior): train on nested subsets of at least {FEW_SIZES} sizes."
    )
    return Warning("pooled_prior", detail, key)
