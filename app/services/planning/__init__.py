"""What the next round should buy, and what it would reach."""

from app.planner.information import MAX_RUNS, EvaluationAdvice, MeasurementPlan
from app.planner.plan import Band, Gain, GroupPlan, Plan, SourcePlan, StopAdvice
from app.planner.quality import Judged, Verdict
from app.planner.requirements import HARDLY_EVER, Offer, Requirements
from app.planner.wording import Warning

__all__ = [
    "HARDLY_EVER", "MAX_RUNS", "Band", "EvaluationAdvice", "Gain", "GroupPlan", "Judged", "MeasurementPlan", "Offer",
    "Plan", "Requirements", "SourcePlan", "StopAdvice", "Verdict", "Warning",
]  # fmt: skip
