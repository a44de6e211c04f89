"""The posterior of sources' qualities by the evidence of the groups' runs (method.md 6, "Quality").

One quality per source, whichever group its samples are of: the groups' evidences are multiplied. Two sources that one
group's runs name are learnt together, and of more, each with the others at what is expected of them, in turn.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.prior import Prior
from app.planner.quality.evidence import judging, log_evidence
from app.planner.quality.mixtures import Mixture, joined_by_group, typical_loss
from app.planner.quality.worth import QUALITIES, Quality, Worth

MOST_LOOKS = 80
"""So many times, over all sources, a group's evidence is asked along the grid, ..."""
MOST_GROUPS_EACH, MOST_GROUPS_OF_TWO = 20, 4
"""... of so many groups for one source, and for two together: those with most runs that say something."""
TURNS = 2
"""How often each of more than two sources has its turn."""

COARSE = 4
"""Two sources' evidence is asked at every so manieth quality, a spline says the rest, ..."""
NEAR_BEST, MOST_NEAR = 6.0, 700
"""... and where at most so many pairs lie within so much log of the best, they are asked themselves."""


def learn_qualities(
    mixtures: Sequence[Mixture], worths: Mapping[str, Worth], span: float | None, prior: Prior
) -> dict[str, Quality]:
    """The quality of every source in `worths`; mixtures: the groups' runs, which may name exact ones alone. span: of
    the metric, None where a bound is open. Raises KeyError for a source of a mixture that `worths` does not name."""
    found = {source: Quality.of(worth) for source, worth in worths.items()}
    known = [_without_exact(one, worths) for one in mixtures]
    asked = sorted({source for one in known for source in one.sources})
    if not asked:
        return found
    prior = judging(prior)
    each = max(1, min(MOST_GROUPS_EACH, MOST_LOOKS // len(asked)))
    for part in joined_by_group(known, asked):
        naming = [one for one in known if set(one.sources) & set(part)]
        if len(part) == 1:
            evidence = _along(naming[:each], part[0], found, span, prior)
            found[part[0]] = Quality.of(worths[part[0]], evidence, _runs(naming, part[0]))
        elif len(part) == 2:
            found |= _pair(naming, (part[0], part[1]), worths, span, prior)
        else:
            for source in part * TURNS:
                mine = [one for one in naming if source in one.sources]
                evidence = _along(mine[:each], source, found, span, prior)
                found[source] = Quality.of(worths[source], evidence, _runs(mine, source))
    return found


def _without_exact(mixture: Mixture, worths: Mapping[str, Worth]) -> Mixture:
    """With the samples of exact sources counted as what they are worth, and without sources that no run names."""
    for source in mixture.sources:
        at = mixture.sources.index(source)
        if worths[source].is_exact or not mixture.came[:, at].any():
            mixture = mixture.known(source, worths[source].mean)
    return mixture.part() if mixture.sources else mixture


def _runs(mixtures: Sequence[Mixture], source: str) -> int:
    """Measurements of groups that the source's samples had a part in, all but repeats."""
    return sum(int(np.count_nonzero(one.came[:, one.sources.index(source)])) for one in mixtures)


def _by_what_they_say(mixtures: Sequence[Mixture]) -> list[Mixture]:
    """Those with most runs on mixtures first."""
    return sorted(mixtures, key=lambda one: -int(np.count_nonzero(one.mixed)))


def _along(
    mixtures: Sequence[Mixture], source: str, now: Mapping[str, Quality], span: float | None, prior: Prior
) -> FloatArray:
    """The log evidence at the grid's qualities of one source, the others at their means [qualities]."""
    total = np.zeros(len(QUALITIES))
    for one in _by_what_they_say(mixtures):
        quality = np.tile([now[other].mean for other in one.sources], (len(QUALITIES), 1))
        quality[:, one.sources.index(source)] = QUALITIES
        total += _evidence(one, quality, now, span, prior)
    return total


def _pair(
    mixtures: Sequence[Mixture], sources: tuple[str, str], worths: Mapping[str, Worth], span: float | None, prior: Prior
) -> dict[str, Quality]:
    """Two sources together."""
    start = {source: Quality.of(worths[source]) for source in sources}
    some = _by_what_they_say(mixtures)[:MOST_GROUPS_OF_TWO]

    def asked(first: IntArray, second: IntArray) -> FloatArray:
        """At the qualities numbered so, broadcast."""
        pairs = dict(zip(sources, np.broadcast_arrays(QUALITIES[first], QUALITIES[second]), strict=True))
        shape = pairs[sources[0]].shape
        total = np.zeros(shape)
        for one in some:
            quality = np.stack([pairs[source].ravel() for source in one.sources], axis=1)
            total += _evidence(one, quality, start, span, prior).reshape(shape)
        return total

    nodes = np.arange(0, len(QUALITIES), COARSE)
    coarse = asked(nodes[:, None], nodes[None, :])
    from scipy.interpolate import RectBivariateSpline  # here: few projects learn two together, and it weighs 24 MB

    evidence = np.asarray(RectBivariateSpline(nodes, nodes, coarse)(*2 * (np.arange(len(QUALITIES)),)))
    # Between nodes a spline may swing above all of them.
    evidence = np.minimum(evidence, coarse.max() + NEAR_BEST)
    said = worths[sources[0]].log_density[:, None] + worths[sources[1]].log_density
    close = np.argwhere(evidence + said > (evidence + said).max() - NEAR_BEST)
    if len(close) <= MOST_NEAR:
        evidence[tuple(close.T)] = asked(*close.T)
    weights = np.exp(evidence + said - (evidence + said).max())
    weights /= weights.sum()
    return {
        source: Quality(QUALITIES, weights.sum(axis=1 - at), _runs([one for one in mixtures if source in one.sources],
                                                                 source))
        for at, source in enumerate(sources)
    }  # fmt: skip


def _evidence(
    mixture: Mixture, quality: FloatArray, now: Mapping[str, Quality], span: float | None, prior: Prior
) -> FloatArray:
    """log p of a group's losses at the qualities [variants, sources], in the unit of what is expected of them."""
    expected = np.array([now[source].mean for source in mixture.sources])
    [typical] = mixture.variants(expected[None])
    unit = max(abs(typical_loss(typical)), LEAST_UNIT * (span or float(np.abs(typical.losses).max()) or 1.0))
    return log_evidence(mixture.variants(quality), unit, span, prior)


LEAST_UNIT = 0.004
"""The unit of losses is at least this share of the span, or of the group's largest loss, as that of a fit."""
