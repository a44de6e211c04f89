"""A collection loop on real data: retrain as planned, post, ask what to collect, record it; five rounds.

    python examples/census_loop.py --start          # with a service of its own, on a temporary SQLite file
    TRANCHE_URL=http://localhost:8000 TRANCHE_API_KEY=... python examples/census_loop.py

It needs scikit-learn (pip install 'tranche[examples]'). Collecting is drawing further rows of the census data.
In the end each group's accuracy stands beside that of an equal split: the same money, equal counts.
"""

import argparse
import csv
import gzip
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tranche import Client, Observation, Project, subsets

from app.demo.service import temporary_service

DATA = Path(__file__).parent / "data" / "adult.csv.gz"
START = {"White_Male": 310, "White_Female": 140, "Black_Male": 25, "Black_Female": 25}
COST = {"White_Male": 1, "White_Female": 1, "Black_Male": 3, "Black_Female": 3}
MONEY_PER_ROUND = 500
TEST_SIZE = {"White_Male": 2500, "White_Female": 2500, "Black_Male": 460, "Black_Female": 450}
NUMBERS = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")

Samples = Mapping[str, np.ndarray]  # group -> row numbers


@dataclass(frozen=True)
class Census:
    """Features [rows, columns], labels [rows], and each group's row numbers: to test on, and to collect."""

    x: np.ndarray
    y: np.ndarray
    test: Samples
    market: Samples

    def accuracies(self, training: Samples) -> dict[str, float]:
        """Trains a logistic regression on `training` and scores it on every group's test rows."""
        rows = np.concatenate(list(training.values()))
        model = LogisticRegression(max_iter=1000).fit(self.x[rows], self.y[rows])
        return {group: float(model.score(self.x[test], self.y[test])) for group, test in self.test.items()}

    def collected(self, counts: Mapping[str, int]) -> Samples:
        """The first `counts` rows of each group's market: what is held of so many samples."""
        return {group: self.market[group][:n] for group, n in counts.items()}


def load(path: Path, seed: int) -> Census:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] in START]
    categories = [name for name in rows[0] if name not in (*NUMBERS, "y", "group")]
    # The encoding sees features only, never a label: it may know all rows.
    numbers = np.array([[float(row[name]) for name in NUMBERS] for row in rows])
    words = np.array([[row[name] for name in categories] for row in rows])
    x = np.hstack([StandardScaler().fit_transform(numbers), OneHotEncoder(sparse_output=False).fit_transform(words)])
    groups = np.array([row["group"] for row in rows])
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    of_group = {group: shuffled[groups[shuffled] == group] for group in START}
    return Census(
        x,
        np.array([int(row["y"]) for row in rows]),
        {group: members[: TEST_SIZE[group]] for group, members in of_group.items()},
        {group: members[TEST_SIZE[group] :] for group, members in of_group.items()},
    )


def measure(tranche: Client, project: Project, census: Census, name: str) -> Iterator[Observation]:
    """Retrains on the compositions of what is held that tell most; each run is one observation."""
    asked = tranche.measurement_plan(project)
    for number, subset in enumerate(subsets(asked, held_of(tranche, project), seed=0), start=1):
        training = {group: census.market[group][positions] for group, positions in subset.items()}
        counts = {group: len(positions) for group, positions in subset.items()}
        yield Observation(counts, census.accuracies(training), f"{name}-{number}", holdout="test", eval_size=TEST_SIZE)


def collect(tranche: Client, census: Census, rounds: int) -> Counter[str]:
    """The loop itself. Returns the counts held in the end."""
    groups = [{"key": g, "initial_count": n, "unit_cost": COST[g]} for g, n in START.items()]
    budget = {"total": MONEY_PER_ROUND * rounds, "rounds": rounds}
    project = tranche.create_project("census loop", metric="accuracy", model="joint", budget=budget, groups=groups)
    for number in range(1, rounds + 1):
        tranche.post_observations(project, measure(tranche, project, census, f"round-{number}"))
        plan = tranche.next_allocation(project)
        tranche.record_purchase(project, plan, external_id=f"round-{number}")
        collected = ", ".join(f"{n} {group}" for group, n in plan.add.items())
        now, after = plan.utility["now"].mean, plan.utility["after"].mean
        spent = f"{plan.budget.spend}, {plan.budget.remaining} left"
        print(f"round {number}: {collected} for {spent}; expected mean {now:.4f} -> {after:.4f}", flush=True)
    return held_of(tranche, project)


def held_of(tranche: Client, project: Project) -> Counter[str]:
    return Counter({group.key: group.raw_count for group in tranche.groups(project)})


def equal_split(rounds: int) -> Counter[str]:
    each = MONEY_PER_ROUND * rounds // sum(COST.values())
    return Counter({group: n + each for group, n in START.items()})


def compare(census: Census, planned: Mapping[str, int], equal: Mapping[str, int]) -> None:
    """Prints each group's accuracy at the start, with the planned purchases, and with equal counts."""
    at_start, at_plan, at_equal = (census.accuracies(census.collected(n)) for n in (START, planned, equal))
    print(f"\n{'':14}{'start':>14}{'planned':>16}{'equal split':>16}{'planned - equal':>18}{'test error':>13}")
    for group, test in census.test.items():
        first, ours, theirs = at_start[group], at_plan[group], at_equal[group]
        error = (ours * (1 - ours) / len(test)) ** 0.5
        cells = (START[group], first, planned[group], ours, equal[group], theirs, ours - theirs, error)
        print("{:14}{:6} {:.4f} {:8} {:.4f} {:8} {:.4f} {:+17.4f} {:12.4f}".format(group, *cells))
    means = [float(np.mean(list(each.values()))) for each in (at_start, at_plan, at_equal)]
    print(f"{'mean':20} {means[0]:.4f} {means[1]:15.4f} {means[2]:15.4f} {means[1] - means[2]:+17.4f}")
    print("Differences below a group's test error, one standard error of its accuracy, may be chance.")


@contextmanager
def connected(start: bool) -> Iterator[Client]:
    if start:
        with temporary_service(0) as access, Client(access.base_url, access.api_key) as tranche:
            yield tranche
    else:
        with Client() as tranche:
            yield tranche


def main() -> None:
    parser = argparse.ArgumentParser(description="A collection loop on census data.")
    parser.add_argument("--data", type=Path, default=DATA, help="adult.csv.gz")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the split into test rows and rows to collect")
    parser.add_argument("--start", action="store_true", help="start a service; else TRANCHE_URL and TRANCHE_API_KEY")
    options = parser.parse_args()
    if not options.start and not {"TRANCHE_URL", "TRANCHE_API_KEY"} <= os.environ.keys():
        parser.error("set TRANCHE_URL and TRANCHE_API_KEY, or use --start")
    census = load(options.data, options.seed)
    with connected(options.start) as tranche:
        planned = collect(tranche, census, options.rounds)
    compare(census, planned, equal_split(options.rounds))


if __name__ == "__main__":
    main()
