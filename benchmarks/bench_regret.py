"""Regret over rounds and budget: what buying round by round, without knowing the learning rates, loses to the best
purchase in hindsight.

Three worlds whose curves are known: `concave`, own counts and the fitted family, where the theorem of docs/method.md
("Rounds without known rates") holds; `late`, a group that learns only beyond some hundred samples; `teaching`, a group
whose samples also count by half for two others. Every round the held samples are scored on nested runs (in `teaching`
also with one group at a time smaller) on one shared holdout, and the plan of the API's defaults is bought. Prices
1/1/2/3 (late: 1/1), 25 samples of each group at the start (late: 100). Regret is a share of what the best purchase
gains.

    python benchmarks/bench_regret.py [--games 8] [--only late] [--budgets 4000] [--rounds 1 2]

Beside it the theorem's own game: batches of money, each to the group of the largest estimated slope per cost, the
estimate off by a factor of up to e^±ε. Games that are in the file already are not played again unless --anew.
Writes benchmarks/results/regret.json.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from buyer import Buyer, Terms, added
from results_files import RESULTS, Row, distinct, markdown, select, write
from scipy.optimize import minimize

from app.planner.arrays import FloatArray
from app.planner.plan import Plan
from app.planner.simulation.worlds import mixed_runs, nested_runs
from app.planner.utility import Objective

RESULT = RESULTS / "regret.json"
BUDGETS, ROUNDS = (1000, 4000, 16000), (1, 2, 4, 8, 16)
SIZES = (0.25, 0.5, 1.0)
EXAMPLES = 2000
"""Examples of each group in the holdout that all runs share."""
SCATTER = 0.004
"""Sd of the error of one training."""
BATCHES, ERRORS, REPETITIONS = (8, 64, 512), (0.0, 0.2, 0.5), 20
SCALE, EXPONENT, FLOOR = np.array([(1.0, 0.5, 0.05), (1.6, 0.35, 0.08), (1.6, 0.6, 0.04), (0.8, 0.3, 0.10)]).T
TAUGHT = np.array([0.0, 0.5, 0.0, 0.5])
"""What a sample of the first group is worth to each in the world `teaching`, beside its own."""


@dataclass(frozen=True)
class World:
    """loss: counts [k] → true losses [k]. mixed: whether runs of other mixtures are made. players: model by name.
    slope: counts → the true utility's slope per cost of own counts [k], None outside the theorem's conditions."""

    start: FloatArray
    price: FloatArray
    loss: Callable[[FloatArray], FloatArray]
    mixed: bool = False
    players: tuple[str, ...] = ("separate",)
    slope: Callable[[FloatArray], FloatArray] | None = None

    def utility(self, counts: FloatArray) -> float:
        """The mean accuracy."""
        return 1.0 - float(self.loss(counts).mean())


def power(counts: FloatArray) -> FloatArray:
    return np.asarray(SCALE * np.maximum(counts, 1.0) ** -EXPONENT + FLOOR)


PRICES = np.array([1.0, 1.0, 2.0, 3.0])


def own_slope(counts: FloatArray) -> FloatArray:
    return np.asarray(SCALE * EXPONENT * counts ** (-EXPONENT - 1.0) / PRICES / len(PRICES))


def late(counts: FloatArray) -> FloatArray:
    """n^-.5 + .05, and a group that falls from .62 to .02 round 900 samples."""
    n = np.maximum(counts, 1.0)
    return np.array([n[0] ** -0.5 + 0.05, 0.02 + 0.6 / (1.0 + (n[1] / 900.0) ** 3)])


WORLDS = {
    "concave": World(np.full(4, 25.0), PRICES, power, slope=own_slope),
    "late": World(np.full(2, 100.0), np.ones(2), late),
    "teaching": World(
        np.full(4, 25.0), PRICES, lambda counts: power(counts + TAUGHT * counts[0]), mixed=True,
        players=("separate", "joint"),
    ),
}  # fmt: skip


@cache
def best_of(name: str, budget: int) -> FloatArray:
    """Counts of the best purchase of divisible samples: the best of many ascents from random splits."""
    world = WORLDS[name]

    def after(shares: FloatArray) -> FloatArray:
        return np.asarray(world.start + budget * np.exp(shares) / np.exp(shares).sum() / world.price)

    starts = [np.zeros(len(world.start)), *np.random.default_rng(0).normal(0.0, 2.0, (20, len(world.start)))]
    found = [minimize(lambda shares: -world.utility(after(shares)), one, method="BFGS", tol=1e-12) for one in starts]
    return after(min(found, key=lambda one: float(one.fun)).x)


def play(name: str, budget: int, rounds: int, model: str, seed: int) -> Row:
    """One game: regret as a share of the best gain, the bound, and what the first answer warned of."""
    world, rng = WORLDS[name], np.random.default_rng((seed, list(WORLDS).index(name)))
    groups = len(world.start)
    luck = rng.random((groups, EXAMPLES))
    terms = Terms(tuple(f"g{at}" for at in range(groups)), world.price, np.full(groups, np.inf))
    buyer = Buyer(terms, Objective("utilitarian"), model="joint" if model == "joint" else "separate")
    held, left, first = world.start.copy(), float(budget), []
    off: list[tuple[FloatArray, float]] = []
    for number in range(rounds):
        for counts in (mixed_runs if world.mixed else nested_runs)(held, SIZES):
            scored(world, buyer, luck, counts, rng)
        plan = buyer.plan(held, left / (rounds - number))
        first = first or sorted({one.code for one in plan.warnings} | warned(buyer, held))
        bought = added(plan)
        held, left = held + bought, left - float(bought @ world.price)
        if world.slope is not None:
            off.append((bought, error_of(plan, world.slope(held))))
    best = best_of(name, budget)
    gain = world.utility(best) - world.utility(world.start)
    row = {"world": name, "budget": budget, "rounds": rounds, "player": model, "seed": seed}
    row |= {"regret": (world.utility(best) - world.utility(held)) / gain, "gain": gain, "first": first}
    if world.slope is not None:
        row |= bounded(world, held, best, gain, off)
    return row


def scored(world: World, buyer: Buyer, luck: FloatArray, counts: FloatArray, rng: np.random.Generator) -> None:
    """A run on these counts, scored on the one holdout: its examples are the same in every run."""
    loss = world.loss(counts) + SCATTER * rng.normal(size=len(counts))
    right = 1.0 - (luck < loss[:, None]).mean(axis=1)
    buyer.post(counts, right, [{"eval_size": EXAMPLES}] * len(counts))


def warned(buyer: Buyer, held: FloatArray) -> set[str]:
    """What the curves are doubted for."""
    return {one.code for one in buyer.fit(held).posterior.warnings}


def error_of(plan: Plan, slope: FloatArray) -> float:
    """ε: by how much the logs of the estimated slopes per cost are off where the purchase ended."""
    said = np.array([group.marginal_after or np.nan for group in plan.groups])
    return float(np.nanmax(np.abs(np.log(said / slope))))


def bounded(
    world: World, held: FloatArray, best: FloatArray, gain: float, off: Sequence[tuple[FloatArray, float]]
) -> dict[str, float]:
    """The theorem's bound as a share of the gain, ε being the largest over the rounds in which some group got its last
    samples. Rounds are split to the last sample: a batch is one."""
    groups = range(len(held))
    last = {max((at for at, (bought, _) in enumerate(off) if bought[group]), default=None) for group in groups}
    epsilon = max(off[at][1] for at in last if at is not None)
    assert world.slope is not None
    steepest = float(world.slope(held).max())
    moved = float(np.maximum(world.price * (best - held), 0.0).sum())
    return {"epsilon": epsilon, "bound": steepest * (2 * epsilon * moved + float(world.price.sum())) / gain}


def rules(name: str, budget: int) -> Row:
    """The regret of simple rules."""
    world = WORLDS[name]
    best, start = world.utility(best_of(name, budget)), world.utility(world.start)
    equal = world.utility(world.start + budget / world.price.sum())
    spend = world.utility(world.start + budget / len(world.price) / world.price)
    return {"world": name, "budget": budget, "equal": (best - equal) / (best - start),
            "equal_spend": (best - spend) / (best - start)}  # fmt: skip


def batches(budget: int, number: int, epsilon: float) -> Row:
    """The theorem's own game in the world `concave`: means over repetitions, and the least of bound less regret."""
    world, slope = WORLDS["concave"], own_slope
    best = best_of("concave", budget)
    gain, each, regrets, bounds = world.utility(best) - world.utility(world.start), budget / number, [], []
    for seed in range(REPETITIONS):
        rng, held = np.random.default_rng(seed), world.start.copy()
        for _ in range(number):
            at = int(np.argmax(slope(held) * np.exp(rng.uniform(-epsilon, epsilon, len(held)))))
            held[at] += each / world.price[at]
        moved = float(np.maximum(world.price * (best - held), 0.0).sum())
        regrets.append((world.utility(best) - world.utility(held)) / gain)
        bounds.append(float(slope(held).max()) * (2 * epsilon * moved + len(held) * each) / gain)
    return {"budget": budget, "batches": number, "epsilon": epsilon, "regret": float(np.mean(regrets)),
            "bound": float(np.mean(bounds)), "slack": float(np.min(np.subtract(bounds, regrets)))}  # fmt: skip


def table(games: Sequence[Row]) -> str:
    lines = []
    for name in distinct(games, "world"):
        for budget in distinct(select(games, world=name), "budget"):
            for player in distinct(select(games, world=name, budget=budget), "player"):
                for rounds in distinct(select(games, world=name, budget=budget, player=player), "rounds"):
                    some = select(games, world=name, budget=budget, player=player, rounds=rounds)
                    regret = np.array([one["regret"] for one in some])
                    bound = np.mean([one.get("bound", np.nan) for one in some])
                    lines.append([name, budget, player, rounds, len(some), f"{regret.mean():.4f}",
                                  f"{regret.std(ddof=1) / len(some) ** 0.5 if len(some) > 1 else np.nan:.4f}",
                                  f"{regret.max():.4f}", f"{bound:.3f}"])  # fmt: skip
    return markdown(["world", "budget", "player", "rounds", "games", "regret", "se", "worst", "bound"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", type=int, default=8)
    parser.add_argument("--only", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--budgets", nargs="+", type=int, default=list(BUDGETS))
    parser.add_argument("--rounds", nargs="+", type=int, default=list(ROUNDS))
    parser.add_argument("--anew", action="store_true", help="play also what is in the file already")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    old: dict[str, Any] = {}
    if given.out.exists() and not given.anew:
        old = json.loads(given.out.read_text(encoding="utf-8"))["results"]
    games: list[Row] = list(old.get("games", ()))
    done = {tuple(one[name] for name in ("world", "budget", "rounds", "player", "seed")) for one in games}
    found = {
        "theorem": [batches(budget, number, error) for budget in BUDGETS for number in BATCHES for error in ERRORS],
        "rules": [rules(name, budget) for name in WORLDS for budget in BUDGETS],
        "games": games,
    }
    for seed in range(given.games):
        for name in given.only:
            for budget in given.budgets:
                for rounds in given.rounds:
                    for model in WORLDS[name].players:
                        if (name, budget, rounds, model, seed) not in done:
                            games.append(play(name, budget, rounds, model, seed))
                            write(given.out, found)
    print(table(games))


if __name__ == "__main__":
    main()
