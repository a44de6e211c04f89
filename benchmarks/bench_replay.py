"""The collection game on real people: census income and NHANES mortality, two learners, unequal prices.

Every round the learner is trained on nested subsets of what is held and scored on validation rows; what is compared is
the loss on other rows, normalised so that 1 is a constant predictor's, paired over random splits.
Run: make bench-replay [BENCH_ARGS='--data ../shared/data --splits 8'].
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before NumPy: sums must not depend on the threads

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import numpy as np
import results_files
from people import Learner, People, PeopleWorld, load
from scores import table

from app.planner.arrays import FloatArray
from app.planner.policies.policy import PolicyName
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source
from app.planner.simulation.game import Rules, judge, play, unknown
from app.planner.simulation.paired import Estimate
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective
from app.services.curves.prior import prior_for

HERE = Path(__file__).parent
MONEY = 1_000_000


@dataclass(frozen=True)
class Data:
    """file under --data; by group: counts at the start, price, rows that validate (and as many that test)."""

    file: str
    left_out: tuple[str, ...]
    groups: dict[str, tuple[int, float, int]]
    budget: int


DATA = {
    "census": Data(
        "census/adult.csv.gz",
        ("race", "sex"),
        {
            "White_Male": (200, 1.0, 1200),
            "White_Female": (100, 1.0, 1200),
            "Black_Male": (40, 3.0, 300),
            "Black_Female": (40, 3.0, 300),
        },
        1500,
    ),
    "NHANES": Data(
        "nhanes/nhanes1.csv.gz",
        ("race", "sex", "survival_years"),
        {
            "White_Female": (200, 1.0, 700),
            "White_Male": (150, 1.0, 600),
            "Black_Female": (50, 2.0, 200),
            "Black_Male": (50, 2.0, 120),
        },
        800,
    ),
}
UTILITIES = {
    "mean": Objective("utilitarian"),
    "log": Objective("isoelastic", aversion=1.0),
    "worst": Objective("maximin"),
}
POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
ROUNDS = 5


def rules_of(data: Data, people: People, objective: Objective) -> Rules:
    keys = tuple(data.groups)
    room = [len(market) - start for market, (start, _, _) in zip(people.market, data.groups.values(), strict=True)]
    prior = prior_for(None)
    problem = Problem(
        keys=keys,
        weights=np.ones(len(keys)),
        held=np.zeros(len(keys)),
        targets=np.full(len(keys), np.nan),
        reference_loss=np.ones(len(keys)),
        metric=Metric("minimize", 0.0, None),
        objective=objective,
        sources=tuple(
            Source(key, ((at, 1.0),), round(data.groups[key][1] * MONEY), max_total=room[at])
            for at, key in enumerate(keys)
        ),
        budget=data.budget * MONEY,
        posterior=unknown(keys, None, prior),
    )
    population = np.array([float(len(rows)) for rows in people.table.rows])
    return Rules(problem, ROUNDS, prior, draws=100, population=population)


def split(name: str, folder: Path, learner: Learner, seed: int) -> dict[tuple[str, str], tuple[float, FloatArray]]:
    """(utility, policy) → final utility and the groups' final losses, on one random split."""
    data = DATA[name]
    people = People.of(
        load(folder / data.file, list(data.groups), data.left_out),
        learner,
        [one[2] for one in data.groups.values()],
        seed,
    )
    world = PeopleWorld(people, np.array([float(start) for start, _, _ in data.groups.values()]))
    found = {}
    for utility, objective in UTILITIES.items():
        rules = rules_of(data, people, objective)
        for policy in POLICIES:
            outcome = play([world], rules, policy, seed)
            found[utility, policy] = float(outcome.final[0]), world.losses(outcome.counts[0, -1:])[0]
        # What all the market would give: what there is to gain at all.
        everything = np.array([[float(len(market)) for market in people.market]])
        losses = world.losses(everything)
        found[utility, "everything"] = float(judge(rules, losses[None])[0][0, 0]), losses[0]
        losses = world.losses(world.start[None])
        found[utility, "nothing"] = float(judge(rules, losses[None])[0][0, 0]), losses[0]
    return found


def rows_of(
    name: str, learner: Learner, splits: Sequence[dict[tuple[str, str], tuple[float, FloatArray]]]
) -> list[Any]:
    rows = []
    for utility, policy in splits[0]:
        final = np.array([one[utility, policy][0] for one in splits])
        optimal = np.array([one[utility, "optimal"][0] for one in splits])
        losses = np.array([one[utility, policy][1] for one in splits])
        own, ahead = Estimate.of(final), Estimate.of(final - optimal)
        rows.append(
            {
                "data": name,
                "learner": learner,
                "utility": utility,
                "policy": policy,
                "mean": round(own.mean, 5),
                "se": round(own.se, 5),
                "diff_to_optimal": round(ahead.mean, 5),
                "diff_se": round(ahead.se, 5),
                "mean_loss": round(float(losses.mean()), 4),
                "worst_loss": round(float(losses.max(axis=1).mean()), 4),
                "replicates": len(splits),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="folder of census/, nhanes/"
    )
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1, help="of the first split; the others follow")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=HERE / "results" / "replay.json")
    given = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        for name in DATA:
            for learner in get_args(Learner):
                seeds = range(given.seed, given.seed + given.splits)
                tasks = [pool.submit(split, name, given.data, learner, seed) for seed in seeds]
                rows += rows_of(name, learner, [task.result() for task in tasks])
    print(table(rows))
    results_files.write(given.out, rows)


if __name__ == "__main__":
    main()
