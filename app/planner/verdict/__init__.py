"""What a plan comes to: whether to sign it, and what it changes in the metric's own units."""

from app.planner.verdict.changes import MetricChange, MetricChanges
from app.planner.verdict.judging import PlanVerdict, Thresholds, VerdictKind, judge_plan

__all__ = ["MetricChange", "MetricChanges", "PlanVerdict", "Thresholds", "VerdictKind", "judge_plan"]
