"""A problem in, a plan out: decided, explained, priced, compared, and told when to stop."""

from app.planner.plan.compare import Gain, UtilityMeasure
from app.planner.plan.make_plan import evaluate, make_plan
from app.planner.plan.plan import Band, GroupPlan, Interval, Plan, SourcePlan
from app.planner.plan.stop import StopAdvice, stop_advice

__all__ = [
    "Band", "Gain", "GroupPlan", "Interval", "Plan", "SourcePlan", "StopAdvice", "UtilityMeasure", "evaluate",
    "make_plan", "stop_advice",
]  # fmt: skip
