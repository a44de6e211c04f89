"""Whole orders near the divisible optimum, and a bound on what they miss."""

from app.planner.integer.whole_orders import best_whole, keep_within

__all__ = ["best_whole", "keep_within"]
