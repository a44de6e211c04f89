"""What a run will measure, and how earlier forecasts fared."""

from app.planner.forecasts.predictive import Asked, predict
from app.planner.forecasts.promises import overpromised, promised_gains, promising_less
from app.planner.forecasts.scoring import INTERVAL_LEVELS, LEAST_WIDTH, rescale, score, widening

__all__ = [
    "INTERVAL_LEVELS", "LEAST_WIDTH", "Asked", "overpromised", "predict", "promised_gains", "promising_less", "rescale",
    "score", "widening",
]  # fmt: skip
