"""The best divisible orders of a separable utility: the budget's multiplier, the level of maximin (planner.md 4).

Three ways, each with the same proof, the quickest that applies first: the closed form of known power laws (`closed`),
power laws fitted to every group round the last answer (`local`), tables of every group's curve (`tables`).
"""

from app.planner.relaxation.certificate import Relaxation
from app.planner.relaxation.closed import solve_closed
from app.planner.relaxation.multiplier import solve_local
from app.planner.relaxation.price_ladder import Ladder
from app.planner.relaxation.tabulation import solve_by_tables, tabulate
from app.planner.utility.utility import Utility

__all__ = ["solve", "tabulate"]


def solve(utility: Utility, ladder: Ladder, tolerance: float = 1e-9) -> Relaxation:
    """The divisible optimum on the ladder, whose certificate leaves at most `tolerance` of the gain open.

    For utilities that are sums and for maximin; cvar and robust are not separable. Where the tolerance is not
    reached, the best answer found; its residual says so.
    """
    found = solve_closed(utility, ladder)
    if found is not None and found.residual <= tolerance:
        return found
    near = solve_local(utility, ladder, tolerance)
    if near is not None and near.residual <= tolerance:
        return near
    answers = [found, near, solve_by_tables(utility, ladder, tolerance)]
    return min((answer for answer in answers if answer is not None), key=lambda answer: answer.residual)
