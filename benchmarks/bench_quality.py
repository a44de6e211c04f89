"""Intervals of learned qualities, and how often a pilot decides: simulated runs on known mixtures.

    python benchmarks/bench_quality.py [--games 200]

The table of pilots has one truth, q = .625 on 1.5 n^-.4 + .04, as `docs/evidence.md` says; "decided": the 90 % interval
is clear of the price ratio. The table of games draws the truth: q from the prior, and the curve anew in every game.
The campaigns try a second vendor of unknown acceptance rate by `exploration`, or never. Writes
benchmarks/results/quality.json.
"""

import argparse
from collections.abc import Callable

import numpy as np
from results_files import RESULTS, markdown, write

from app.planner.borrowing import fit_together
from app.planner.curves import AssumedCurve, Observations, Points
from app.planner.plan import make_plan
from app.planner.problem import Problem, Source
from app.planner.quality import Mixture, Quality, Worth, learn_qualities
from app.planner.utility import Metric, Objective
from app.services.curves.prior import prior_for

RESULT = RESULTS / "quality.json"
CLEAN = (125.0, 250.0, 500.0, 1000.0)
PILOTS = {
    "250 on top of 1,000 clean": ((1000, 250),),
    "1,000 on top, two sizes": ((1000, 250), (1000, 1000)),
    "250 swapped onto clean 125, 250, 500": ((125, 250), (250, 250), (500, 250)),
    "500 swapped onto clean 0, 125, 250, 500": ((0, 500), (125, 500), (250, 500), (500, 500)),
}
RATIOS = (0.4, 0.5, 0.8)
ROUNDS, SHARE = 4, 0.2
Curve = tuple[float, float, float]
PRIOR = prior_for(1.0)


def learned(
    pilot: tuple[tuple[int, int], ...], truth: float, curve: Curve, noise: float, rng: np.random.Generator
) -> Quality:
    """What the clean runs and those with the pilot say of the source."""
    a, b, d = curve
    clean, came = np.array([*((n, 0.0) for n in CLEAN), *pilot]).T
    losses = a * np.maximum(clean + truth * came, 5.0) ** -b + d + rng.normal(0.0, noise, len(clean))
    losses = np.clip(losses, 1e-3, 0.999)
    points = Points(clean + came, losses, np.full(len(clean), np.nan), np.zeros(len(clean), dtype=np.int64))
    return learn_qualities([Mixture(points, ("s",), came[:, None])], {"s": Worth()}, 1.0, PRIOR)["s"]


def fixed(_: np.random.Generator) -> tuple[float, Curve]:
    return 0.625, (1.5, 0.4, 0.04)


def drawn(rng: np.random.Generator) -> tuple[float, Curve]:
    """q of the prior, as far as the grid goes; losses of .05 to .35 at 1,000."""
    quality = 2.0
    while not -0.3 <= quality <= 1.5:
        quality = rng.normal(0.7, 0.4)
    exponent, floor, level = (
        rng.uniform(0.2, 0.7),
        rng.uniform(0.0, 0.6),
        np.exp(rng.uniform(np.log(0.05), np.log(0.3))),
    )
    return quality, (level * (1.0 - floor) * 1000.0**exponent, exponent, level * floor)


def row(
    pilot: tuple[tuple[int, int], ...],
    noise: float,
    games: int,
    world: Callable[[np.random.Generator], tuple[float, Curve]],
) -> list[float]:
    """Mean error, mean width and cover of the 90 % interval, and the share decided at each ratio."""
    rng = np.random.default_rng(20)
    found = []
    for _ in range(games):
        truth, curve = world(rng)
        one = learned(pilot, truth, curve, noise * (1.0 if world is fixed else curve[2] + 0.1), rng)
        decided = [float(not one.p05 <= ratio <= one.p95) for ratio in RATIOS]
        found.append([one.mean - truth, one.p95 - one.p05, float(one.p05 <= truth <= one.p95), *decided])
    return [float(value) for value in np.mean(found, axis=0)]


def rows(
    games: int, world: Callable[[np.random.Generator], tuple[float, Curve]], noises: tuple[float, ...]
) -> list[dict[str, object]]:
    """A row per noise and pilot; `decided` at each of the RATIOS."""
    names = ("mean_error", "width", "cover", "decided_40", "decided_50", "decided_80")
    found = [
        {"pilot": name, "noise": noise} | dict(zip(names, row(pilot, noise, games, world), strict=True))
        for noise in noises
        for name, pilot in PILOTS.items()
    ]
    print(
        markdown(list(found[0]), [[f"{v:.3f}" if isinstance(v, float) else v for v in one.values()] for one in found])
    )
    return found


def campaign(rate: float, share: float, rng: np.random.Generator) -> float:
    """Accepted samples of four rounds: one vendor accepts .60 for sure, the other `rate`, believed .55 ± .11."""
    success, failure, brought = 11.0, 9.0, 0.0
    for _ in range(ROUNDS):
        known = Source("known", ((0, 1.0),), 1_000_000, acceptance_rate=0.6)
        mean = success / (success + failure)
        other = Source("other", ((0, 1.0),), 1_000_000, acceptance_rate=mean, acceptance_weight=success + failure)
        sure, tried = (one.order for one in make_plan(asked((known, other)), exploration=share).sources)
        accepted = int(rng.binomial(tried, rate))
        brought += 0.6 * sure + accepted
        success, failure = success + accepted, failure + tried - accepted
    return brought


def asked(sources: tuple[Source, ...]) -> Problem:
    """A round of 1,000 for one group on a stated curve."""
    none = np.zeros(0)
    nothing = Points(none, none, none, none.astype(np.int64))
    curve = AssumedCurve(0.1, 2.0, 0.5, 0.0)
    held = np.array([200.0])
    return Problem(
        keys=("a",),
        weights=np.ones(1),
        held=held,
        targets=np.full(1, np.nan),
        reference_loss=None,
        metric=Metric("minimize", 0.0, 1.0),
        objective=Objective("utilitarian"),
        posterior=fit_together(Observations(("a",), (nothing,), (curve,), held, 1.0), PRIOR, 0, 50),
        sources=sources,
        budget=1_000_000_000,
    )


def campaigns(games: int) -> dict[str, float]:
    """Accepted samples without and with trying the second vendor, paired by its rate."""
    rates = np.random.default_rng(7).beta(11.0, 9.0, size=games)
    never, tried = (
        np.array([campaign(rate, share, np.random.default_rng(at)) for at, rate in enumerate(rates)])
        for share in (0.0, SHARE)
    )
    gain = tried - never
    return {"never": never.mean(), "tried": tried.mean(), "gain": gain.mean(), "se": gain.std() / np.sqrt(games)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=200)
    games = parser.parse_args().games
    found = {
        "games": games,
        "one_truth": rows(games, fixed, (0.003, 0.01)),
        "drawn_truths": rows(games, drawn, (0.02, 0.06)),
        "campaigns": campaigns(games),
    }
    print(found["campaigns"])
    write(RESULT, found)


if __name__ == "__main__":
    main()
