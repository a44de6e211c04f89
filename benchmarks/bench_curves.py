"""Accuracy, coverage, speed and memory of the curve engine, beside SciPy fits in the same run.

    python benchmarks/bench_curves.py [--data ../shared/data] [--tables DIR]

`--tables`: a folder with the CSV files named in outside_tables.py, for tasks on which no prior was trained. Writes
benchmarks/results/curves.json and prints tables; benchmarks/README.md explains each number.
"""

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ideal
import label_limited
import lcdb
import numpy as np
import outside_tables
import results_files
import train_prior
from rivals import RIVALS
from scores import Forecasts, table

from app.planner.arrays import IntArray
from app.planner.curves.observations import Points
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit
from app.services.curves.prior import prior_for

FOLDS, DRAWS, SHARES, KINDS = 5, 300, (4, 8, 16), ("five", "single", "dense")
PAIRED = 8
"""Every so many questions the rivals are asked as well: they take a hundred times as long."""

LIMITED_SEED = 2
"""Of the label-limited questions asked, other than those trained on."""

Row = dict[str, object]


@dataclass(frozen=True)
class CrossFitted:
    """LCDB's curves and label-limited ones, whose numbers follow, the priors trained without each fold, and the fold
    of each curve."""

    curves: list[lcdb.Curve]
    limited: list[label_limited.Scored]
    priors: list[Prior]
    fold: IntArray


def cross_fitted(path: Path, seed: int) -> CrossFitted:
    """path: the folder of the data."""
    curves = lcdb.load(path / "lcdb/curves.jsonl.gz")
    limited, source = label_limited.curves(path, seed)
    fold = np.concatenate([lcdb.folds(curves, FOLDS, seed), source % FOLDS])
    asked = train_prior.training_questions(curves, seed)
    prior = train_prior.blank(asked, train_prior.NODES)
    asked += label_limited.questions(limited, len(curves), seed + 1)
    data = train_prior.evidence(asked, prior)
    priors = [train_prior.train(data.select(fold[data.curve] != k), prior) for k in range(FOLDS)]
    return CrossFitted(curves, limited, priors, fold)


def forecasts(asked: list[lcdb.Question], priors: list[Prior], fold: IntArray) -> Forecasts:
    """The engine's answers, each by the prior that has not seen the question's data set."""
    at, truth = (np.array([getattr(one, name) for one in asked]) for name in ("target", "truth"))
    mine = fold[[one.curve for one in asked]]
    curve, band = np.zeros((len(asked), DRAWS)), np.zeros((len(asked), DRAWS))
    for k, prior in enumerate(priors):
        chosen = np.flatnonzero(mine == k)
        if len(chosen):
            posterior = fit(lcdb.observations([asked[i] for i in chosen]), prior, 0, DRAWS)
            curve[chosen], band[chosen] = posterior.loss(at[chosen]), posterior.band(at[chosen])
    return Forecasts(curve, band, truth)


def accuracy(held_out: CrossFitted) -> list[Row]:
    """One row per kind of points, share of the final size and choice of learners."""
    rows: list[Row] = []
    for kind in KINDS:
        for share in SHARES:
            asked = lcdb.questions(held_out.curves, share, kind)
            answers = forecasts(asked, held_out.priors, held_out.fold)
            usual = np.array([not held_out.curves[one.curve].odd for one in asked])
            for learners, keep in (("without TabNet, QDA", usual), ("all", usual | True)):
                rows.append({"points": kind, "share": f"1/{share}", "learners": learners, **answers.select(keep).row()})
    return rows


def label_limited_accuracy(held_out: CrossFitted) -> list[Row]:
    """One row per distance, in doublings: of other questions than those trained on, of tables held out."""
    asked = label_limited.questions(held_out.limited, len(held_out.curves), LIMITED_SEED)
    answers = forecasts(asked, held_out.priors, held_out.fold)
    last = np.array([one.points.losses[-1] for one in asked])
    times = np.array([one.target / one.points.counts[-1] for one in asked])
    rows: list[Row] = []
    for doublings in (1, 2, 3):
        keep = np.round(np.log2(times)) == doublings
        off = np.median(answers.curve, axis=1) - answers.truth
        row: Row = {"times": 2**doublings, **answers.select(keep).row(), "bias": float(off[keep].mean())}
        rows.append({**row, "last value": float(np.abs(last - answers.truth)[keep].mean())})
    return rows


def outside(folder: Path, priors: dict[str, Prior]) -> list[Row]:
    """A row per task, learner and prior."""
    rows: list[Row] = []
    for learner in outside_tables.LEARNERS:
        for task in outside_tables.TASKS:
            games = [outside_tables.played(folder, task, learner, seed) for seed in range(outside_tables.SEEDS)]
            name = f"{task.file}, {learner}"
            rows += [{"prior": kind, **outside_tables.row(name, games, prior)} for kind, prior in priors.items()]
    return rows


def paired(held_out: CrossFitted) -> list[Row]:
    """Mean absolute errors of engine and rivals on the same questions, without TabNet and QDA."""
    rows: list[Row] = []
    for kind in ("five", "single"):
        for share in SHARES:
            every = lcdb.questions(held_out.curves, share, kind)
            asked = [one for one in every if not held_out.curves[one.curve].odd][::PAIRED]
            answers = forecasts(asked, held_out.priors, held_out.fold)
            row: Row = {"points": kind, "share": f"1/{share}", "n": len(asked), "engine": answers.row()["mae"]}
            for name, rival in RIVALS.items():
                found = [rival.predict(one.points.counts, one.points.losses, one.target) for one in asked]
                row[name] = float(np.abs(np.array(found) - answers.truth).mean())
            last = np.array([one.points.losses[-1] for one in asked])
            rows.append({**row, "last value": float(np.abs(last - answers.truth).mean())})
    return rows


def simulated(groups: int, sizes: int, seed: int = 0) -> list[Points]:
    """Noisy power laws, measured at `sizes` sizes from 20 to 2,000 on one holdout."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(groups):
        counts = np.round(np.geomspace(20, 2000, sizes) * rng.uniform(0.9, 1.1))
        losses = rng.uniform(0.0, 0.2) + rng.uniform(1.0, 2.0) * counts ** -rng.uniform(0.3, 0.8)
        made.append(
            Points(counts, losses + 0.01 * rng.normal(size=sizes), np.full(sizes, 0.01), np.zeros(sizes, np.int64))
        )
    return made


def lcdb_speed(path: Path, prior: Prior) -> list[Row]:
    """How many times as fast as SciPy on LCDB's own curves, the same way."""
    if not path.exists():
        return []
    asked = lcdb.questions(lcdb.load(path), 4, "five")[:1000]
    everything = lcdb.observations(asked)
    engine = min(_cpu(lambda: fit(everything, prior, 0, DRAWS)) for _ in range(3)) / len(asked)
    rival = RIVALS["power law, 3 parameters"].with_starts(1)
    some = [one.points for one in asked[:100]]
    scipy = min(_cpu(lambda: [rival.fit(p.counts, p.losses) for p in some]) for _ in range(3)) / 100
    return [{"what": "times as fast as SciPy, one start, LCDB's curves", "value": scipy / engine}]


def speed(path: Path) -> list[Row]:
    """CPU seconds; the SciPy loop on the same points in the same run."""
    prior, five = prior_for(1.0), simulated(1000, 5)
    everything = ideal.observed(five, 1.0)
    engine = min(_cpu(lambda: fit(everything, prior, 0, DRAWS)) for _ in range(3)) / 1000
    small = ideal.observed(five[:60], 1.0)
    sixty = min(_cpu(lambda: fit(small, prior, 0, DRAWS)) for _ in range(5)) / 60
    careful = RIVALS["power law, 3 parameters"]
    rivals = {"three starts": careful, "one start": careful.with_starts(1)}
    scipy = {
        name: min(_cpu(lambda one=one: [one.fit(p.counts, p.losses) for p in five[:100]]) for _ in range(3)) / 100
        for name, one in rivals.items()
    }
    one = min(_cpu(lambda: fit(everything.select(np.array([500])), prior, 0, DRAWS)) for _ in range(10))
    many = ideal.observed(simulated(10_000, 20), 1.0)
    large = _cpu(lambda: fit(many, prior, 0, DRAWS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    real = lcdb_speed(path, prior)
    return [
        {"what": "groups per second, 1,000 groups of 5 points", "value": 1.0 / engine},
        {"what": "groups per second, 60 groups of 5 points", "value": 1.0 / sixty},
        *({"what": f"SciPy fits per second, {name}", "value": 1.0 / each} for name, each in scipy.items()),
        *({"what": f"times as fast as SciPy, {name}", "value": each / engine} for name, each in scipy.items()),
        *real,
        {"what": "seconds for 10,000 groups of 20 points", "value": large},
        {"what": "milliseconds to refit one group of 1,000", "value": 1000.0 * one},
        {"what": "largest memory of the process so far, GB", "value": peak},
    ]


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/curves.json"))
    arguments = parser.parse_args()
    data: Path = arguments.data
    results: dict[str, list[Row]] = {"speed and memory": speed(data / "lcdb/curves.jsonl.gz")}
    results["ideal power laws"] = ideal.ideal_power_laws(prior_for(1.0), 0)
    results["a shared holdout, simulated"] = ideal.shared_errors(prior_for(None), 0)
    curves, scores, adult = (
        data / "lcdb/curves.jsonl.gz",
        data / "prs/prs_curves.csv.gz",
        data / "census/adult_curves.csv.gz",
    )
    for path in (curves, scores, adult):
        if not path.exists():
            print(f"{path} is not there; its tables are left out (give --data)")
    if scores.exists():
        results["polygenic scores"] = ideal.polygenic(scores, prior_for(None), 0)
    if adult.exists():
        results["census, widths independent / shared"] = ideal.census(adult, prior_for(None), 0)
    if curves.exists():
        held_out = cross_fitted(data, 0)
        results["LCDB, held out by data set"] = accuracy(held_out)
        results["label-limited, held out by table"] = label_limited_accuracy(held_out)
        results["LCDB, paired with rivals (mean absolute error)"] = paired(held_out)
    if arguments.tables:
        results["label-limited, tables never trained on"] = outside(arguments.tables, {"shipped": prior_for(1.0)})
    for title, rows in results.items():
        print(f"\n## {title}\n{table(rows)}")
    results_files.write(arguments.out, results)


if __name__ == "__main__":
    main()
