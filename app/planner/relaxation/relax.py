"""The best divisible orders of any problem: by multiplier or level where it falls apart, else by cutting planes.

Every way has the same form: whether it accepts a problem, and its answer with a certificate (method.md 6).
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from app.planner.arrays import BoolArray, FloatArray
from app.planner.problem.canonical import Canonical
from app.planner.problem.order_programme import Programme
from app.planner.relaxation import multiplier
from app.planner.relaxation.certificate import CLOSED, LEAST_GAIN, Relaxation
from app.planner.relaxation.cutting_planes import CutOptimum, solve
from app.planner.relaxation.master import Master
from app.planner.relaxation.separable import LadderSolver, is_separable, relax_separable
from app.planner.relaxation.tabulation import solve_by_tables
from app.planner.relaxation.totals import solve_by_total
from app.planner.utility.utility import Utility
from app.planner.utility.values import Values

TOLERANCE = 4e-7
"""Gap left by the cutting planes, as a share of the gain ..."""
FINE_TOLERANCE, FINE_SIZE = 1e-9, 2_500
"""... and where sources times groups are at most so many: shadow prices converge as the gap's square root."""
CHECKED = 1e-7
"""A multiplier or a level whose own certificate leaves more than this open is left to the cutting planes ..."""
MOST_CUT_SOURCES = 3_000
"""... unless there are more sources than this."""
LEXICOGRAPHIC_STAGES = 20
LEFT = 1e-7
"""Money left, as a share of the budget, that is worth raising the next worst groups with."""
BLOCKING = 1e-7
"""A group has a part in what keeps the least value down where its weight in the dual exceeds this."""


@dataclass(frozen=True)
class Divisible:
    """The divisible optimum. rows [R]: utility per unit by which the region's rows are raised, below 0 where a lower
    bound binds. method and proof as in `Optimality`. master: what was solved by cutting planes, None else.
    """

    relaxation: Relaxation
    rows: FloatArray
    method: str
    proof: str
    master: Master | None = None


MARGINS = "The margins at the divisible optimum bound the utility of every order that the budget pays for."
LEVEL = "Every group that was fed stands at one level, and no order lifts them all above it for the money."
TOTALS = (
    "Within every range of how many samples there are in all, a linear programme over tangents of a concave bound on"
    " every group's value bounds the utility of every allowed order."
)
TANGENTS = "A linear programme over tangents of every group's value bounds the utility of every allowed order."


class RelaxationSolver(Protocol):
    """One way to the divisible optimum. closes: the residual at which no later way is asked."""

    @property
    def closes(self) -> float: ...

    def accepts(self, form: Canonical, utility: Utility) -> bool:
        """Whether `solve` may be asked."""

    def solve(self, form: Canonical, utility: Utility) -> Divisible:
        """The best divisible answer it finds, with its proof."""


@dataclass(frozen=True)
class Multiplier:
    """The budget's multiplier or maximin's level by power laws, for problems that fall apart into groups."""

    closes: float = CLOSED

    def accepts(self, form: Canonical, utility: Utility) -> bool:
        """Where the laws are known, or can be fitted to a sum without kinks."""
        return is_separable(form, utility) and multiplier.accepts(utility)

    def solve(self, form: Canonical, utility: Utility) -> Divisible:
        """The answer that meets the money."""
        return _separable(form, utility, multiplier.solve)


@dataclass(frozen=True)
class Tabulation:
    """The same by tables of every group's curve: slower, and at home with kinks and with `stop_ratio`."""

    closes: float = CHECKED

    def accepts(self, form: Canonical, utility: Utility) -> bool:
        """Where the problem falls apart into groups."""
        return is_separable(form, utility)

    def solve(self, form: Canonical, utility: Utility) -> Divisible:
        """The answer that meets the money."""
        return _separable(form, utility, solve_by_tables)


@dataclass(frozen=True)
class CuttingPlanes:
    """A linear programme over tangents, for any concave problem, and where kinks or numbers far apart left a gap."""

    closes: float = np.inf

    def accepts(self, form: Canonical, utility: Utility) -> bool:
        """Where the problem does not fall apart, or is small enough to be solved again; `stop_ratio` has no optimum."""
        if not is_separable(form, utility):
            return True
        return not utility.rests and 0 < len(form.sources) <= MOST_CUT_SOURCES

    def solve(self, form: Canonical, utility: Utility) -> Divisible:
        """The answer of the last master. Raises SolverError."""
        if not form.market.budget or not form.sources:
            return Divisible(_nothing(form, utility), np.zeros(len(form.region.bounds)), "cutting planes", TANGENTS)
        return _by_cuts(form, utility)


RELAXATION_SOLVERS: tuple[RelaxationSolver, ...] = (Multiplier(), Tabulation(), CuttingPlanes())


def relax(form: Canonical, utility: Utility) -> Divisible:
    """The divisible optimum of the problem under `utility`, by the first of the chain whose certificate closes, or else
    the best answer of all; smallest orders and lots are left out.

    Raises SolverError where the numbers are beyond the linear solver.
    """
    answers: list[Divisible] = []
    for solver in RELAXATION_SOLVERS:
        if solver.accepts(form, utility):
            answers.append(solver.solve(form, utility))
            if min(map(_residual, answers)) <= solver.closes:
                break
    return min(answers, key=_residual)


def _residual(divisible: Divisible) -> float:
    return divisible.relaxation.residual


def _separable(form: Canonical, utility: Utility, solve: LadderSolver) -> Divisible:
    """The answer of a solver on ladders, with the name of what it solves."""
    method, proof = ("level", LEVEL) if utility.is_level else ("multiplier", MARGINS)
    if utility.rests:
        method = "level with stop_ratio"
    return Divisible(*relax_separable(form, utility, solve), method, proof)


def _nothing(form: Canonical, utility: Utility) -> Relaxation:
    """No orders at all: what a budget of 0 buys."""
    terms = Values.of(utility, form.order).moved(form.held).terms(form.held)
    total = utility.total(terms.value)
    return Relaxation(np.zeros(len(form.market.sources)), form.held.copy(), terms, total, total, 0.0, 0.0)


def _by_cuts(form: Canonical, utility: Utility) -> Divisible:
    values = Values.of(utility, form.order)
    programme = Programme(form.market, form.region, utility.outer.extra, whole=False)
    method, proof = "cutting planes", TANGENTS
    if values.clashes:
        found, master = solve_by_total(values, programme, form.held)
        last, method, proof = found, "cutting planes by total", TOTALS
    else:
        master = Master.of(values, programme, form.held)
        small = len(form.keys) * len(form.sources) <= FINE_SIZE and not values.crossed
        found = solve(master, FINE_TOLERANCE if small else TOLERANCE)
        last = _leximin(master, found) if utility.is_level else found
    gain = max(found.utility - values.total(form.held), LEAST_GAIN)
    orders = np.maximum(programme.order_of @ last.columns, 0.0)
    relaxation = Relaxation(
        orders=orders,
        counts=last.counts,
        terms=values.moved(last.counts).terms(last.counts),
        utility=found.utility,
        bound=found.bound,
        residual=(found.bound - found.utility) / gain,
        multiplier=found.price,
    )
    return Divisible(relaxation, found.rows, method, proof, master)


def _leximin(master: Master, found: CutOptimum) -> CutOptimum:
    """Where money is left at the highest level, what is best for the next worst groups, and so on."""
    blocked = np.zeros(len(master.held), dtype=np.bool_)
    counted = np.flatnonzero(master.values.utility.counted)
    floor, level = master.floor.copy(), found
    for _ in range(LEXICOGRAPHIC_STAGES):
        spent = float((master.programme.cost_of @ found.columns).sum())
        open_ = counted[~blocked[counted]]
        held_down = open_[level.levels > BLOCKING] if len(level.levels) == len(open_) else open_
        if spent >= 1.0 - LEFT or len(held_down) in (0, len(open_)):
            break
        blocked[held_down] = True
        margin = TOLERANCE * max(level.utility - master.start, LEAST_GAIN)
        floor[held_down] = master.values.at(found.counts)[held_down] - margin
        found = level = solve(_next_stage(master, floor, blocked), TOLERANCE)
    return found


def _next_stage(master: Master, floor: FloatArray, blocked: BoolArray) -> Master:
    """The master that raises the least of the groups that are not blocked, the others kept at their floors."""
    utility = master.values.utility
    weights = np.where(blocked, 0.0, utility.weights)
    later = replace(utility, weights=weights / weights.sum())
    values = replace(master.values, utility=later)
    now = master.now
    return replace(master, values=values, outer=later.outer, floor=floor, now=now)
