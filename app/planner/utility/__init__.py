"""What counts are worth: from a metric's losses to one number to be raised."""

from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective
from app.planner.utility.utility import Utility, ValueAndSlope

__all__ = ["Metric", "Objective", "Utility", "ValueAndSlope"]
