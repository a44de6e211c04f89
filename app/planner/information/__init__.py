"""What to measure next, and whether evaluation or training samples help more."""

from app.planner.information.evaluation import EvaluationAdvice, evaluation_advice
from app.planner.information.measurement import (
    MAX_RUNS,
    MeasurementPlan,
    MeasurementRun,
    measurement_plan,
    too_little_is_known,
    usual_plan,
)

__all__ = [
    "MAX_RUNS", "EvaluationAdvice", "MeasurementPlan", "MeasurementRun", "evaluation_advice", "measurement_plan",
    "too_little_is_known", "usual_plan",
]  # fmt: skip
