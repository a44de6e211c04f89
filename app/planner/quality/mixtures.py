"""One group's runs on samples of several sources, and how many clean ones they were worth (method.md 6, "Quality").

    n_eff = (n − Σ_s m_s) + Σ_s q_s m_s,

n the samples of a run, m_s those of them that came from source s, q_s what one of these is worth in clean samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Points

MOST_POINTS = 40
"""More runs of a group say little more of its sources, and the work grows with their square."""

APART = 1e-9
"""By this share of itself, for each, a run's count is moved: two mixtures that happen to be worth the same stay two
runs, so that the evidence is smooth in the quality."""


SAME_COUNT = 1e-6
"""Counts that differ by less than this share of them are one size."""


@dataclass(frozen=True)
class Mixture:
    """A group's runs. points: their counts raw. sources: keys of those that samples came from; came [points, sources]:
    how many, at most the counts in all."""

    points: Points
    sources: tuple[str, ...]
    came: FloatArray

    @cached_property
    def mixed(self) -> FloatArray:
        """How many samples of each run came from any of the sources [points]."""
        return np.asarray(self.came.sum(axis=1))

    def counts(self, quality: FloatArray) -> FloatArray:
        """n_eff, at least 0: quality [sources] → [points], [variants, sources] → [variants, points]."""
        worth = self.points.counts - self.mixed + np.asarray(quality) @ self.came.T
        return np.maximum(worth, 0.0)

    def variants(self, quality: FloatArray) -> list[Points]:
        """The points at the qualities [variants, sources]."""
        moved = np.where(self.mixed > 0.0, 1.0 + APART * np.arange(1, len(self.mixed) + 1), 1.0)
        return [replace(self.points, counts=counts) for counts in self.counts(quality) * moved]

    def known(self, source: str, quality: float) -> "Mixture":
        """The same where a sample of a source is known to be worth so many clean ones."""
        at = self.sources.index(source)
        counts = np.maximum(self.points.counts - (1.0 - quality) * self.came[:, at], 0.0)
        others = [place for place in range(len(self.sources)) if place != at]
        sources = tuple(self.sources[place] for place in others)
        return Mixture(replace(self.points, counts=counts), sources, self.came[:, others])

    def part(self) -> "Mixture":
        """At most MOST_POINTS of the runs: half of them those with most samples of sources, the others spread evenly
        over the sizes."""
        if len(self.points.counts) <= MOST_POINTS:
            return self
        ranked = np.lexsort((-self.points.counts, -self.mixed))
        first = ranked[: min(MOST_POINTS // 2, int(np.count_nonzero(self.mixed)))]
        rest = np.setdiff1d(np.argsort(self.points.counts, kind="stable"), first, assume_unique=True)
        rest = rest[np.argsort(self.points.counts[rest], kind="stable")]
        even = np.linspace(0, len(rest) - 1, MOST_POINTS - len(first)).round().astype(np.int64)
        return self._taken(np.sort(np.concatenate([first, rest[even]])))

    def _taken(self, places: IntArray) -> "Mixture":
        points = Points(*(values[places] for values in vars(self.points).values()))
        return replace(self, points=points, came=self.came[places])


def typical_loss(points: Points) -> float:
    """The mean loss of the two runs of most samples, and of those as large as the second."""
    second = np.sort(points.counts)[-min(2, len(points.counts))]
    return float(points.losses[points.counts >= second * (1.0 - SAME_COUNT)].mean())


def joined_by_group(mixtures: Sequence[Mixture], asked: Sequence[str]) -> list[tuple[str, ...]]:
    """The sources of `asked` in parts: those that some group's runs name, whose evidence hangs together, in one."""
    part = {source: {source} for source in asked}
    for mixture in mixtures:
        here = [source for source in mixture.sources if source in part]
        for one in here[1:]:
            together = part[here[0]] | part[one]
            for member in together:
                part[member] = together
    found: dict[tuple[str, ...], None] = {}
    for source in asked:
        found[tuple(one for one in asked if one in part[source])] = None
    return list(found)
