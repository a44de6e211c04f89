"""The collection game in a surrogate of polygenic scores: what each policy reaches of what an oracle would.

Three populations whose curves help each other (`surrogate_worlds`), six rounds of 50 money. Regret is
Σ(U_oracle − U)/Σ(U_oracle − U_start) over the games, the oracle planning each round on the true curves; differences to
`optimal` are paired over the games. `--levels` plays only what the holdout's error costs the worst group. Run:
python benchmarks/bench_surrogate.py [--games 200] [--levels].
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import results_files
from scenarios import SCENARIOS, UTILITIES, rules_of
from scores import table
from surrogate_worlds import polygenic_surrogate

from app.planner.simulation.game import GameResult, Player, Rules, judge, play
from app.planner.simulation.paired import Estimate, difference, regret
from app.planner.simulation.worlds import CurveWorld

PLAYERS: tuple[Player, ...] = ("optimal", "greedy", "equal", "equal_spend", "proportional", "water_filling")


def rows_of(scenario: str, utility: str, games: int) -> list[dict[str, object]]:
    start, costs = SCENARIOS[scenario]
    worlds = [polygenic_surrogate(start, seed) for seed in range(games)]
    rules = rules_of(costs, utility)
    oracle = play(worlds, rules, "oracle", 0)
    outcomes = {player: play(worlds, rules, player, 0) for player in PLAYERS}
    rows = []
    for player, outcome in outcomes.items():
        ahead = difference(outcome, outcomes["optimal"])
        rows.append(
            {
                "scenario": scenario,
                "utility": utility,
                "policy": player,
                "final": round(float(outcome.final.mean()), 4),
                "regret": round(regret(outcome, oracle), 3),
                "less optimal's": round(ahead.mean, 5),
                "paired se": round(ahead.se, 5),
            }
        )
    return rows


def levels_of(scenario: str, games: int) -> dict[str, object]:
    """What the holdout's error alone costs the worst group: the regret of `optimal`, and that of a planner that knows
    every curve and who helps whom but for the levels, which it takes as its holdout has them."""
    start, costs = SCENARIOS[scenario]
    worlds = [polygenic_surrogate(start, seed) for seed in range(games)]
    rules = rules_of(costs, "worst")
    oracle, optimal = play(worlds, rules, "oracle", 0), play(worlds, rules, "optimal", 0)
    misled = rejudged(play([as_measured(world) for world in worlds], rules, "oracle", 0), worlds, rules)
    gain = float((oracle.final - oracle.utility[:, 0]).mean())
    lost = {"optimal": oracle.final - optimal.final, "levels as measured": oracle.final - misled.final}
    found: dict[str, object] = {"scenario": scenario}
    for name, values in lost.items():
        one = Estimate.of(values / gain)
        found |= {name: round(one.mean, 3), f"{name}, se": round(one.se, 3)}
    return found


def as_measured(world: CurveWorld) -> CurveWorld:
    """The world whose curves lie where the holdout of `world` shows them, for ever so many runs."""
    exact = replace(world, noise=np.zeros(len(world.start)))
    start = world.start[None, :]
    error = (exact.measure(start, 0).losses - world.losses(start))[0]
    return replace(world, truth=replace(world.truth, asymptote=world.truth.asymptote + error[:, None]))


def rejudged(outcome: GameResult, worlds: list[CurveWorld], rules: Rules) -> GameResult:
    """The same purchases, with what they reach in `worlds`."""
    losses = np.array([world.losses(path) for world, path in zip(worlds, outcome.counts, strict=True)])
    utility, worst, benefit = judge(rules, losses)
    return replace(outcome, utility=utility, worst=worst, benefit=benefit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "surrogate.json")
    parser.add_argument("--levels", action="store_true")
    given = parser.parse_args()
    if given.levels:
        rows = [levels_of(scenario, given.games) for scenario in SCENARIOS]
        print(table(rows))
        out = given.out.with_name("surrogate_levels.json")
        results_files.write(out, {"games": given.games, "rows": rows})
        return
    rows = [row for scenario in SCENARIOS for utility in UTILITIES for row in rows_of(scenario, utility, given.games)]
    print(table(rows))
    results_files.write(given.out, {"games": given.games, "rows": rows})


if __name__ == "__main__":
    main()
