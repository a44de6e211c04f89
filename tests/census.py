"""The census example: its project, and the points really measured on it (see census_points.md)."""

import csv
from itertools import groupby
from pathlib import Path

from tranche import Metric, Observation

POINTS = Path(__file__).with_name("census_points.csv")
# No weights, so every group counts the same: the utility is the mean of the four accuracies.
GROUPS = [
    {"key": "White_Male", "name": "White men", "initial_count": 310, "unit_cost": "1"},
    {"key": "White_Female", "name": "White women", "initial_count": 140, "unit_cost": "1"},
    {"key": "Black_Male", "name": "Black men", "initial_count": 25, "unit_cost": "3"},
    {"key": "Black_Female", "name": "Black women", "initial_count": 25, "unit_cost": "3"},
]
METRIC = {"name": "accuracy", "kind": "proportion", "goal": "maximize", "lower": 0.0, "upper": 1.0}
BUDGET = {"total": "2500", "rounds": 1}


def measured_runs() -> list[Observation]:
    """The points of the CSV, one observation per training run; census_points.md says where they come from."""
    with POINTS.open(encoding="utf-8", newline="") as file:
        by_run = groupby(csv.DictReader(file), key=lambda row: (row["external_id"], row["holdout"]))
        return [_observation(run, holdout, list(rows)) for (run, holdout), rows in by_run]


def _observation(external_id: str, holdout: str, rows: list[dict[str, str]]) -> Observation:
    counts = {row["group"]: int(row["n"]) for row in rows}
    metrics = {row["group"]: Metric(float(row["value"]), stderr=float(row["stderr"])) for row in rows}
    return Observation(counts, metrics, external_id=external_id, holdout=holdout)
