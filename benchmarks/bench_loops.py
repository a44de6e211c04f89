"""Whole loops on real tasks: start small, retrain every round on nested subsets, post, plan, buy; judged on test rows.

Five rounds, runs at a quarter, a half and all that is held, in process what the service does (`buyer`). `optimal` is
played for each utility, the simple rules once. `oracle` is the best of --splits fixed splits of the whole money on the
mean of the *other* seeds, really trained: an honest yardstick, no upper bound. The tasks are told in tasks.py; those
that read files take --packages, --data and --compas. Run:
make bench-loops [BENCH_ARGS='--packages DIR --data DIR --count 12 --against DIR'].
"""

import argparse
from pathlib import Path

import numpy as np
from buyer import UTILITIES, Buyer, added
from scores import table
from sides import ROOT, Measured, Row, arguments, gathered, keep, paired
from task import Task
from tasks import TASKS, Places

from app.planner.arrays import FloatArray
from app.planner.policies import PolicyName

ROUNDS = 5
SIZES = (0.25, 0.5, 1.0)
RULES: tuple[PolicyName, ...] = ("equal", "equal_spend", "proportional", "worst_first")
SHARES_SEED = 7


def play(task: Task, utility: str, policy: PolicyName) -> FloatArray:
    """Counts [groups] after the last round. `proportional` buys by the size of the groups' markets."""
    buyer, held, left = Buyer(task.terms, UTILITIES[utility]), task.start, task.offer.budget
    for number in range(ROUNDS):
        for size in SIZES:
            counts = np.maximum(1.0, np.floor(held * size))
            scored = task.scored(counts)
            buyer.post(counts, scored.values, scored.errors)
        weights = task.terms.room if policy == "proportional" else None
        bought = added(buyer.plan(held, left / (ROUNDS - number), policy, weights=weights))
        held = held + bought
        left -= float(bought @ task.terms.price)
    return held


def judged(task: Task, counts: FloatArray) -> dict[str, float]:
    """Every utility of the true metric (method.md 5)."""
    truth = task.scored(counts).truth
    if task.terms.metric.goal == "maximize":
        benefit = np.maximum(truth, 1e-3)
        found = benefit.mean(), np.log(benefit).mean(), benefit.min()
    else:
        loss = truth / (1.0 if task.terms.reference is None else task.terms.reference)
        found = -loss.mean(), -(loss**2).mean() / 2.0, -loss.max()
    return dict(zip(UTILITIES, map(float, found), strict=True))


def splits(task: Task, number: int) -> list[FloatArray]:
    """Counts after the whole money went by fixed shares: equal ones, most of it to one group, and random ones."""
    groups = len(task.start)
    mostly = np.full((groups, groups), 0.2 / (groups - 1)) + np.eye(groups) * (0.8 - 0.2 / (groups - 1))
    random = np.random.default_rng(SHARES_SEED).dirichlet(np.ones(groups), max(0, number - groups - 1))
    return [spent(task, share) for share in [np.full(groups, 1.0 / groups), *mostly, *random]]


def spent(task: Task, share: FloatArray) -> FloatArray:
    """Counts when money is given out by shares; what a full market cannot take goes to the others."""
    counts, left, price, room = task.start, task.offer.budget, task.terms.price, task.terms.room
    for _ in range(len(counts)):
        open_ = share * (counts < room)
        if open_.sum() <= 0.0 or left < price.min():
            break
        counts = np.minimum(counts + np.floor(left * open_ / open_.sum() / price), room)
        left = task.offer.budget - float((counts - task.start) @ price)
    return np.asarray(counts)


def measure(given: argparse.Namespace, part: str, seed: int) -> Row:
    """Utilities by player, and those of the fixed splits [splits][utility]."""
    task = TASKS[part](Places(given.packages, given.data, given.compas), seed)
    found = {f"optimal/{utility}": judged(task, play(task, utility, "optimal"))[utility] for utility in UTILITIES}
    for rule in RULES:
        after = judged(task, play(task, "mean", rule))
        found |= {f"{rule}/{utility}": after[utility] for utility in UTILITIES}
    for name, counts in (("nothing", task.start), ("everything", task.terms.room)):
        found |= {f"{name}/{utility}": value for utility, value in judged(task, counts).items()}
    fixed = [list(judged(task, counts).values()) for counts in splits(task, given.splits)]
    return {"seed": seed, "players": found, "splits": fixed, "own_models": task.own_models}


def rows_of(measured: Measured) -> list[Row]:
    """A row for every side, utility and player, with its difference to the side's `optimal`, and of `optimal` to the
    other side's."""
    rows = []
    for side, seeds in measured.rows.items():
        for at, utility in enumerate(UTILITIES):
            final = _final(seeds, utility, at)
            other = [_final(theirs, utility, at) for name, theirs in measured.rows.items() if name != side]
            for player, values in final.items():
                ahead, error = paired(values, final["optimal"])
                row = {"part": measured.part, "side": side, "utility": utility, "player": player}
                row |= {"own_models": seeds[0]["own_models"], "seeds": len(seeds)}
                row |= {"mean": round(float(values.mean()), 5), "diff_to_optimal": ahead, "diff_se": error}
                if other:
                    row["diff_to_other_side"], row["other_side_se"] = paired(values, other[0][player])
                rows.append(row)
    return rows


def _final(seeds: list[Row], utility: str, at: int) -> dict[str, FloatArray]:
    """By player: the utility of each seed; at: its place."""
    names = [name.split("/")[0] for name in seeds[0]["players"] if name.endswith(f"/{utility}")]
    found = {name: np.array([seed["players"][f"{name}/{utility}"] for seed in seeds]) for name in names}
    return found | {"oracle": oracle(np.array([seed["splits"] for seed in seeds])[:, :, at])}


def oracle(values: FloatArray) -> FloatArray:
    """For each seed the split that is best on the mean of the others; values [seeds, splits] → [seeds]."""
    others = values.sum(axis=0) - values if len(values) > 1 else values
    return np.asarray(values[np.arange(len(values)), others.argmax(axis=1)])


def main() -> None:
    parser = arguments(__doc__, list(TASKS), 12, "loops.json")
    parser.set_defaults(only=[name for name in TASKS if name != "compas"])
    parser.add_argument("--packages", type=Path, help="folder of babel/, django/ and pydataset/")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of census/, nhanes/")
    parser.add_argument("--compas", type=Path, help="COMPAS scores, a gzipped CSV file")
    parser.add_argument("--splits", type=int, default=30, help="fixed splits that the oracle chooses among")
    given = parser.parse_args()
    for measured in gathered(given, measure):
        rows = rows_of(measured)
        print(table([{name: row[name] for name in SHOWN} for row in rows]), flush=True)
        keep(given.out, measured.part, rows)


SHOWN = ("part", "side", "utility", "player", "mean", "diff_to_optimal", "diff_se")

if __name__ == "__main__":
    main()
