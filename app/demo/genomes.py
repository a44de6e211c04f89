"""The demo's project: polygenic scores of three populations, and the points measured on them (see PROVENANCE.md)."""

import csv
from itertools import groupby
from pathlib import Path

from tranche import Metric, Observation

POINTS = Path(__file__).with_name("genome_points.csv")
# No weights and one price, so every group counts and costs the same: what the plan does comes from the curves alone.
GROUPS = [
    {"key": "CEU", "name": "European", "initial_count": 1000, "unit_cost": "10"},
    {"key": "CHB", "name": "East Asian", "initial_count": 150, "unit_cost": "10"},
    {"key": "YRI", "name": "West African", "initial_count": 50, "unit_cost": "10"},
]
METRIC = {"name": "correlation", "kind": "other", "goal": "maximize", "lower": 0.0, "upper": 1.0}
BUDGET = {"total": "6000", "rounds": 1}


def measured_runs() -> list[Observation]:
    """The points of the CSV, one observation per training run; PROVENANCE.md says where they come from."""
    with POINTS.open(encoding="utf-8", newline="") as file:
        by_run = groupby(csv.DictReader(file), key=lambda row: (row["external_id"], row["holdout"]))
        return [_observation(run, holdout, list(rows)) for (run, holdout), rows in by_run]


def _observation(external_id: str, holdout: str, rows: list[dict[str, str]]) -> Observation:
    counts = {row["group"]: int(row["n"]) for row in rows}
    metrics = {row["group"]: Metric(float(row["value"]), stderr=float(row["stderr"])) for row in rows}
    return Observation(counts, metrics, external_id=external_id, holdout=holdout)
