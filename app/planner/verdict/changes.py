"""What purchases change in the metric's own units: on average and for the worst group (method.md 10).

The utility decides; the metric is what people know. With w the groups' weights, M̄ = Σ_g w_g E M_g / Σ_g w_g, and the
worst group is the one with the worst E M_g of those that count, E M_g the mean of the group's predictive metric.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.common_errors import moving_together
from app.planner.plan import Gain, Plan
from app.planner.plan.compare import LEAST_DRAWS, chance_above_zero
from app.planner.plan.worth import MOST_CURVES
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.quantiles import quantiles


@dataclass(frozen=True)
class MetricChange:
    """A metric before and after, in its own units. gain: by how much it improves, above 0 for better whatever the goal;
    its quantiles are over paired draws."""

    now: float
    after: float
    gain: Gain


@dataclass(frozen=True)
class MetricChanges:
    """mean: M̄. worst: of the worst group, which may be another one after than now. worst_now, worst_after: their
    keys."""

    mean: MetricChange
    worst: MetricChange
    worst_now: str
    worst_after: str


@dataclass(frozen=True)
class MetricLevels:
    """The groups' predictive metric [groups], and the one that the curves' draws lead to [groups, draws]."""

    mean: FloatArray
    draws: FloatArray


@dataclass(frozen=True)
class MetricScale:
    """A problem's metric at any counts [groups] in the solvers' order. form: with the groups' draws in the order in
    which they move together, so many of them that there are no more than MOST_CURVES curves, or 100 of each group.
    exact: means over all draws, by the counts' bytes, where a plan has them; others are told from the last of these.
    """

    form: Canonical
    weights: FloatArray
    widening: float
    exact: Mapping[bytes, FloatArray] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, plan: Plan | None = None) -> "MetricScale":
        """plan: of the problem, whose metrics are then the ones that are told."""
        form = Canonical.of(problem)
        curves = form.utility.posterior
        step = max(1, min(-(-curves.asymptote.size // MOST_CURVES), curves.draws // LEAST_DRAWS))
        if step > 1:
            curves = curves.mapped(lambda values: np.ascontiguousarray(values[..., ::step]))
        weights = problem.weights[form.order]
        utility = replace(form.utility, posterior=moving_together(curves))
        scale = cls(replace(form, utility=utility), weights / weights.sum(), problem.widening)
        if plan is None:
            return scale
        groups = [plan.groups[at] for at in form.order]
        exact = {
            form.held.tobytes(): np.array([group.metric_now.mean for group in groups]),
            scale.bought(plan).tobytes(): np.array([group.metric_after.mean for group in groups]),
        }
        return replace(scale, exact=exact)

    def bought(self, plan: Plan) -> FloatArray:
        """The counts to which a plan's orders lead."""
        return self.counts({one.key: one.order for one in plan.sources})

    def counts(self, orders: Mapping[str, int]) -> FloatArray:
        """The counts once `orders` by source, 0 where left out, have come."""
        ordered = [orders.get(source.key, 0) for source in self.form.sources]
        return self.form.held + self.form.market.added(np.array(ordered, dtype=np.float64))

    def changes(self, before: FloatArray, after: FloatArray) -> MetricChanges:
        """From counts to counts."""
        old, new = self._levels(before), self._levels(after)
        if self.exact:
            told = self.exact[after.tobytes()]
            was_told = self.exact.get(before.tobytes(), told + old.mean - new.mean)
            old, new = replace(old, mean=was_told), replace(new, mean=told)
        was, will = self._worst(old.mean), self._worst(new.mean)
        return MetricChanges(
            mean=self._change(
                float(self.weights @ old.mean),
                float(self.weights @ new.mean),
                self.weights @ (new.draws - old.draws),
            ),
            worst=self._change(
                float(old.mean[was]), float(new.mean[will]), self._poorest(new.draws) - self._poorest(old.draws)
            ),
            worst_now=self.form.keys[was],
            worst_after=self.form.keys[will],
        )

    @property
    def _sign(self) -> float:
        return 1.0 if self.form.metric.goal == "maximize" else -1.0

    def _levels(self, counts: FloatArray) -> MetricLevels:
        loss, band = self.form.values.moved(counts).posterior.loss_and_band(counts)
        metric = self.form.metric
        return MetricLevels(metric.to_metric(band).mean(axis=1), metric.to_metric(loss))

    def _worst(self, means: FloatArray) -> int:
        return int(np.argmin(np.where(self.weights > 0.0, self._sign * means, np.inf)))

    def _poorest(self, draws: FloatArray) -> FloatArray:
        """The worst group's metric in each draw [draws]."""
        counted = self._sign * draws[self.weights > 0.0]
        return np.asarray(self._sign * counted.min(axis=0))

    def _change(self, now: float, after: float, differences: FloatArray) -> MetricChange:
        """differences [draws]: their spread is what is not known of the change, widened as the record has it."""
        mean = self._sign * (after - now)
        gains = mean + self.widening * self._sign * (differences - differences.mean())
        p05, p95 = quantiles(gains, (0.05, 0.95))
        return MetricChange(now, after, Gain(mean, float(p05), float(p95), chance_above_zero(gains)))
