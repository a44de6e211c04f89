"""Transfer and pooling between groups: what they gain where they are real, and that they cost nothing where not.

Prints the figures and writes them to results/transfer.json. Data that is not there is skipped, and said.
"""

import argparse
import csv
import gzip
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import results_files
from mixtures import forecast, observed

from app.planner.arrays import FloatArray
from app.planner.borrowing.joint_fit import fit_together
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit
from app.services.curves.prior import prior_for

HERE = Path(__file__).parent
DRAWS = 300
POPULATIONS = ("YRI", "CEU", "CHB")
PEOPLE = ("White_Male", "White_Female", "Black_Male", "Black_Female")
SETS = (
    ("census", "census/adult_curves_full.csv.gz", "lr", "log_loss", 400, None),
    ("census", "census/adult_curves_full.csv.gz", "hgb", "log_loss", 400, None),
    ("census", "census/adult_curves_full.csv.gz", "lr", "error", 400, 1.0),
    ("census", "census/adult_curves_full.csv.gz", "hgb", "error", 400, 1.0),
    ("census", "census/adult_curves_full.csv.gz", "hgb", "auc", 400, 1.0),
    ("nhanes", "nhanes/nhanes_curves.csv.gz", "lr", "log_loss", 300, None),
    ("nhanes", "nhanes/nhanes_curves.csv.gz", "lr", "auc", 300, 1.0),
)
"""Name, file, model, metric, the others' count in the runs in which they are present, and the metric's span."""

Result = dict[str, Any]


def rms(errors: FloatArray) -> float:
    return float(np.sqrt((errors**2).mean()))


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


Cells = dict[tuple[tuple[int, ...], str], list[tuple[float, float]]]


def averaged(cells: Cells, groups: Sequence[str]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compositions, mean losses and their standard errors, each [runs, groups]."""
    runs = sorted({counts for counts, _ in cells})
    table = [[np.array(cells[counts, group]) for group in groups] for counts in runs]
    losses = np.array([[cell[:, 0].mean() for cell in row] for row in table])
    stderrs = np.array([[np.sqrt((cell[:, 1] ** 2).mean() / len(cell)) for cell in row] for row in table])
    return np.array(runs, dtype=np.float64), losses, stderrs


def polygenic(data: Path) -> Result:
    """R² with the true genetic value, averaged over genomes: in-sample, and from small totals to large ones."""
    cells: Cells = defaultdict(list)
    for row in rows_of(data / "prs/prs_curves.csv.gz"):
        counts = tuple(int(row[f"n_{group}"]) for group in POPULATIONS)
        cells[counts, row["group"]].append((1.0 - float(row["R2_gen"]), float(row["R2_gen_se"])))
    runs, losses, stderrs = averaged(cells, POPULATIONS)
    total = runs.sum(axis=1)
    found: Result = {}
    cases = {"all": (total > 0, total > 0), "800 to 1400": (total <= 800, total >= 1400)}
    for name, (seen, asked) in cases.items():
        observations = observed(runs[seen], losses[seen], stderrs[seen], 1.0)
        started = time.process_time()
        together = fit_together(observations, Prior(), 0, DRAWS)
        seconds = time.process_time() - started
        errors = forecast(together, runs[asked]) - losses[asked]
        alone = forecast(fit(observations, Prior(), 0, DRAWS), runs[asked]) - losses[asked]
        found[name] = {
            "compositions": int(asked.sum()),
            "rmse": rms(errors),
            "rmse_by_group": [rms(error) for error in errors.T],
            "rmse_without": rms(alone),
            "seconds": seconds,
            "weights": weights_of(together),
        }
    return found


def weights_of(posterior: Posterior) -> Result:
    if posterior.transfer is None:
        return {}
    received = zip(posterior.keys, posterior.transfer.received, strict=True)
    return {key: {one.source: [one.mean, one.p05, one.p95] for one in all_} for key, all_ in received}


def people(data: Path, file: str, model: str, metric: str, present: int, span: float | None) -> Result:
    """Held-out compositions, five folds: mean absolute error of the forecast of the mean over replicates."""
    cells: Cells = defaultdict(list)
    for row in rows_of(data / file):
        if row["model"] != model or row["metric"] != metric:
            continue
        others = 0 if row["kind"] == "own_only" else present
        counts = tuple(int(row["n_varied"]) if group == row["varied_group"] else others for group in PEOPLE)
        value = float(row["value"])
        cells[counts, row["group"]].append((1.0 - value if metric == "auc" else value, float(row["stderr"] or "nan")))
    runs, losses, stderrs = averaged(cells, PEOPLE)
    attributes = tuple(dict(zip(("race", "sex"), group.split("_"), strict=True)) for group in PEOPLE)
    fold = np.random.default_rng(0).permutation(len(runs)) % 5
    errors = np.zeros((2, *losses.shape))
    for out in range(5):
        seen, asked = fold != out, fold == out
        observations = observed(runs[seen], losses[seen], stderrs[seen], span, attributes)
        for at, fitted in enumerate((fit_together, fit)):
            predicted = forecast(fitted(observations, Prior(), 0, DRAWS), runs[asked])
            errors[at, asked] = np.abs(predicted - losses[asked])
    with_, without = errors.mean(axis=(1, 2))
    return {
        "compositions": len(runs),
        "mae_with": float(with_),
        "mae_without": float(without),
        "ratio": float(with_ / without),
        "ratio_by_group": (errors[0].mean(axis=0) / errors[1].mean(axis=0)).tolist(),
        "ratio_of_medians": float(np.median(errors[0]) / np.median(errors[1])),
    }


def untransferred(sets: int) -> Result:
    """Simulated groups that do not help each other: 40 compositions of 3 groups, noise 3 % and 10 %."""
    found: Result = {}
    for noise in (0.03, 0.1):
        off, errors, differing = [], [], 0
        for seed in range(sets):
            rng = np.random.default_rng(seed)
            runs = np.round(np.exp(rng.uniform(np.log(25), np.log(1600), (40, 3))))
            a, b, c, d = (rng.uniform(*u, 3) for u in ((0, 0.2), (0.3, 1.5), (0.2, 1), (0, 100)))
            losses = (a + b * (runs + d) ** -c) * (1 + rng.normal(0, noise, runs.shape)) + rng.normal(0, 0.01, 3)
            asked = np.round(np.exp(rng.uniform(np.log(25), np.log(6400), (30, 3))))
            truth = a + b * (asked + d) ** -c
            observations = observed(runs, losses, np.full(runs.shape, 0.01), 1.0)
            together, alone = fit_together(observations, Prior(), 0, 200), fit(observations, Prior(), 0, 200)
            off += together.transfer.off.tolist() if together.transfer is not None else [1.0] * 3
            pair = [np.abs(forecast(one, asked) - truth).mean() for one in (together, alone)]
            differing += int(pair[0] != pair[1])
            errors.append(pair)
        mean = np.mean(errors, axis=0)
        found[f"noise {noise}"] = {
            "sets": sets,
            "median_mass_on_0": float(np.median(off)),
            "sets_that_differ": differing,
            "mae_with": float(mean[0]),
            "mae_without": float(mean[1]),
        }
    return found


def speed() -> Result:
    """CPU seconds for 20 groups × 30 runs, with and without real transfer."""
    found = {}
    for name, weight in (("no transfer", 0.0), ("transfer", 0.4)):
        rng = np.random.default_rng(0)
        runs = np.round(np.exp(rng.uniform(np.log(25), np.log(1600), (30, 20))))
        attributes = tuple({"a": str(i % 2), "b": str(i // 2 % 5), "c": str(i // 10)} for i in range(20))
        observations = observed(runs, runs, runs, None, attributes)
        weights = weight * 0.5 ** observations.differences(np.arange(len(observations.keys)))
        np.fill_diagonal(weights, 0.0)
        sizes = runs + (runs / (1 + runs / 1500)) @ weights.T
        a, b, c = rng.uniform(0, 0.2, 20), rng.uniform(0.3, 1.5, 20), rng.uniform(0.2, 1, 20)
        losses = (a + b * sizes**-c) * (1 + rng.normal(0, 0.03, runs.shape))
        observations = observed(runs, losses, np.full(runs.shape, 0.01), 1.0, attributes)
        started = time.process_time()
        fit_together(observations, Prior(), 0, DRAWS)
        found[name] = time.process_time() - started
    return found


def lone(counts: FloatArray, losses: FloatArray, stderrs: FloatArray) -> Points:
    return Points(counts, losses, stderrs, np.arange(len(counts)))


def pooled_errors(
    projects: Sequence[tuple[Observations, FloatArray, FloatArray]], prior: Prior | None = None
) -> Result:
    """Mean |log forecast/truth| of the groups of few points, alone and pooled; projects: data, asked counts, truth."""
    errors, on, prior = [], 0, prior or Prior()
    for observations, asked, truth in projects:
        few = np.array([len(points.counts) < 5 for points in observations.points])
        together, alone = fit_together(observations, prior, 0, 200), fit(observations, prior, 0, 200)
        on += any(warning.code == "pooled_prior" for warning in together.warnings)
        for_each = [np.abs(np.log(one.loss(asked).mean(axis=1) / truth))[few].mean() for one in (alone, together)]
        errors.append(for_each)
    alone_, pooled_ = np.mean(errors, axis=0)
    paired = np.diff(errors, axis=1)[:, 0]
    return {
        "projects": len(projects),
        "pooled_in": on,
        "log_error_alone": float(alone_),
        "log_error_pooled": float(pooled_),
        "difference": float(paired.mean()),
        "standard_error": float(paired.std() / np.sqrt(len(paired))),
    }


def pooled_simulation(related: bool) -> Result:
    """Six groups, one rare with three points of 8 % noise, of like curves or of curves drawn anew for each."""
    projects = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        common = rng.uniform(0.3, 0.9), rng.uniform(0.05, 0.2)
        points, asked, truth = [], [], []
        for g in range(6):
            c = common[0] * np.exp(rng.normal(0, 0.1)) if related else rng.uniform(0.1, 1.5)
            a = common[1] * np.exp(rng.normal(0, 0.2)) if related else rng.uniform(0, 0.4)
            b = rng.uniform(0.8, 1.4)
            n = np.array([20.0, 35.0, 60.0]) if g == 0 else np.round(np.geomspace(25, 3200, 8))
            noise = rng.normal(0, 0.08 if g == 0 else 0.02, len(n))
            points.append(lone(n, (a + b * n**-c) * np.exp(noise), np.full(len(n), 0.005)))
            asked.append(8 * n[-1])
            truth.append(a + b * asked[-1] ** -c)
        projects.append((apart(points), np.array(asked), np.array(truth)))
    return pooled_errors(projects)


def pooled_on_the_same_models(spread: float | None) -> Result:
    """Four groups of five sizes, 3 % noise, and a rare one of three, 15 %, scored on the same models; exponents .4 give
    or take the spread, or from .1 to 1.2."""
    projects = []
    for seed in range(48):
        rng = np.random.default_rng(seed)
        exponents = rng.uniform(0.1, 1.2, 5) if spread is None else rng.normal(0.4, spread, 5).clip(0.1)
        scales = 1.2 * np.exp(rng.normal(0, 0.25, 5))
        points, runs = [], np.full((5, 5), 200.0)
        for g, (a, c) in enumerate(zip(scales, exponents, strict=True)):
            n = np.array([50.0, 100.0, 200.0] if g == 4 else [200.0, 400.0, 800.0, 1600.0, 3200.0])
            noise = 0.15 if g == 4 else 0.03
            losses = np.minimum(0.99, a * n**-c * np.exp(rng.normal(0, noise, len(n))))
            points.append(lone(n, losses, noise * losses))
            runs[: len(n), g] = n
        run_of = tuple(np.arange(len(one.counts)) for one in points)
        observations = replace(apart(points), runs=runs, run_of=run_of)
        projects.append((observations, np.full(5, 5000.0), scales * 5000.0**-exponents))
    return pooled_errors(projects, prior_for(1.0))


def apart(points: Sequence[Points]) -> Observations:
    held = np.array([one.counts.max() for one in points])
    return Observations(tuple(f"g{i}" for i in range(len(points))), tuple(points), (None,) * len(points), held, 1.0)


def pooled_lcdb(data: Path) -> Result:
    """Projects of six curves of six data sets and learners each, two of them with three points only."""
    with gzip.open(data / "lcdb/curves.jsonl.gz", "rt") as file:
        curves = [json.loads(line) for line in file]
    curves = [curve for curve in curves if curve["n"][-1] >= 512 and min(curve["error"]) > 0.002]
    rng = np.random.default_rng(0)
    projects = []
    for _ in range(60):
        points, asked, truth = [], [], []
        for g, at in enumerate(rng.choice(len(curves), 6, replace=False)):
            n, error, stderr = (np.array(curves[at][name], dtype=np.float64) for name in ("n", "error", "stderr"))
            sizes = n[-1] / 8 / 2.0 ** np.arange(3 if g < 2 else 5)
            picked = np.unique(np.abs(np.log(n[:, None] / sizes)).argmin(axis=0))
            points.append(lone(n[picked], error[picked], stderr[picked]))
            asked.append(n[-1])
            truth.append(error[-1])
        projects.append((apart(points), np.array(asked), np.array(truth)))
    return pooled_errors(projects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent / "../shared/data", help="folder of the curves")
    parser.add_argument("--sets", type=int, default=200, help="simulated sets without transfer")
    asked = parser.parse_args()
    parts: dict[str, Callable[[], Result]] = {"polygenic": lambda: polygenic(asked.data)}
    for name, *rest in SETS:
        parts[f"{name} {rest[1]} {rest[2]}"] = lambda rest=rest: people(asked.data, *rest)
    parts["without transfer"] = lambda: untransferred(asked.sets)
    parts["speed, 20 groups of 30 runs, CPU s"] = speed
    parts["pooling, like curves"] = lambda: pooled_simulation(related=True)
    parts["pooling, unlike curves"] = lambda: pooled_simulation(related=False)
    for said, spread in (("exponents ± .08", 0.08), ("exponents ± .02", 0.02), ("exponents .1 to 1.2", None)):
        parts[f"pooling, same models, {said}"] = lambda spread=spread: pooled_on_the_same_models(spread)
    parts["pooling, LCDB"] = lambda: pooled_lcdb(asked.data)
    results: Result = {}
    for name, part in parts.items():
        try:
            results[name] = part()
        except FileNotFoundError as error:
            print(f"{name}: skipped, there is no {error.filename}; give the folder with --data")
            continue
        print(f"{name}: {json.dumps(results[name], default=float)}", flush=True)
    results_files.write(HERE / "results" / "transfer.json", results)


if __name__ == "__main__":
    main()
