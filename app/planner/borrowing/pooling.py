"""Groups with few points borrow the shape of the others' curves (method.md 3, "Pooling").

A group's prior over (c, δ) and the knots of ρ becomes (π₀ + m q)/(1 + m): π₀ the prior, m the strength, and q what the
other groups' points say of a shape that all have in common,

    q ∝ π₀ Π_h (u + (1 − u) p_h/π₀)^α_h,

p_h group h's posterior by itself, so that p_h/π₀ is the likelihood of its points, and u the chance that it is unlike
the others. δ and ρ belong to a group's n_ref, so each shape is told at the donor's before its table is read. α_h is ½
to the number of attributes in which they differ, 1 for a parent.

m is chosen by the evidence, each group judged by what the others alone say of it: its marginal likelihood grows by

    (1 + m B_g)/(1 + m),    B_g = E[q_{−g}/π₀]  over g's posterior,

and m = 0 stands unless the product over the groups speaks for more. Groups that the same models were scored on need no
more than that; others of few sizes borrow from all if the evidence is clear. Where sizes are many, only groups of like
size lend (decisions 0021 and 0086).
"""

from collections.abc import Collection, Mapping, Sequence
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

SPOKEN_FOR = 0.0
"""More than this is enough for groups that one learner is scored on, which are likely alike from the start."""

UNLIKE = 0.2
"""u: with it an odd group among the donors is passed over by the others' agreement."""

LIKE = 2.5
"""Sizes are alike where n_ref is at most so many times as large as the other's."""

MOST_ALIKE = 50
"""In larger projects only groups of few sizes borrow: every one that does is fitted by itself."""

DONORS = 128
"""At most so many other groups enter q."""


def pool(observations: Observations, posterior: Posterior, prior: Prior, seed: int, alone: Sequence[int]) -> Posterior:
    """The posterior with groups among `alone` refitted on the pooled prior, where that is worth it.

    alone: the groups whose posterior came from `fit` with `prior` on own counts. Others' rows stay as they are.
    """
    known = [g for g in range(len(observations.keys)) if _is_measured(observations, g)]
    free = [g for g in alone if observations.assumed[g] is None]
    few = {g for g in free if _sizes(observations, g) < FEW_SIZES}
    judged = [g for g in free if g in set(known)][:DONORS]
    pooled, borrowed = posterior, set[int]()
    if len(observations.keys) <= MOST_ALIKE:
        alike = _alike(observations, posterior.reference, known, few)
        lenders = {g: alike[g] for g in judged if alike[g]}
        pooled, borrowed = _with_lent(pooled, few, *_lent(observations, posterior, prior, seed, lenders, SPOKEN_FOR))
    if (left := few - borrowed) and len(known) > 1:
        lenders = dict.fromkeys(sorted({*left, *judged} - borrowed), known)
        enough = max(LEAST_EVIDENCE, GAIN_PER_GROUP * len(lenders))
        pooled, _ = _with_lent(pooled, few, *_lent(observations, posterior, prior, seed, lenders, enough, left))
    return pooled


def _with_lent(
    pooled: Posterior, few: Collection[int], strength: float, lent: Mapping[int, Posterior]
) -> tuple[Posterior, set[int]]:
    """The posterior with the groups of `lent` as they are there, told where their sizes are few; and these groups."""
    for g, one in lent.items():
        told = (*one.warnings, _told(pooled.keys[g], strength)) if g in few else one.warnings
        pooled = pooled.replaced(np.array([g]), replace(one, warnings=told))
    return pooled, set(lent)


def _lent(
    observations: Observations,
    posterior: Posterior,
    prior: Prior,
    seed: int,
    lenders: Mapping[int, Sequence[int]],
    enough: float,
    borrowers: Collection[int] | None = None,
) -> tuple[float, dict[int, Posterior]]:
    """The strength for which the evidence of the groups of `lenders` speaks by more than `enough`, and the borrowers
    refitted with it; lenders: by group. borrowers: of them, all unless given."""
    tables = {h: _likelihood(posterior, prior, h) for h in sorted({h for of in lenders.values() for h in of})}

    def said(group: int) -> FloatArray:
        return _said(observations, posterior, prior, group, {h: tables[h] for h in lenders[group]})

    heard = {g: said(g) for g in lenders}
    judged = [g for g in lenders if _is_measured(observations, g)]
    strength = _strength(np.array([_ratio(posterior, prior, g, heard[g]) for g in judged]), enough)
    if not strength:
        return 0.0, {}
    leaning = {g: _leaning(prior, heard[g], strength) for g in heard if borrowers is None or g in borrowers}
    refitted = {g: fit(observations.select(np.array([g])), one, seed, posterior.draws) for g, one in leaning.items()}
    return strength, refitted


def _alike(
    observations: Observations, references: FloatArray, known: Sequence[int], few: Collection[int]
) -> dict[int, list[int]]:
    """For each group of `known` the others that models were scored on together with it, unless it is one of `few` at
    sizes like its own; references: n_ref [groups]."""
    if observations.runs is None or observations.run_of is None:
        return {g: [] for g in known}
    scored = {g: set(observations.run_of[g].tolist()) for g in known}

    def alike(one: int, other: int) -> bool:
        like = one in few or 1.0 / LIKE <= references[other] / references[one] <= LIKE
        return like and not scored[one].isdisjoint(scored[other])

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


def _likelihood(posterior: Posterior, prior: Prior, group: int) -> FloatArray:
    """p/π₀ of the group over the nodes [C, D, R], both one node wide."""
    found = np.zeros((len(prior.exponents), len(prior.offsets), len(prior.floors)))
    only = np.array([group])
    nodes = _nearest(prior, *_told_at(posterior, only, posterior.reference[group], posterior.draws))
    np.add.at(found, nodes, 1.0 / posterior.draws)
    return _widened(found) / _widened(_plain(prior))


def _said(
    observations: Observations, posterior: Posterior, prior: Prior, group: int, tables: Mapping[int, FloatArray]
) -> FloatArray:
    """q_{−g} over the nodes [C, D, R], one node wide; tables: `_likelihood` by donor, the group's own is not read."""
    apart = observations.differences(np.array([group]))[0]
    parent = observations.parent[group] if observations.parent else None
    # The most alike come first where there are too many.
    donors = sorted((h != parent, int(apart[h]), h) for h in tables if h != group)[:DONORS]
    c, delta, rho = (axis.ravel() for axis in np.meshgrid(prior.exponents, prior.offsets, prior.floors, indexing="ij"))
    plain = _plain(prior)
    log_q = np.log(plain)
    for _, away, h in donors:
        ratio = posterior.reference[group] / posterior.reference[h]
        excess = (1.0 - rho) * ((1.0 / ratio + delta) / (1.0 + delta)) ** -c
        told = np.divide(rho, rho + excess, out=np.ones_like(rho), where=rho + excess > 0.0)
        likelihood = _at(prior, tables[h], c, delta * ratio, told).reshape(plain.shape)
        log_q += (1.0 if h == parent else 0.5**away) * np.log(UNLIKE + (1.0 - UNLIKE) * likelihood)
    q = np.exp(log_q - log_q.max())
    return _widened(q / q.sum())


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


def _widened(mass: FloatArray) -> FloatArray:
    """A quarter of each node's mass to each neighbour along every axis; what would leave the grid stays."""
    for axis in range(mass.ndim):
        moved = np.moveaxis(mass, axis, 0)
        if len(moved) < 2:
            continue
        after, before = np.zeros_like(moved), np.zeros_like(moved)
        after[1:], before[:-1] = moved[:-1], moved[1:]
        after[-1] += moved[-1]
        before[0] += moved[0]
        mass = np.moveaxis(0.5 * moved + 0.25 * (after + before), 0, axis)
    return mass


def _told(key: str, strength: float) -> Warning:
    detail = (
        f"Too few sizes were measured to show its shape, so it leans on the other groups' curves ({strength:g} to 1"
        f" against the prior): train on nested subsets of at least {FEW_SIZES} sizes."
    )
    return Warning("pooled_prior", detail, key)
