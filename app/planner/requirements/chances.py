"""The chance that a group reaches its target, and the counts that give a chance (method.md 7).

Notation: ℓ the loss at a group's target, F(n) the share of the draws whose predictive loss at the count n is at most ℓ.
Up to the largest measured count the predictive loss is the curve, which falls, so that F is the distribution of the
curve's inverse at ℓ: a closed form. Beyond it every draw also strays from its curve, and F is searched.
"""

from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.curves.posterior import Posterior
from app.planner.utility.metric import Metric

LARGEST_COUNT = 1e12
"""No count beyond this is called reachable."""
COUNT_NODES = 65
FINER_COUNT_NODES = 33
COUNT_BISECTIONS = 44
HULL_NODES = 25
TARGET_ROUNDING = 1e-12
"""A loss above its target by this share is at it."""
CHANCE_BLOCK = 2_000_000
"""Numbers worked on at once."""


@dataclass(frozen=True)
class Goals:
    """The groups with a target. indices: their places in the problem. loss [groups]: ℓ; inf where anything will do."""

    indices: IntArray
    loss: FloatArray
    posterior: Posterior

    @classmethod
    def of(cls, targets: FloatArray, metric: Metric, posterior: Posterior) -> "Goals":
        """targets [all groups] in the metric's units, nan where there is none."""
        indices = np.flatnonzero(~np.isnan(targets))
        wanted = targets[indices]
        worst = metric.lower if metric.goal == "maximize" else metric.upper
        loss = metric.to_loss(wanted)
        if worst is not None:
            # A bounded metric cannot fall short of its worst value, whatever the loss of a draw.
            loss = np.where(loss >= metric.to_loss(np.array(worst)), np.inf, loss)
        return cls(indices, loss, replace(posterior, warnings=()).select(indices))

    def chance(self, counts: FloatArray) -> FloatArray:
        """F at counts [groups] or [groups, sizes]; nan counts give nan."""
        counts = np.asarray(counts, dtype=np.float64)
        if counts.ndim == 1:
            return self._share(counts)
        step = max(1, CHANCE_BLOCK // max(1, len(self.loss) * self.posterior.draws))
        blocks = [self._share(counts[:, at : at + step]) for at in range(0, counts.shape[1], step)]
        return np.concatenate(blocks, axis=1)

    def _share(self, counts: FloatArray) -> FloatArray:
        goal = (self.loss + TARGET_ROUNDING * np.abs(self.loss)).reshape(-1, *[1] * counts.ndim)
        return np.asarray((self.posterior.band(counts) <= goal).mean(axis=-1))

    def reachable(self) -> FloatArray:
        """Chance [groups] that the curve's asymptote beats the target."""
        return np.asarray(np.isfinite(self.inverse()).mean(axis=1))

    def inverse(self) -> FloatArray:
        """Least counts [groups, draws] at which each draw's curve is at its target, inf where it never is."""
        return np.where(np.isinf(self.loss)[:, None], 0.0, self.posterior.inverse(np.minimum(self.loss, 1e300)))

    def needed(self, chance: float) -> FloatArray:
        """Least counts [groups] with F ≥ `chance`, inf where no asymptote or no count up to LARGEST_COUNT gives it.

        Exact up to the largest measured count and where the posterior is a stated curve. Beyond, the first such
        count on a grid in steps of about a hundredth, then exact; a shorter crossing is passed over.
        """
        place = max(0, int(np.ceil(chance * self.posterior.draws * (1.0 - TARGET_ROUNDING))) - 1)
        start = np.partition(self.inverse(), place, axis=1)[:, place]
        strays = np.any(self.posterior.discrepancy != 0.0, axis=1)
        search = np.flatnonzero(np.isfinite(start) & (start > self.posterior.reference) & strays)
        if len(search):
            start[search] = _search(self.select(search), chance)
        return np.where(start <= LARGEST_COUNT, start, np.inf)

    def log_hulls(self, chance: float, held: FloatArray, served: BoolArray) -> dict[int, tuple[FloatArray, FloatArray]]:
        """The concave hull of log F from the count that gives `chance` upwards, as lines (`hull`), of those served.

        held [groups]: no count lies below.
        """
        counts = np.stack([self.needed(level) for level in np.linspace(chance, 1.0, HULL_NODES)], axis=1)
        counts = np.maximum(counts, held[:, None])
        values = np.log(np.maximum(self.chance(np.where(np.isfinite(counts), counts, 1.0)), 1e-300))
        found = {}
        for at in np.flatnonzero(served).tolist():
            kept = np.isfinite(counts[at])
            sizes, first = np.unique(counts[at][kept], return_index=True)
            found[at] = hull(sizes, values[at][kept][first])
        return found

    def select(self, places: IntArray) -> "Goals":
        """The goals at `places` among these alone."""
        return Goals(self.indices[places], self.loss[places], self.posterior.select(places))


def _search(goals: Goals, chance: float) -> FloatArray:
    """`needed` of groups for which no count up to n_ref is enough."""
    low = np.maximum(goals.posterior.reference, 1.0)
    high = np.maximum(low * 2.0, LARGEST_COUNT)
    found = np.ones(len(low), dtype=np.bool_)
    for nodes in (COUNT_NODES, FINER_COUNT_NODES):
        sizes = np.exp(np.linspace(np.log(low), np.log(high), nodes, axis=1))
        enough = goals.chance(sizes) >= chance
        found &= enough.any(axis=1)
        first = np.maximum(enough.argmax(axis=1), 1)
        rows = np.arange(len(low))
        low, high = sizes[rows, first - 1], sizes[rows, first]
    for _ in range(COUNT_BISECTIONS):
        middle = np.sqrt(low * high)
        enough = goals.chance(middle) >= chance
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(found, high, np.inf)


def hull(counts: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes and intercepts of the lines whose minimum is the least concave function above the points, beyond the
    last one constant. counts ascending, each once."""
    kept: list[int] = []
    for at in range(len(counts)):
        while len(kept) >= 2 and _turns_up(counts, values, kept[-2], kept[-1], at):
            kept.pop()
        kept.append(at)
    top = int(np.argmax(values[kept])) + 1
    n, v = counts[kept[:top]], values[kept[:top]]
    slopes = np.append(np.diff(v) / np.diff(n), 0.0)
    return slopes, v - slopes * n


def _turns_up(n: FloatArray, v: FloatArray, a: int, b: int, c: int) -> bool:
    return bool((v[b] - v[a]) * (n[c] - n[b]) <= (v[c] - v[b]) * (n[b] - n[a]))
