"""One model on many groups: what planning on the joint response gains over planning on each group's own count.

    python benchmarks/bench_joint.py families harm independent --seeds 16

All players of a part are played on the same seeds in one run; differences are paired. Each part's bars are printed
beside its figures and kept with them in results/joint.json; parts that are not played stay as they are.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before NumPy: sums must not depend on the threads

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import results_files
from buyer import Terms
from joint_forecasts import LOSS, compositions, oneshot
from joint_game import DRAWS, PLAYERS, USUAL, Game, oracle, play
from joint_retrained import genome_games, people_game, per_trait, weighted
from joint_worlds import PRICES, WORLDS, FamilyWorld
from scenarios import UTILITIES
from scores import table

from app.planner.simulation.paired import Estimate

HERE = Path(__file__).parent
ROUNDS = 5
ONESHOT = (("regret", 0.05), ("gain error", 0.4))
RIVALS = (*USUAL, "worst_first", "slice_tuner")
COMPOSITIONS = (("census race sex lr", 0.85), ("census race sex hgb", 0.7))
Row = dict[str, Any]
Asked = argparse.Namespace
Replicate = dict[str, dict[str, float]]
"""By utility and player, what was reached; `seconds` by player: CPU of a game."""


@dataclass(frozen=True)
class Bar:
    """What is asked of `player` on `utility`. Paired with `over`: at least `mean`, more than `errors` standard errors
    above 0 (or not so many below it, where it is negative), no replicate below `least`. most: of its own mean."""

    utility: str
    mean: float | None = None
    errors: float | None = None
    least: float | None = None
    most: float | None = None
    over: str = "own"
    player: str = "joint"

    def judged(self, found: Sequence[Replicate]) -> Row:
        """The figures beside the bar; {} where one of the two did not play."""
        if not {self.player, self.over} <= found[0].get(self.utility, {}).keys():
            return {}
        own, other = (np.array([one[self.utility][name] for one in found]) for name in (self.player, self.over))
        estimate, least = Estimate.of(own - other), float((own - other).min())
        holds = (
            (self.mean is None or estimate.mean >= self.mean)
            and (self.errors is None or estimate.mean > self.errors * estimate.se)
            and (self.least is None or least >= self.least)
            and (self.most is None or own.mean() <= self.most)
        )
        figures = {"ahead": estimate.mean, "se": estimate.se, "lowest": least, "level": own.mean()}
        rounded = {name: round(float(value), 5) for name, value in figures.items()}
        return asdict(self) | rounded | {"replicates": len(found), "holds": bool(holds)}

    def told(self, judged: Row) -> str:
        """One line: the bar, the figure, whether it holds."""
        asked = [f"≥ {self.mean:+.4f}"] if self.mean is not None else []
        asked += [f"> {self.errors:g} se"] if self.errors is not None else []
        asked += [f"none below {self.least:+.4f}"] if self.least is not None else []
        seen = f"{results_files.signed(judged['ahead'], judged['se'])}, lowest {judged['lowest']:+.4f}"
        what = f"{self.player} over {self.over}"
        if self.most is not None:
            what, asked, seen = self.player, [f"≤ {self.most:g}"], f"{judged['level']:.4f} ({seen} to {self.over})"
        verdict = "holds " if judged["holds"] else "MISSED"
        return f"  {verdict}  {self.utility}: {what} {', '.join(asked)}: {seen}, {judged['replicates']} replicates"


@dataclass(frozen=True)
class Part:
    """measure: a seed → its replicates, of the asked players and utilities; those it has unless others are asked."""

    measure: Callable[[Asked, int], list[Replicate]]
    bars: tuple[Bar, ...]
    utilities: tuple[str, ...] = ("mean", "log")
    players: tuple[str, ...] = USUAL


def raced(game_of: Callable[[str], Game], given: Asked, with_oracle: bool = False) -> Replicate:
    """One replicate of the asked players, utility by utility."""
    found: Replicate = {"seconds": {}}
    for utility in given.utilities:
        game, reached = game_of(utility), {}
        for name in given.players:
            began = time.process_time()
            reached[name] = float(game.value(play(game, PLAYERS[name])[None])[0])
            seconds = (time.process_time() - began) / len(given.utilities)
            found["seconds"][name] = found["seconds"].get(name, 0.0) + seconds
        if with_oracle:
            reached["oracle"] = float(game.value(oracle(game)[None])[0])
        found[utility] = reached | {"nothing": float(game.value(game.world.start[None])[0])}
    return found


def people(name: str) -> Callable[[Asked, int], list[Replicate]]:
    """A random split of census or NHANES people."""

    def measure(given: Asked, seed: int) -> list[Replicate]:
        game = people_game(given.data, name, seed, ROUNDS, given.draws)
        return [raced(game.of, given)]

    return measure


def polygenic(scenario: str) -> Callable[[Asked, int], list[Replicate]]:
    """A genome: its traits are replicates, each the mean over orders of the people."""

    def measure(given: Asked, seed: int) -> list[Replicate]:
        games = genome_games(seed, scenario, given.draws)
        return list(per_trait([raced(partial(weighted, game), given) for game in games]))

    return measure


def made(name: str) -> Callable[[Asked, int], list[Replicate]]:
    """Six groups at 1, 2 and 4 a sample, and money for twice the data."""

    def measure(given: Asked, seed: int) -> list[Replicate]:
        world = FamilyWorld(seed, **WORLDS[name])
        keys = tuple(f"g{number}" for number in range(len(PRICES)))
        terms = Terms(keys, PRICES, np.full(len(PRICES), np.inf), LOSS, "other")
        money = float(np.floor(2.0 * world.start @ PRICES))

        def game(utility: str) -> Game:
            return Game(world, terms, utility, money, ROUNDS, world.start, draws=given.draws)

        return [raced(game, given, with_oracle=True)]

    return measure


NOT_WORSE = (Bar("mean", errors=-2.0),)
POLYGENIC = tuple(Bar(utility, errors=-1.0) for utility in UTILITIES)
EQUAL_COSTS = tuple(
    Bar(utility, errors=-1.0, over=rival) for utility in UTILITIES for rival in ("worst_first", "slice_tuner")
)
PARTS = {
    "families": Part(made("families"), (Bar("mean", 0.004, 5.0), Bar("log", 0.002))),
    "harm": Part(made("harm"), (Bar("mean", 0.0035),)),
    "independent": Part(made("independent"), (Bar("mean", 0.0, least=-0.005),)),
    "census-hgb": Part(people("census-hgb"), (Bar("mean", 0.004), Bar("mean", 0.0, over="proportional"))),
    "nhanes-lr": Part(people("nhanes-lr"), (Bar("mean", 0.002),)),
    "census-lr": Part(people("census-lr"), NOT_WORSE),
    "apart": Part(people("apart"), (Bar("mean", errors=-2.0, player="separate"),), players=(*USUAL, "separate")),
    "contradicting": Part(people("contradicting"), NOT_WORSE),
    "polygenic-equal": Part(polygenic("equal"), POLYGENIC + EQUAL_COSTS, tuple(UTILITIES), RIVALS),
    "polygenic-unequal": Part(polygenic("unequal"), POLYGENIC, tuple(UTILITIES), RIVALS),
    "oneshot": Part(
        oneshot, tuple(Bar(f"{what} {kind}", most=most) for what, most in ONESHOT for kind in ("mean", "log"))
    ),
    "compositions": Part(compositions, tuple(Bar(name, most=most) for name, most in COMPOSITIONS)),
}


def rows_of(part: str, found: Sequence[Replicate]) -> list[Row]:
    """A row for every utility and player, with its difference to `own`."""
    rows = []
    for utility in found[0]:
        if utility == "seconds":
            continue
        base = np.array([one[utility]["own"] for one in found])
        seconds = [one.get("seconds", {}) for one in found]
        for player in found[0][utility]:
            values = np.array([one[utility][player] for one in found])
            ahead = Estimate.of(values - base)
            rows.append(
                {
                    "part": part,
                    "utility": utility,
                    "player": player,
                    "mean": round(float(values.mean()), 5),
                    "diff_to_own": round(ahead.mean, 5),
                    "diff_se": round(ahead.se, 5),
                    "lowest": round(float((values - base).min()), 5),
                    "seconds": round(float(np.mean([one.get(player, 0.0) for one in seconds])), 2),
                    "replicates": len(found),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=16, help="replicates of a part")
    parser.add_argument("--first", type=int, default=1, help="the first seed; the others follow")
    parser.add_argument("--players", nargs="+", choices=PLAYERS, help="of those of the part")
    parser.add_argument("--utilities", nargs="+", choices=UTILITIES, help="of those of the part")
    parser.add_argument("--each", action="store_true", help="print every replicate, too")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument(
        "--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="folder of census/, nhanes/"
    )
    parser.add_argument("--tables", type=Path, default=HERE.parent / ".tables", help="folder of joint_tables.py")
    parser.add_argument("--tables-asked", nargs="+", metavar="NAME", help="tables, of those of the part")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "joint.json")
    given = parser.parse_args()
    for name in given.parts:
        part = PARTS[name]
        players = list(dict.fromkeys(["own", *(given.players or part.players)]))
        chosen = {"players": players, "utilities": given.utilities or list(part.utilities)}
        asked = argparse.Namespace(**vars(given) | chosen)
        with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
            tasks = [pool.submit(measured, name, asked, seed) for seed in range(given.first, given.first + given.seeds)]
            found = [one for task in tasks for one in task.result()]
        if given.each:
            print(*map(json.dumps, found), sep="\n")
        rows, bars = rows_of(name, found), [(one, bar) for one in part.bars if (bar := one.judged(found))]
        print(table(rows), *(one.told(bar) for one, bar in bars), sep="\n", flush=True)
        results_files.write_part(given.out, name, {"rows": rows, "bars": [bar for _, bar in bars]})


def measured(name: str, given: Asked, seed: int) -> list[Replicate]:
    return PARTS[name].measure(given, seed)


if __name__ == "__main__":
    main()
