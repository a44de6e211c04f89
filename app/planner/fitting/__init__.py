"""The posterior of every group's own curve, on a grid: binning, noise, sampling, outliers and checks."""
