"""The mathematics: a problem with its measurements in, a plan with its reasons out. Pure NumPy and SciPy."""
