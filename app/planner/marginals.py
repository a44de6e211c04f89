"""The marginal utility in every draw: what is not known of the decision (planner.md 6 and 7)."""

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.benefit import phi
from app.planner.decision import Decision
from app.planner.margins import Margins
from app.planner.task import Task
from app.planner.utility import Utility


def marginal_draws(task: Task, decision: Decision) -> FloatArray:
    """Marginal utility per currency unit [groups, draws] after the decision; its mean is that of `Margins.after`."""
    slope = decision.after.slope
    per_slope = np.divide(Margins.of(task, decision).after, slope, out=np.zeros_like(slope), where=slope > 0.0)
    return np.asarray(per_slope[:, None] * slope_draws(task.values.moved(decision.counts), decision.counts))


def slope_draws(utility: Utility, counts: FloatArray) -> FloatArray:
    """dφ/dn [groups, draws] at counts [groups]: what the mean over draws in V' is taken of, `gap`'s kink left out."""
    loss, slope = utility.posterior.loss_and_slope(counts)
    unit = utility.unit[:, None]
    _, worth = phi(utility.objective, np.maximum(loss, 0.0) / unit, utility.bounded, utility.goal[:, None])
    return np.asarray(worth * np.where(loss > 0.0, -slope, 0.0) / unit)
