"""Worlds of known curves, measured as a user would, with the best purchase by dynamic programming over money."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from buyer import Buyer, Terms
from lcdb import Curve
from scipy.optimize import isotonic_regression

from app.planner.arrays import FloatArray

Truth = Callable[[float], float]
"""Samples → error in 0 to 1."""
NESTED = (1.0, 0.5, 0.25, 0.125)
"""Runs a purchase is planned on, as shares of what is held."""
PARTS = 100
"""The best purchase is found in so many equal parts of the money."""
TYPICAL_LOSS, LEAST_LOSS = 0.3, 0.02
"""A run's training error is stated at a loss of .3 and shrinks with the loss, but not below that at .02."""


@dataclass
class KnownWorld:
    """Groups whose true curves are known; arrays [groups].

    holdout: examples of each group, the same in every run: one is answered wrongly where its own luck lies below the
    run's loss, so that a holdout's error shrinks with the loss. training: sd of one run's training error. stated: the
    standard errors that are stated over the right ones; None states the number of examples instead.
    """

    curves: Sequence[Truth]
    start: FloatArray
    price: FloatArray
    budget: float
    random: np.random.Generator
    holdout: FloatArray
    training: FloatArray
    room: FloatArray
    stated: float | None = None
    luck: list[FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        self.luck = [self.random.random(int(examples)) for examples in self.holdout]

    @property
    def terms(self) -> Terms:
        keys = tuple(f"g{number:03d}" for number in range(len(self.start)))
        return Terms(keys, self.price, self.room)

    def loss(self, counts: FloatArray) -> FloatArray:
        return np.array([curve(max(float(n), 1.0)) for curve, n in zip(self.curves, counts, strict=True)])

    def utility(self, counts: FloatArray) -> float:
        """The mean of the groups' true metrics."""
        return float(1.0 - self.loss(counts).mean())

    def run(self, buyer: Buyer, counts: FloatArray, shift: float = 0.0, skipped: Sequence[int] = ()) -> None:
        """Trains on `counts` and posts it; shift: an error of all groups together. skipped: groups not measured."""
        loss = self.loss(counts)
        noise = self.training * np.maximum(loss, LEAST_LOSS) / TYPICAL_LOSS * self.random.normal(size=len(loss))
        wrong = np.array([(luck < at).mean() for luck, at in zip(self.luck, loss + noise + shift, strict=True)])
        values = np.where(np.isin(np.arange(len(loss)), skipped), np.nan, 1.0 - wrong)
        buyer.post(counts, values, [self._error(g, 1.0 - wrong[g]) for g in range(len(loss))])

    def _error(self, group: int, value: float) -> dict[str, float]:
        examples = float(self.holdout[group])
        if self.stated is None:
            return {"eval_size": int(examples)}
        shrunk = (value * examples + 0.5) / (examples + 1.0)
        return {"stderr": self.stated * float(np.sqrt(shrunk * (1.0 - shrunk) / examples))}

    def nested(self, buyer: Buyer, sizes: Sequence[float] = NESTED) -> None:
        """Runs on subsets of what is held at first."""
        for size in sizes:
            self.run(buyer, self.part(size))

    def part(self, size: float) -> FloatArray:
        return np.asarray(np.maximum(1.0, np.floor(self.start * size)))

    def best(self, budget: float, parts: int = PARTS) -> FloatArray:
        """Counts after the best purchase, by exact dynamic programming over parts of the money."""
        money = np.arange(parts + 1) * budget / parts
        counts = np.minimum(self.start + np.floor(money[:, None] / self.price), np.maximum(self.room, self.start))
        fall = np.array([self.loss(row) for row in counts])
        value, taken = -fall[:, 0], [np.arange(parts + 1)]
        # spread[s, j]: the earlier groups share s − j parts, this one has j.
        left = np.arange(parts + 1)[:, None] - np.arange(parts + 1)
        for g in range(1, len(self.start)):
            spread = np.where(left >= 0, value[np.maximum(left, 0)] - fall[:, g], -np.inf)
            taken.append(spread.argmax(axis=1))
            value = spread.max(axis=1)
        found, remaining = np.zeros(len(self.start)), parts
        for g in range(len(self.start) - 1, -1, -1):
            spent = int(taken[g][remaining])
            found[g], remaining = counts[spent, g], remaining - spent
        return found

    def equal(self, budget: float) -> FloatArray:
        """Counts after an equal number of samples for every group; what a full group cannot take goes to the others."""
        return self._filled(budget, np.ones(len(self.start)))

    def equal_spend(self, budget: float) -> FloatArray:
        """Counts after equal money for every group, filled up alike."""
        return self._filled(budget, 1.0 / self.price)

    def _filled(self, budget: float, share: FloatArray) -> FloatArray:
        """Counts after a purchase in proportion to `share`, until nothing more can be bought."""
        counts, left = self.start.copy(), budget
        for _ in range(len(counts)):
            open_ = share * (counts < self.room)
            more = np.floor(open_ * left / max(float(open_ @ self.price), 1e-12))
            more = np.minimum(more, np.maximum(self.room - counts, 0.0))
            if not more.any():
                break
            counts, left = counts + more, left - float(more @ self.price)
        return counts


RULES: dict[str, Callable[[KnownWorld, float], FloatArray]] = {
    "equal": KnownWorld.equal,
    "equal_spend": KnownWorld.equal_spend,
}

LEAST_ANCHORS, LEAST_SIZE, LEAST_FALL = 20, 2048, 0.01
"""Curves of the database that a world can be made of: long enough to know what came, and falling at all."""
HELD_SHARE, LEAST_HELD = 16, 16
"""A world starts with this share of a curve's final size."""
WINDOW = 5
"""Anchors over which a curve is averaged."""


def usable(curves: Sequence[Curve]) -> list[Curve]:
    return [
        curve
        for curve in curves
        if not curve.odd
        and len(curve.counts) >= LEAST_ANCHORS
        and curve.counts[-1] >= LEAST_SIZE
        and curve.errors[0] - curve.errors[-1] > LEAST_FALL
    ]


def smooth(errors: FloatArray) -> FloatArray:
    """A curve without the database's own noise, which would decide who wins where plans are close: falling by pooling
    neighbours, then averaged over five anchors."""
    falling = isotonic_regression(errors, increasing=False).x
    padded = np.pad(falling, WINDOW // 2, mode="edge")
    return np.asarray(np.convolve(padded, np.ones(WINDOW) / WINDOW, "valid"))


def lcdb_world(curves: Sequence[Curve], seed: int, groups: int = 6, examples: int = 1000) -> KnownWorld:
    """A world whose truths are learning curves of the database, straight lines in log n; money for three times what is
    held, so priced that what is held costs alike but for a factor 1 to 3."""
    random = np.random.default_rng((seed, 3))
    chosen = [curves[at] for at in random.choice(len(curves), groups, replace=False)]
    last = np.array([curve.counts[-1] for curve in chosen])
    start = np.maximum(np.round(last / HELD_SHARE), LEAST_HELD)
    price = np.maximum(np.round(1000.0 / last * random.choice([1.0, 1.0, 2.0, 3.0], groups), 4), 1e-4)
    spread = [5.0 * np.median(one.stderrs) / max(float(np.median(one.errors)), LEAST_LOSS) for one in chosen]
    return KnownWorld(
        curves=[_between(curve.counts, smooth(curve.errors)) for curve in chosen],
        start=start,
        price=price,
        budget=round(float((price * start * 3.0).sum()), 2),
        random=random,
        holdout=np.full(groups, float(examples)),
        training=np.clip(TYPICAL_LOSS * np.array(spread), 0.002, 0.05),
        room=last,
    )


def _between(counts: FloatArray, errors: FloatArray) -> Truth:
    at = np.log(counts)
    return lambda n: float(np.interp(np.log(n), at, errors))


def lcdb_worlds(curves: Sequence[Curve], seeds: Sequence[int]) -> Iterator[KnownWorld]:
    return (lcdb_world(curves, seed) for seed in seeds)
