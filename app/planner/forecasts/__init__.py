"""What a run will measure, and how earlier forecasts fared."""

from app.planner.forecasts.predictive import Asked, predict
from app.planner.forecasts.scoring import INTERVAL_LEVELS, rescale, score, widening

__all__ = ["INTERVAL_LEVELS", "Asked", "predict", "rescale", "score", "widening"]
