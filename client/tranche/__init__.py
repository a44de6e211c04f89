"""The client of Tranche: post what a run measured, ask what to collect next, record what was bought.

    with Client() as tranche:  # TRANCHE_URL, TRANCHE_API_KEY
        project = tranche.ensure_project(external_id="speech", metric="accuracy", budget=6000, groups=[...])
        asked = subsets(tranche.measurement_plan(project), {"men": 300, "women": 40}, seed=7)
        tranche.post_observations(project, [train_and_measure(subset) for subset in asked])  # yours
        plan = tranche.next_allocation(project)
        print(plan)
        tranche.record_purchase(project, plan, external_id="round-1")

It needs httpx and nothing else.
"""

from tranche.answers import Estimate, Remark
from tranche.client import Client
from tranche.compositions import subsets
from tranche.curves import Curve, Parameter
from tranche.errors import SimulationFailed, TrancheError
from tranche.metrics import Metric
from tranche.plan_parts import Budget, BudgetRatio, Gain, GroupPlan, SimpleRule, Stop, Verdict
from tranche.plans import Allocation
from tranche.projects import Group, Project, Source
from tranche.questions import (
    BudgetChance,
    GroupRequirement,
    MeasurementPlan,
    MeasurementRun,
    MixPhase,
    Pilot,
    PilotRun,
    Representation,
    Requirements,
    ScenarioPlan,
    Simulation,
    Standing,
    TrainingMix,
)
from tranche.rounds import Delivery, Entry, GroupProgress, LedgerCheck, Line, Order, Round
from tranche.rows import Listing
from tranche.runs import Accepted, Forecast, Forecasts, Holdout, Observation, StoredObservation

__all__ = [
    "Accepted",
    "Allocation",
    "Budget",
    "BudgetChance",
    "BudgetRatio",
    "Client",
    "Curve",
    "Delivery",
    "Entry",
    "Estimate",
    "Forecast",
    "Forecasts",
    "Gain",
    "Group",
    "GroupPlan",
    "GroupProgress",
    "GroupRequirement",
    "Holdout",
    "LedgerCheck",
    "Line",
    "Listing",
    "MeasurementPlan",
    "MeasurementRun",
    "Metric",
    "MixPhase",
    "Observation",
    "Order",
    "Parameter",
    "Pilot",
    "PilotRun",
    "Project",
    "Remark",
    "Representation",
    "Requirements",
    "Round",
    "ScenarioPlan",
    "SimpleRule",
    "Simulation",
    "SimulationFailed",
    "Source",
    "Standing",
    "Stop",
    "StoredObservation",
    "TrainingMix",
    "TrancheError",
    "Verdict",
    "subsets",
]
