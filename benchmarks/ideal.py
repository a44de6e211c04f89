"""Curves whose truth is known: ideal power laws, a shared holdout, polygenic scores, the census."""

import csv
import gzip
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from rivals import RIVALS
from scores import coverage

from app.planner.arrays import BoolArray, FloatArray
from app.planner.curves.observations import Observations, Points
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit

SIZES = np.array([25.0, 50.0, 100.0, 200.0, 400.0])
DRAWS = 300


def observed(points: list[Points], span: float | None) -> Observations:
    """Groups of one project, holding what they were last measured at."""
    keys = tuple(str(number) for number in range(len(points)))
    held = np.array([p.counts.max() for p in points])
    return Observations(keys, tuple(points), (None,) * len(keys), held, span)


def ideal_power_laws(prior: Prior, seed: int, number: int = 300) -> list[dict[str, object]]:
    """Five points on a + b n^−c with 2 % noise; the errors at 4 and 16 times the largest size."""
    rng = np.random.default_rng(seed)
    points, truths = [], []
    at = SIZES[-1] * np.array([4.0, 16.0])
    for _ in range(number):
        a, b, c = rng.uniform(0.0, 0.2), rng.uniform(0.5, 2.0), rng.uniform(0.2, 1.0)
        clean = a + b * SIZES**-c
        scale = min(1.0, 0.9 / clean[0])
        error = 0.02 * clean * scale
        points.append(Points(SIZES, clean * scale + error * rng.normal(size=5), error, np.arange(5)))
        truths.append(scale * (a + b * at**-c))
    posterior = fit(observed(points, 1.0), prior, seed, DRAWS)
    truth, rows = np.array(truths), []
    for j, n in enumerate(at):
        everywhere = np.full(number, n)
        ours = np.abs(np.median(posterior.loss(everywhere), axis=1) - truth[:, j]).mean()
        fits = [RIVALS["power law, 3 parameters"].predict(p.counts, p.losses, n) for p in points]
        theirs = np.abs(np.array(fits) - truth[:, j]).mean()
        curve, band = (coverage(draw(everywhere), truth[:, j]) for draw in (posterior.loss, posterior.band))
        rows.append(
            {
                "times": n / SIZES[-1],
                "engine": float(ours),
                "least squares": float(theirs),
                "ratio": float(ours / theirs),
            }
            | {"curve covers 80": curve[1], "band covers 80": band[1]}
        )
    return rows


def polygenic(path: Path, prior: Prior, seed: int) -> list[dict[str, object]]:
    """R² at 1,600 from own counts up to 400, averaged over genomes."""
    values: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in _rows(path):
        own = float(row["n_" + row["group"]])
        if row["kind"] == "own_only" and own > 0:
            values[row["group"]][own].append(float(row["R2_gen"]))
    found = []
    for group, by_size in sorted(values.items()):
        sizes = np.array(sorted(n for n in by_size if n <= 400))
        losses = np.array([1.0 - np.mean(by_size[n]) for n in sizes])
        errors = np.array([np.std(by_size[n], ddof=1) / np.sqrt(len(by_size[n])) for n in sizes])
        posterior = fit(observed([Points(sizes, losses, errors, np.arange(len(sizes)))], None), prior, seed, DRAWS)
        forecast = 1.0 - float(np.median(posterior.loss(np.array([1600.0]))))
        truth = float(np.mean(by_size[1600.0]))
        found.append({"group": group, "forecast": forecast, "truth": truth, "error": abs(forecast - truth)})
    return found


def census(path: Path, prior: Prior, seed: int) -> list[dict[str, object]]:
    """Widths of the 80 % intervals of df/dn at the largest size: errors taken as independent / shared."""
    runs: dict[tuple[str, str], list[tuple[float, float, float, int]]] = defaultdict(list)
    for row in _rows(path):
        if row["metric"] == "log_loss" and row["kind"] == "others400":
            key = row["model"], row["group"]
            runs[key].append((float(row["n_own"]), float(row["value"]), float(row["stderr"]), int(row["replicate"])))
    found = []
    for (model, group), listed in sorted(runs.items()):
        counts, losses, errors, holdouts = (np.array(column) for column in zip(*listed, strict=True))
        points = Points(counts, losses, errors, holdouts.astype(np.int64))
        apart = replace(points, holdouts=np.arange(len(counts)))
        width = _slope_widths([points, apart], prior, seed)
        ratios = [_one_split(points, holdouts == split, prior, seed) for split in np.unique(holdouts)]
        found.append(
            {"model": model, "group": group, "runs": len(counts), "ratio": float(width[1] / width[0])}
            | {"one split: ratio": float(np.median(ratios)), "least": min(ratios), "most": max(ratios)}
            | {"by the scatter": _possible(points)}
        )
    return found


def _one_split(points: Points, of: BoolArray, prior: Prior, seed: int) -> float:
    """The same ratio from the runs of one split."""
    single = Points(points.counts[of], points.losses[of], points.stderrs[of], points.holdouts[of])
    width = _slope_widths([single, replace(single, holdouts=np.arange(int(of.sum())))], prior, seed)
    return float(width[1] / width[0])


def _possible(points: Points) -> float:
    """√(1 + s²/σ²), were all but the errors known: s the stated error, σ the scatter about a level per size and one
    per split, every split having every size."""
    sizes, splits = np.unique(points.counts), np.unique(points.holdouts)
    order = np.lexsort((points.holdouts, points.counts))
    table = points.losses[order].reshape(len(sizes), len(splits))
    left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    scatter = (left**2).sum() / ((len(sizes) - 1) * (len(splits) - 1))
    return float(np.sqrt(1.0 + (points.stderrs**2).mean() / scatter))


def _slope_widths(points: list[Points], prior: Prior, seed: int) -> FloatArray:
    posterior = fit(observed(points, None), prior, seed, 1000)
    at = np.array([p.counts.max() for p in points])
    return np.asarray(np.diff(np.quantile(posterior.slope(at), [0.1, 0.9], axis=1), axis=0)[0])


def shared_errors(prior: Prior, seed: int, number: int = 300) -> list[dict[str, object]]:
    """Slopes of simulated curves like the census's: one test error of .02 shared by six sizes, training noise 1 %."""
    rng = np.random.default_rng(seed)
    counts = np.array([25.0, 50.0, 100.0, 200.0, 400.0, 800.0])
    points, slopes = [], []
    for _ in range(number):
        a, b, c = rng.uniform(0.2, 0.35), rng.uniform(0.2, 0.6), rng.uniform(0.25, 0.8)
        clean = a + b * counts**-c
        losses = clean * (1.0 + 0.01 * rng.normal(size=6)) + 0.02 * rng.normal()
        points.append(Points(counts, losses, np.full(6, 0.02), np.zeros(6, dtype=np.int64)))
        slopes.append(-c * b * counts[-1] ** (-c - 1.0))
    found = []
    for name, taken in (("shared", points), ("independent", [replace(p, holdouts=np.arange(6)) for p in points])):
        slope = fit(observed(taken, None), prior, seed, DRAWS).slope(np.full(number, counts[-1]))
        width = np.diff(np.quantile(slope, [0.1, 0.9], axis=1), axis=0)[0]
        cover = coverage(slope, np.array(slopes))
        found.append(
            {"errors": name, "median width": float(np.median(width) * 1e6)}
            | {"cover50": cover[0], "cover80": cover[1], "cover90": cover[2]}
        )
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as text:
        return list(csv.DictReader(text))
