"""The collection game in a surrogate of polygenic scores: what each policy reaches of what an oracle would.

Three populations whose curves help each other (`worlds.polygenic_surrogate`), six rounds of 50 money. Regret is
Σ(U_oracle − U)/Σ(U_oracle − U_start) over the games, the oracle planning each round on the true curves; differences to
`optimal` are paired over the games. Run: python benchmarks/bench_surrogate.py [--games 200].
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scores import table

from app.planner.arrays import FloatArray
from app.planner.game import Player, Rules, play
from app.planner.metric import Metric
from app.planner.objective import Objective
from app.planner.paired import difference, regret
from app.planner.sources import Source
from app.planner.worlds import POLYGENIC_KEYS, polygenic_surrogate
from app.services.prior import prior_for

SCENARIOS: dict[str, tuple[FloatArray, tuple[float, ...]]] = {
    "equal costs": (np.array([100.0, 100.0, 100.0]), (1.0, 1.0, 1.0)),
    "costs 3/1/1.5": (np.array([100.0, 100.0, 100.0]), (3.0, 1.0, 1.5)),
    "skewed start": (np.array([30.0, 450.0, 30.0]), (2.0, 1.0, 1.5)),
}
"""Counts at the start and prices, in the order YRI, CEU, CHB."""
UTILITIES: dict[str, tuple[Objective, tuple[float, ...]]] = {
    "population": (Objective("utilitarian"), (0.15, 0.65, 0.2)),
    "mean": (Objective("utilitarian"), (1.0, 1.0, 1.0)),
    "log": (Objective("isoelastic", aversion=1.0), (1.0, 1.0, 1.0)),
    "worst": (Objective("maximin"), (1.0, 1.0, 1.0)),
}
PLAYERS: tuple[Player, ...] = ("optimal", "greedy", "equal", "equal_spend", "proportional", "water_filling")
BUDGET, ROUNDS = 300, 6


def rules_of(costs: tuple[float, ...], utility: str) -> Rules:
    objective, weights = UTILITIES[utility]
    return Rules(
        keys=POLYGENIC_KEYS,
        weights=np.array(weights),
        targets=np.full(3, np.nan),
        reference_loss=None,
        metric=Metric("maximize", 0.0, 1.0),
        objective=objective,
        sources=tuple(
            Source(key, ((at, 1.0),), round(cost * 1e6))
            for at, (key, cost) in enumerate(zip(POLYGENIC_KEYS, costs, strict=True))
        ),
        budget=BUDGET * 1_000_000,
        rounds=ROUNDS,
        prior=prior_for(1.0),
        draws=100,
    )


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "surrogate.json")
    given = parser.parse_args()
    rows = [row for scenario in SCENARIOS for utility in UTILITIES for row in rows_of(scenario, utility, given.games)]
    print(table(rows))
    given.out.write_text(json.dumps({"games": given.games, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
