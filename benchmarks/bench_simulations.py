"""How long a simulation takes: 200 games of 8 policies and the oracle, 10 rounds, 20 groups, in two processes.

Parts of the games as the service cuts them, curves with 64 draws of own counts; wall and CPU time, the CPU time by
policy. Run: make bench-simulations.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import results_files
from scores import table

from app.planner.curves.observations import Observations, Points
from app.planner.fitting.fit import fit
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source
from app.planner.simulation.game import Player, Rules, play, unknown
from app.planner.simulation.trial import ORACLE, Trial, holdout_errors
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective
from app.services.curves.prior import prior_for
from app.services.simulations.simulations import PARTS

PLAYERS: tuple[Player, ...] = (
    "optimal", "greedy", "thompson", "worst_first", "equal", "equal_spend", "proportional", "water_filling", ORACLE,
)  # fmt: skip


def trial(games: int, groups: int, rounds: int) -> Trial:
    """Random curves, each measured at four sizes, and prices from 1 to 5."""
    rng = np.random.default_rng(0)
    keys = tuple(f"g{at:03d}" for at in range(groups))
    asymptote, scale = rng.uniform(0.02, 0.15, groups), rng.uniform(0.5, 2.0, groups)
    exponent, held = rng.uniform(0.3, 0.7, groups), rng.integers(100, 1000, groups).astype(float)
    points = []
    for at in range(groups):
        counts = np.floor(held[at] * np.array([0.125, 0.25, 0.5, 1.0]))
        losses = asymptote[at] + scale[at] * counts ** -exponent[at] + rng.normal(0.0, 0.01, 4)
        points.append(Points(counts, np.clip(losses, 0.0, 1.0), np.full(4, 0.015), np.zeros(4, dtype=np.int64)))
    seen = Observations(keys=keys, points=tuple(points), assumed=(None,) * groups, held=held, span=1.0)
    prices = [int(rng.uniform(100, 500)) * 10_000 for _ in keys]
    prior = prior_for(1.0)
    problem = Problem(
        keys=keys,
        weights=np.ones(groups),
        held=np.zeros(len(keys)),
        targets=np.full(groups, np.nan),
        reference_loss=None,
        metric=Metric("maximize", 0.0, 1.0),
        objective=Objective("isoelastic", aversion=1.0),
        sources=tuple(
            Source(key, ((at, 1.0),), price) for at, (key, price) in enumerate(zip(keys, prices, strict=True))
        ),
        budget=1_000 * groups * 1_000_000,
        posterior=unknown(keys, 1.0, prior),
    )
    rules = Rules(problem, rounds, prior, draws=64)
    return Trial(rules, fit(seen, rules.prior, 0, games), held, holdout_errors(seen), 0)


def play_part(asked: tuple[int, int, int, int, int]) -> dict[str, float]:
    """CPU seconds by player for games `first` to `first + count`."""
    games, groups, rounds, first, count = asked
    game = trial(games, groups, rounds)
    worlds = [game.world(number) for number in range(first, min(first + count, games))]
    spent = {}
    for player in PLAYERS:
        start = process_time()
        play(worlds, game.rules, player, 0, first)
        spent[player] = process_time() - start
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=200)
    parser.add_argument("--groups", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "simulations.json")
    given = parser.parse_args()
    size = -(-given.games // PARTS)
    parts = [(given.games, given.groups, given.rounds, first, size) for first in range(0, given.games, size)]
    start = perf_counter()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        spent = list(pool.map(play_part, parts))
    wall = perf_counter() - start
    by_player = {player: round(sum(one[player] for one in spent), 2) for player in PLAYERS}
    total = round(sum(by_player.values()), 1)
    print(table([{"policy": player, "CPU s": seconds} for player, seconds in by_player.items()]))
    print(f"{given.games} games in two processes: {wall:.1f} s by the clock, {total} s of CPU")
    answer = {"games": given.games, "groups": given.groups, "rounds": given.rounds, "wall_s": round(wall, 1),
              "cpu_s": total, "cpu_s_by_policy": by_player}  # fmt: skip
    results_files.write(given.out, answer)


if __name__ == "__main__":
    main()
