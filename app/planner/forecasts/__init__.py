"""What a run will measure, and how earlier forecasts fared."""

from app.planner.forecasts.predictive import Asked, predict
from app.planner.forecasts.scoring import LEVELS, rescale, score, widening

__all__ = ["LEVELS", "Asked", "predict", "rescale", "score", "widening"]
