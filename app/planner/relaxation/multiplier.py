"""The budget's multiplier by power laws fitted to every group where the last answer stands (planner.md 4).

Averages over posterior draws are no power laws, but near enough to one from answer to answer: the law that has V' and
its slope at the last count gives the next counts in one step (`powerlaw`), and the error falls with its own square.
Notation as in `relaxed` and `powerlaw`.
"""

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.relaxation.certificate import LEAST_SLOPE, Relaxation, certify
from app.planner.relaxation.power_laws import Steps, orders_at_price
from app.planner.relaxation.price_ladder import Ladder
from app.planner.utility.utility import Utility, ValueAndSlope

ROUNDS = 25
SLOW, PATIENCE = 0.5, 4
"""After more than so many rounds in which the residual did not at least halve, it is a matter for the tables."""
BEYOND = 1e-3
"""The slope of V' is taken over this share of a count."""
STEEPEST, FLATTEST = 20.0, 1e-3
"""Exponents of V' that are believed; outside, a step is only shorter or longer than it could be."""


def solve_local(utility: Utility, ladder: Ladder, tolerance: float) -> Relaxation | None:
    """The best answer found with its proof, which leaves at most `tolerance` of the gain open if all went well.

    None where V' jumps, where U is no sum, or where there is nothing to spend.
    """
    if not (utility.is_additive and utility.is_smooth) or ladder.money <= 0.0 or not len(ladder.group):
        return None
    counts = _first_guess(ladder)
    terms, best, idle = utility.terms(counts), None, 0
    for _ in range(ROUNDS):
        steps = _laws(utility, ladder, counts, terms)
        open_ = np.isfinite(steps.rate) & (steps.length > 0.0)
        if not open_.any():
            return None
        orders = np.zeros_like(ladder.price)
        orders[open_], _ = orders_at_price(steps.select(open_), ladder.money)
        found = certify(utility, ladder, orders)
        if best is None or found.residual < best.residual:
            idle = idle + 1 if best is not None and found.residual > SLOW * best.residual else 0
            best = found
            counts, terms = found.counts, found.terms
        else:
            # The laws led too far: half the way, in logarithms, from the best answer.
            counts = np.sqrt((best.counts + 1.0) * (found.counts + 1.0)) - 1.0
            terms = utility.terms(counts)
            idle += 1
        if best.residual <= tolerance or idle > PATIENCE:
            break
    return best


def _first_guess(ladder: Ladder) -> FloatArray:
    """Counts [groups] if every group had the same money, up to where its ladder ends."""
    groups = np.unique(ladder.group)
    share = ladder.money / len(groups)
    first = np.full(len(ladder.foot), np.inf)
    np.minimum.at(first, ladder.group, ladder.price)
    return np.asarray(ladder.foot + np.where(np.isfinite(first), share / first, 0.0))


def _laws(utility: Utility, ladder: Ladder, counts: FloatArray, terms: ValueAndSlope) -> Steps:
    """Steps on whose laws V' and its slope are those at `counts` [groups]; rate −inf where nothing is gained."""
    base = counts + 1.0
    wide = BEYOND * base
    later = utility.terms(counts + wide).slope
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.log(np.maximum(terms.slope, LEAST_SLOPE) / np.maximum(later, LEAST_SLOPE)) / np.log1p(wide / base)
        rate = np.log(utility.emphasis * terms.slope)
    fall = np.clip(np.nan_to_num(fall, nan=1.0), FLATTEST, STEEPEST)
    at = ladder.index
    return Steps(
        rate=rate[at] - np.log(ladder.price),
        gamma=1.0 / fall[at],
        base=base[at],
        price=ladder.price,
        length=ladder.limit,
        behind=counts[at] - ladder.start,
    )
