"""What a learning curve is: a group's observations, what is believed before them, and the draws that they leave."""

from app.planner.curves.drift import drifts
from app.planner.curves.explosions import fitted_part
from app.planner.curves.observations import AssumedCurve, Observations, Points
from app.planner.curves.posterior import ARRAYS, Diagnostics, Errors, Posterior, stating
from app.planner.curves.prior import Prior
from app.planner.curves.transfer import Received, Transfer

__all__ = [
    "ARRAYS", "AssumedCurve", "Diagnostics", "Errors", "Observations", "Points", "Posterior", "Prior", "Received",
    "Transfer", "drifts", "fitted_part", "stating",
]  # fmt: skip
