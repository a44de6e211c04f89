"""What orders are worth by another problem's measure, draw by draw, so that answers to varied problems compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.common_errors import moving_together
from app.planner.plan.plan import Gain, Interval
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.quantiles import quantiles
from app.planner.relaxation.compromise import with_base
from app.planner.utility.utility import Utility
from app.planner.utility.values import Values

LEAST_DRAWS = 100
"""Quantiles at 5 % and 95 % need as many."""


@dataclass(frozen=True)
class Outlook:
    """U at some counts: its mean over the curves, which is what is decided by, and as it may turn out [draws]."""

    mean: float
    draws: FloatArray

    @property
    def interval(self) -> Interval:
        """The mean with the 5 % and 95 % quantiles of how it may turn out."""
        p05, p95 = quantiles(self.draws, (0.05, 0.95))
        return Interval(mean=self.mean, p05=float(p05), p95=float(p95))


@dataclass(frozen=True)
class Outlooks:
    """The outlook of any counts, all on the same draws and paths (method.md 5, "How sure").

    values: with the groups' draws in the order in which they move together. widening: by what the record of past
    forecasts widens intervals. known: what was looked at, by the counts' bytes: rules often buy the same.
    """

    values: Values
    widening: float
    known: dict[bytes, Outlook] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, form: Canonical, widening: float) -> "Outlooks":
        """Of the groups of a problem in the solvers' order."""
        together = replace(form.utility, posterior=moving_together(form.utility.posterior))
        return cls(Values.of(together, form.order), widening)

    def at(self, counts: FloatArray) -> Outlook:
        """At counts [groups] in the solvers' order."""
        key = counts.tobytes()
        if key not in self.known:
            mean, draws = self.values.moved(counts).outcomes(counts)
            centre = draws.mean()
            self.known[key] = Outlook(mean, centre + self.widening * (draws - centre))
        return self.known[key]

    def fewer(self, most: int) -> "Outlooks":
        """On so few of the draws that there are no more than `most` curves, or 100 of each group."""
        utility = self.values.utility
        groups, draws = utility.posterior.asymptote.shape
        step = max(1, min(-(-groups * draws // most), draws // LEAST_DRAWS))
        if step == 1:
            return self
        posterior = utility.posterior.mapped(lambda values: np.ascontiguousarray(values[..., ::step]))
        return replace(self, values=replace(self.values, utility=replace(utility, posterior=posterior)), known={})


def gain_of(one: Outlook, other: Outlook) -> Gain:
    """`one` over `other`."""
    gain = one.draws - other.draws
    p05, p95 = quantiles(gain, (0.05, 0.95))
    return Gain(one.mean - other.mean, float(p05), float(p95), chance_above_zero(gain))


def chance_above_zero(gain: FloatArray) -> float:
    """(k + ½)/(n + 1) for k of n draws above 0, ties half: never 0 or 1, which draws cannot tell."""
    above = (gain > 0.0).sum() + 0.5 * (gain == 0.0).sum()
    return float((above + 0.5) / (len(gain) + 1.0))


@dataclass(frozen=True)
class UtilityMeasure:
    """A problem's objective, weights and targets as a measure of other problems of the same groups.

    based: what this problem's utility knows of others' best plans, which is kept throughout.
    """

    problem: Problem
    based: Utility

    @classmethod
    def of(cls, problem: Problem) -> "UtilityMeasure":
        """The measure that the problem is solved by."""
        return cls(problem, with_base(Canonical.of(problem)).utility)

    def outlook(self, problem: Problem, orders: Mapping[str, int]) -> Outlook:
        """U once `orders` of the sources of `problem` have come, on the curves of `problem`."""
        form = Canonical.of(replace(self.problem, posterior=problem.posterior, sources=problem.sources, limits=()))
        form = replace(form, utility=form.utility.based(self.based))
        ordered = np.array([orders.get(source.key, 0) for source in form.sources], dtype=np.float64)
        return Outlooks.of(form, problem.widening).at(form.held + form.market.added(ordered))
