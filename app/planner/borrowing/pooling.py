"""Groups with few points borrow the shape of the others' curves (method.md 3, "Pooling").

A group's prior over (c, δ) and the knots of ρ becomes (π₀ + m q)/(1 + m): π₀ the prior, q what the other groups'
posteriors say, m the strength. δ and ρ belong to a group's n_ref, so every donor's draw is first told at the
receiver's. Donors count by ½ to the number of attributes in which they differ; a parent counts as much as all the
others together.

m is chosen by the evidence, each group judged by what the others alone say of it: its marginal likelihood grows by

    (1 + m B_g)/(1 + m),    B_g = E[q_{−g}/π₀]  over g's posterior,

and m = 0 stands unless the product over the groups speaks for more.

Groups of few sizes borrow from groups that the same models were scored on, whatever their sizes, and else from all
others, if the evidence is clear. Those whose own points show a shape learn little from them of what the next samples
bring: they borrow too, from groups that the same models were scored on, at sizes like their own, and under a prior that
knows what curves that have nothing in common look like (decision 0021; for few sizes 0115). Under a flat prior, which
does not, groups scored on the same models lean on the shape that they have in common (`common_shape`, decision 0086).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.borrowing.common_shape import common, likelihood
from app.planner.borrowing.shape_tables import at, nearest, plain, told_at, widened
from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit
from app.planner.wording import Warning

FEW_SIZES = 5
"""Groups measured at fewer distinct sizes borrow from all."""

MANY_SIZES = 9
"""Under a flat prior, groups of more sizes know their shape by themselves: leaning on others then adds more than it
takes away."""

STRENGTHS = np.array([0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0])
"""m."""
LEAST_EVIDENCE, GAIN_PER_GROUP = 5.0, 2.0
"""So much log evidence, in all and per group, must speak for a strength above 0: unrelated groups gain some too where
the prior is wider than all of them, and lose by leaning on each other all the same."""

SPOKEN_FOR, SPOKEN_FOR_FLAT = 1.0, 0.0
"""So much is enough for groups that one learner is scored on: they are likely alike before their points say so. Under
a flat prior any is: it knows nothing of curves, so that each by itself is bought by its noise."""

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
    sizes = observations.distinct_sizes().tolist()
    known = [g for g, curve in enumerate(observations.assumed) if curve is None and sizes[g] > 1]
    measured = set(known)
    judged = [g for g in alone if g in measured][:DONORS]
    few = {g for g in alone if observations.assumed[g] is None and sizes[g] < FEW_SIZES}
    lending = _Lending(observations, posterior, prior, seed)
    together = len(observations.keys) <= MOST_ALIKE
    pooled, borrowed = posterior, set[int]()

    def borrow(strength: float, lent: Mapping[int, Posterior]) -> None:
        nonlocal pooled
        if not lent:
            return
        told = [
            replace(one, warnings=(*one.warnings, _told(posterior.keys[g], strength))) if g in few else one
            for g, one in lent.items()
        ]
        # All at once: each replacement copies the draws of every group.
        pooled = pooled.replaced(np.array(list(lent)), Posterior.joined(told, np.arange(len(told))))
        borrowed.update(lent)

    if together and not prior.by_level:
        unsure = [g for g in judged if sizes[g] <= MANY_SIZES]
        borrow(*lending.in_common(_scored_together(observations, unsure, known)))
    if together and prior.by_level and (rare := _scored_together(observations, sorted(few - borrowed), known)):
        same = rare | _scored_together(observations, judged, known)
        borrow(*lending.on_average([g for g in judged if g in same], list(rare), same, SPOKEN_FOR))
    if (left := sorted(few - borrowed)) and len(known) > 1:
        borrow(*lending.on_average(judged, left, dict.fromkeys({*left, *judged}, known)))
    if together and prior.by_level:
        near = _scored_together(observations, [g for g in judged if g not in borrowed], known, posterior.reference)
        borrow(*lending.on_average(list(near), list(near), near, SPOKEN_FOR))
    return pooled


@dataclass(frozen=True)
class _Lending:
    """Groups that lean on each other: each answer is a strength, 0 for none, and the borrowers' posteriors with it."""

    observations: Observations
    posterior: Posterior
    prior: Prior
    seed: int

    def in_common(self, lenders: Mapping[int, Sequence[int]]) -> tuple[float, dict[int, Posterior]]:
        """All groups of `lenders` on the shape that those who lend to them have in common."""
        tables = {
            h: likelihood(self.posterior, self.prior, h) for h in sorted({h for of in lenders.values() for h in of})
        }

        def said(group: int) -> FloatArray:
            return common(self.observations, self.posterior, self.prior, group, {h: tables[h] for h in lenders[group]})

        return self._lent(said, list(lenders), list(lenders), SPOKEN_FOR_FLAT)

    def on_average(
        self,
        judged: Sequence[int],
        borrowers: Sequence[int],
        lenders: Mapping[int, Sequence[int]],
        enough: float | None = None,
    ) -> tuple[float, dict[int, Posterior]]:
        """`borrowers` on the average of those who lend to them, by the evidence of `judged`; enough: for a strength
        above 0, what few sizes need unless given."""

        def said(group: int) -> FloatArray:
            # The number of attributes in which the group differs from each.
            apart = np.asarray(self.observations.differences(np.array([group]))[0])
            return _said(self.observations, self.posterior, self.prior, group, lenders[group], apart)

        least = max(LEAST_EVIDENCE, GAIN_PER_GROUP * len(judged)) if enough is None else enough
        return self._lent(said, judged, borrowers, least)

    def _lent(
        self, said: Callable[[int], FloatArray], judged: Sequence[int], borrowers: Sequence[int], enough: float
    ) -> tuple[float, dict[int, Posterior]]:
        """The strength for which the evidence of `judged` speaks by more than `enough`, and the refitted borrowers."""
        posterior, prior = self.posterior, self.prior
        heard = {g: said(g) for g in judged}
        strength = _strength(np.array([_ratio(posterior, prior, g, heard[g]) for g in judged]), enough)
        if not strength:
            return 0.0, {}
        leaning = {g: _leaning(prior, heard[g] if g in heard else said(g), strength) for g in borrowers}
        return strength, {
            g: fit(self.observations.select(np.array([g])), one, self.seed, posterior.draws)
            for g, one in leaning.items()
        }


def _scored_together(
    observations: Observations, groups: Sequence[int], known: Sequence[int], references: FloatArray | None = None
) -> dict[int, list[int]]:
    """For each of `groups` the others of `known` that models were scored on together with it, if any; references:
    n_ref [groups] where only those at sizes like its own count."""
    if observations.runs is None or observations.run_of is None:
        return {}
    scored = {g: set(observations.run_of[g].tolist()) for g in {*known, *groups}}

    def alike(one: int, other: int) -> bool:
        if references is not None and not 1.0 / LIKE <= references[other] / references[one] <= LIKE:
            return False
        return not scored[one].isdisjoint(scored[other])

    found = {g: [h for h in known if h != g and alike(g, h)] for g in groups}
    return {g: of for g, of in found.items() if of}


def _strength(ratios: FloatArray, enough: float) -> float:
    """The strength of most evidence, by the groups' B [groups]; 0 where it is not more than `enough`."""
    evidence = np.log((1.0 + STRENGTHS[:, None] * ratios) / (1.0 + STRENGTHS[:, None])).sum(axis=1)
    best = int(np.argmax(evidence))
    return float(STRENGTHS[best]) if evidence[best] > enough else 0.0


def _leaning(prior: Prior, said: FloatArray, strength: float) -> Prior:
    """The prior with its nodes' weights drawn to q with the strength m."""
    factor = (1.0 + strength * said / plain(prior)) / (1.0 + strength)
    return replace(prior, shape=prior.shape + np.log(factor).reshape(-1, len(prior.floors)))


def _ratio(posterior: Posterior, prior: Prior, group: int, said: FloatArray) -> float:
    """B_g."""
    c, delta, rho = told_at(posterior, np.array([group]), posterior.reference[group], posterior.draws)
    return float(at(prior, said / plain(prior), c, delta, rho).mean())


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
        return plain(prior)
    share = 0.5 ** differences[donors].astype(np.float64)
    if parent is not None and parent in donors and len(donors) > 1:
        share[donors == parent] = share[donors != parent].sum()
    draws = min(DONATED, posterior.draws)
    nodes = nearest(prior, *told_at(posterior, donors, posterior.reference[group], draws))
    found = np.zeros((len(prior.exponents), len(prior.offsets), len(prior.floors)))
    np.add.at(found, nodes, np.repeat(share / (share.sum() * draws), draws))
    for axis in range(3):
        found = widened(found, axis)
    return found


def _told(key: str, strength: float) -> Warning:
    detail = (
        f"Too few sizes were measured to show its shape, so it leans on the other groups' curves ({strength:g} to 1"
        f" against the prior): train on nested subsets of at least {FEW_SIZES} sizes."
    )
    return Warning("pooled_prior", detail, key)
