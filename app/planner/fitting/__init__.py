"""The posterior of every group's own curve, on a grid: binning, noise, sampling, outliers and checks."""

from app.planner.fitting.fit import fit

__all__ = ["fit"]
