"""The collection game in a surrogate of polygenic scores: what each policy reaches of what an oracle would.

Three populations whose curves help each other (`worlds.polygenic_surrogate`), six rounds of 50 money. Regret is
Σ(U_oracle − U)/Σ(U_oracle − U_start) over the games, the oracle planning each round on the true curves; differences to
`optimal` are paired over the games. Run: python benchmarks/bench_surrogate.py [--games 200].
"""

import argparse
import json
from pathlib import Path

from scenarios import SCENARIOS, UTILITIES, rules_of
from scores import table

from app.planner.game import Player, play
from app.planner.paired import difference, regret
from app.planner.worlds import polygenic_surrogate

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
