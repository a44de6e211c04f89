"""Polygenic scores on simulated genomes: what each policy of collecting reaches, paired over genomes and traits.

Six genomes out of Africa with four traits each, 300 money in six rounds, three scenarios, four utilities. Every round
the planner sees R² on validation people; what is compared is R² on others. A replicate is a genome and a trait: the
mean of games in which different people, drawn at random, train, validate and test. `oracle_fixed` is the one split of
all the money that is best on the mean of all replicates, found by trying every split in steps of a thirtieth.
Run: python benchmarks/bench_prs.py [--scenario skewed] [--genomes 6] [--seed 1] [--policies optimal equal].
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before NumPy: sums must not depend on the threads

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import numpy as np
import results_files
from gblup import GenomeWorld, Scores, Split
from genomes import fixation, simulate, traits
from scenarios import BUDGET, MONEY, SCENARIOS, UTILITIES, rules_of
from scores import table

from app.planner.arrays import FloatArray
from app.planner.curves.prior import Prior
from app.planner.policies.policy import PolicyName
from app.planner.simulation.game import GameResult, Rules, judge, play
from app.planner.simulation.paired import Estimate

HERE = Path(__file__).parent
POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
POWER_LAW, LEAST_SQUARES = "greedy, power law", "greedy, least squares"
"""`greedy` on posteriors of power laws without offset; on plain power laws through the points, as point estimates."""
TRANSFER, MIXED, BOTH = "optimal, transfer", "optimal, mixed runs", "optimal, transfer, mixed runs"
"""`optimal` on curves with transfer; where each group was also trained smaller alone; both."""
WITH_TRANSFER = "unequal"
"""The scenario that is played with transfer and with mixed runs too."""
STEPS = 30
"""The oracle's splits are in steps of so many parts of the money."""
KEYS = ("scenario", "utility", "policy", "mean", "se", "diff_to_optimal", "diff_se", "replicates")
PAIRS = ("YRI CEU", "YRI CHB", "CEU CHB")


@dataclass(frozen=True)
class Size:
    """How large a run is. orders: games to a replicate, each with the people in another random order."""

    people: int = 1_600
    length: float = 5e6
    sites: int = 2_500
    causal: int = 1_000
    traits: int = 4
    heritability: float = 2.0 / 3.0
    split: Split = field(default_factory=lambda: Split(800, 400, 400))
    orders: int = 4
    steps: int = STEPS
    draws: int = 100


@dataclass(frozen=True)
class Played:
    """What one player reached on a genome: final utility, that of the start, worst group, gain of the mean benefit,
    spent, each [traits] the mean over the orders of its people."""

    utility: FloatArray
    start: FloatArray
    worst: FloatArray
    gained: FloatArray
    spent: FloatArray

    @classmethod
    def of(cls, outcome: GameResult, orders: int) -> "Played":
        gained = outcome.benefit[:, -1] - outcome.benefit[:, 0]
        found = outcome.final, outcome.utility[:, 0], outcome.worst[:, -1], gained, outcome.spent / MONEY
        return cls(*(by_trait(values, orders) for values in found))

    @classmethod
    def joined(cls, parts: Sequence["Played"]) -> "Played":
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class Result:
    """A genome's share of the benchmark: played by (scenario, utility, player); fixed (utility, worst) [splits, traits]
    by (scenario, utility); F_ST of the three pairs."""

    played: dict[tuple[str, str, str], Played]
    fixed: dict[tuple[str, str], tuple[FloatArray, FloatArray]]
    fixation: tuple[float, ...]


def by_trait(values: FloatArray, orders: int) -> FloatArray:
    """Means over the orders [..., traits] of values of the worlds, order after order [..., orders × traits]."""
    return np.asarray(values.reshape(*values.shape[:-1], orders, -1).mean(axis=-2))


def power_law() -> Prior:
    """Power laws with a floor but without the offset, and no opinion on exponent and floor."""
    return Prior(offsets=(0.0,))


def variants(policies: Sequence[PolicyName], rules: Rules, scenario: str) -> Iterator[tuple[str, PolicyName, Rules]]:
    """Name, policy and rules of every player."""
    for policy in policies:
        yield policy, policy, rules
        if policy == "optimal" and scenario == WITH_TRANSFER:
            yield TRANSFER, policy, replace(rules, together=True)
            yield MIXED, policy, replace(rules, mixed=True)
            yield BOTH, policy, replace(rules, mixed=True, together=True)
        if policy == "greedy":
            yield POWER_LAW, policy, replace(rules, prior=power_law())
            yield LEAST_SQUARES, policy, replace(rules, least_squares=True)


def splits(start: FloatArray, costs: tuple[float, ...], steps: int) -> FloatArray:
    """Counts [splits, 3] that every split of the budget in `steps` parts leads to."""
    parts = np.array([(a, b, steps - a - b) for a, b in product(range(steps + 1), repeat=2) if a + b <= steps])
    return np.asarray(start + np.floor(parts * (BUDGET / steps) / np.array(costs) + 1e-9))


def genome(seed: int, scenarios: Sequence[str], policies: Sequence[PolicyName], size: Size) -> Result:
    """All games on the genome of that seed."""
    made = simulate(size.people, size.length, size.sites, seed)
    found = traits(made, size.traits, size.causal, size.heritability, seed)
    scores = Scores.of(made, found, size.split, size.heritability, seed, size.orders)
    result = Result({}, {}, tuple(fixation(made, a, b) for a, b in ((0, 1), (0, 2), (1, 2))))
    for scenario in scenarios:
        start, costs = SCENARIOS[scenario]
        worlds = [GenomeWorld(one, trait, start) for one in scores for trait in range(size.traits)]
        tried = splits(start, costs, size.steps)
        losses = np.array([world.losses(tried) for world in worlds]).swapaxes(0, 1)
        for utility in UTILITIES:
            rules = rules_of(costs, utility, draws=size.draws)
            value, worst, _ = judge(rules, losses)
            result.fixed[scenario, utility] = by_trait(value, size.orders), by_trait(worst, size.orders)
            for name, policy, own in variants(policies, rules, scenario):
                result.played[scenario, utility, name] = Played.of(play(worlds, own, policy, seed), size.orders)
    return result


def rows_of(results: Sequence[Result], scenarios: Sequence[str]) -> list[dict[str, Any]]:
    """One row per scenario, utility and player, the oracle last; KEYS and what else is worth knowing."""
    rows = []
    for scenario, utility in product(scenarios, UTILITIES):
        names = [name for at, kind, name in results[0].played if (at, kind) == (scenario, utility)]
        played = {name: Played.joined([one.played[scenario, utility, name] for one in results]) for name in names}
        fixed = np.concatenate([one.fixed[scenario, utility][0] for one in results], axis=1)
        best = int(fixed.mean(axis=1).argmax())
        optimal = played["optimal"].utility
        at: dict[str, Any] = {"scenario": scenario, "utility": utility}
        for name, one in played.items():
            rows.append(at | {"policy": name} | compared(one.utility, optimal) | judged(one, fixed[best]))
        split = splits(*SCENARIOS[scenario], steps=steps_of(len(fixed)))[best]
        counts = {"counts": split.astype(int).tolist(), "worst_group": worst_of(results, scenario, utility, best)}
        rows.append(at | {"policy": "oracle_fixed"} | compared(fixed[best], optimal) | counts)
    return rows


def steps_of(count: int) -> int:
    """In how many parts the money was split where there are `count` splits into three."""
    return round((np.sqrt(8.0 * count + 1.0) - 3.0) / 2.0)


def compared(final: FloatArray, optimal: FloatArray) -> dict[str, Any]:
    own, ahead = Estimate.of(final), Estimate.of(final - optimal)
    return {
        "mean": round(own.mean, 6),
        "se": round(own.se, 6),
        "diff_to_optimal": round(ahead.mean, 6),
        "diff_se": round(ahead.se, 6),
        "replicates": len(final),
    }


def judged(one: Played, oracle: FloatArray) -> dict[str, Any]:
    """Against the oracle's split, the worst group's R², and money per unit of the weighted mean R² gained."""
    gap = Estimate.of(one.utility - oracle)
    return {
        "of_oracle": round(float(one.utility.mean() / oracle.mean()), 4),
        "less_oracle": round(gap.mean, 6),
        "less_oracle_se": round(gap.se, 6),
        "regret": round(float((oracle - one.utility).sum() / (oracle - one.start).sum()), 4),
        "worst_group": round(float(one.worst.mean()), 6),
        "money_per_benefit": round(float(one.spent.sum() / one.gained.sum()), 2),
    }


def worst_of(results: Sequence[Result], scenario: str, utility: str, best: int) -> float:
    return round(float(np.concatenate([one.fixed[scenario, utility][1][best] for one in results]).mean()), 6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", choices=list(SCENARIOS), action="append", help="of all; may be repeated")
    parser.add_argument("--policies", choices=POLICIES, nargs="+", default=list(POLICIES))
    parser.add_argument("--genomes", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1, help="of the first genome; the others follow")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of prs.json and prs_details.json")
    given = parser.parse_args()
    scenarios = given.scenario or list(SCENARIOS)
    policies = [policy for policy in POLICIES if policy in {"optimal", *given.policies}]
    seeds = [given.seed + number for number in range(given.genomes)]
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        tasks = [pool.submit(genome, seed, scenarios, policies, Size()) for seed in seeds]
        results = [task.result() for task in tasks]
    write(results, scenarios, seeds, given.out)


def write(results: Sequence[Result], scenarios: Sequence[str], seeds: Sequence[int], out: Path) -> None:
    """prs.json: rows of KEYS for the API's policies and the oracle. prs_details.json: every row whole, and the F_ST."""
    rows = rows_of(results, scenarios)
    named = [{key: one[key] for key in KEYS} for one in rows if one["policy"] in (*POLICIES, "oracle_fixed")]
    print(table([{key: one.get(key, "") for key in (*KEYS, "of_oracle", "regret", "worst_group")} for one in rows]))
    pairs = np.mean([one.fixation for one in results], axis=0)
    found = dict(zip(PAIRS, (round(float(value), 4) for value in pairs), strict=True))
    print("F_ST", found)
    details = {"seeds": list(seeds), "fixation": found, "rows": rows}
    results_files.write(out / "prs.json", named)
    results_files.write(out / "prs_details.json", details)


if __name__ == "__main__":
    main()
