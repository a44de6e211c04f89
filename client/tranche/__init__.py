"""A small client for training loops: post what a run measured, ask what to buy next.

    with Client("http://localhost:8000", api_key) as tranche:
        subsets = nested_subsets({"men": 300, "women": 40}, [0.25, 0.5, 1.0], seed=7)
        runs = [train_and_measure(subset) for subset in subsets]  # yours; makes Observations
        tranche.post_observations(project_id, runs)
        tranche.next_allocation(project_id).add["women"]

It needs httpx and nothing else of this package.
"""

from tranche.errors import SimulationFailed, TrancheError
from tranche.http import Client
from tranche.questions import (
    BudgetChance,
    GroupRequirement,
    MeasurementPlan,
    MeasurementRun,
    Requirements,
    ScenarioPlan,
    Simulation,
    Standing,
)
from tranche.shapes import (
    Accepted,
    Allocation,
    Budget,
    BudgetRatio,
    Curve,
    Estimate,
    Gain,
    Group,
    GroupPlan,
    Metric,
    Observation,
    Parameter,
    Project,
    Remark,
    SimpleRule,
    Source,
    Stop,
)
from tranche.subsets import nested_subsets

__all__ = [
    "Accepted",
    "Allocation",
    "Budget",
    "BudgetChance",
    "BudgetRatio",
    "Client",
    "Curve",
    "Estimate",
    "Gain",
    "Group",
    "GroupPlan",
    "GroupRequirement",
    "MeasurementPlan",
    "MeasurementRun",
    "Metric",
    "Observation",
    "Parameter",
    "Project",
    "Remark",
    "Requirements",
    "ScenarioPlan",
    "SimpleRule",
    "Simulation",
    "SimulationFailed",
    "Source",
    "Standing",
    "Stop",
    "TrancheError",
    "nested_subsets",
]
