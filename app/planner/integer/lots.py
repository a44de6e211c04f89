"""Divisible orders in whole lots (planner.md 4, "Integers")."""

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.problem.market import Market


def round_down(market: Market, orders: FloatArray) -> IntArray:
    """Divisible orders [S] in whole lots, never more and never over budget; below the smallest order: nothing."""
    whole = np.minimum(np.floor(orders).astype(np.int64), market.most) // market.lot * market.lot
    whole = np.where(whole >= market.least, whole, 0)
    if market.cost(whole) > market.budget:
        # Rounding in the divisible answer; one part in 10¹² less of everything is below the budget again.
        return round_down(market, orders * (1.0 - 1e-12))
    return whole
