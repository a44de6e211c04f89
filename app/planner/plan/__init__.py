"""A problem in, a plan out: decided, explained, priced, compared, and told when to stop."""

from app.planner.plan.compare import UtilityMeasure, gain_of
from app.planner.plan.make_plan import evaluate, make_plan
from app.planner.plan.plan import (
    Band,
    BudgetRatio,
    Gain,
    GroupPlan,
    Interval,
    Plan,
    SimpleRule,
    SourcePlan,
    StakeholderShare,
)
from app.planner.plan.stop import StopAdvice, stop_advice

__all__ = [
    "Band", "BudgetRatio", "Gain", "GroupPlan", "Interval", "Plan", "SimpleRule", "SourcePlan",
    "StakeholderShare", "StopAdvice", "UtilityMeasure", "evaluate", "gain_of", "make_plan", "stop_advice",
]  # fmt: skip
