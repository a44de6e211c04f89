"""What counts are worth: from a metric's losses to one number to be raised."""

from app.planner.utility.kinds import KINDS
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective, check_kind
from app.planner.utility.parsing import parse
from app.planner.utility.stakeholders import Stakeholder

__all__ = ["KINDS", "Metric", "Objective", "Stakeholder", "check_kind", "parse"]
