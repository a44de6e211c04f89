"""What the next round should buy, and what it would reach."""

from app.planner.information import MAX_RUNS, EvaluationAdvice, MeasurementPlan
from app.planner.plan import Gain, GroupPlan, Plan, SourcePlan, StopAdvice
from app.planner.requirements import HARDLY_EVER, Offer, Requirements
from app.planner.wording import Warning

__all__ = [
    "HARDLY_EVER", "MAX_RUNS", "EvaluationAdvice", "Gain", "GroupPlan", "MeasurementPlan", "Offer", "Plan",
    "Requirements", "SourcePlan", "StopAdvice", "Warning",
]  # fmt: skip
