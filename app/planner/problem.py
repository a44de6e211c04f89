"""The question put to the planner, and its check (planner.md 3 and 4)."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.metric import Metric
from app.planner.objective import Objective, ObjectiveError
from app.planner.posterior import Posterior
from app.planner.sources import Market, Source
from app.planner.utility import Utility

MAX_BUDGET = 10**18
"""Millionths; a trillion of the currency. Whatever an order may cost then fits into 64 bits."""


class ProblemError(ValueError):
    """The problem contradicts itself; the message says what to change."""


@dataclass(frozen=True)
class Problem:
    """What is asked; arrays [groups] in the order of `keys`.

    weights ≥ 0, not all 0. held: counts now. targets: in the metric's units, nan = none.
    reference_loss: the loss of a constant predictor, used where a bound of the metric is open (else None).
    posterior: draws of the groups' curves, its groups in the same order. budget: millionths, ≥ 0.
    """

    keys: tuple[str, ...]
    weights: FloatArray
    held: FloatArray
    targets: FloatArray
    reference_loss: FloatArray | None
    metric: Metric
    objective: Objective
    posterior: Posterior
    sources: tuple[Source, ...]
    budget: int

    def __post_init__(self) -> None:
        groups = len(self.keys)
        if not groups:
            raise ProblemError("there is no group to plan for; add at least one")
        if len(set(self.keys)) != groups:
            raise ProblemError("a group's key occurs twice; keys must be unique")
        if self.posterior.keys != self.keys:
            raise ProblemError("the posterior's groups are not the problem's, in its order")
        for name in ("weights", "held", "targets"):
            if len(getattr(self, name)) != groups:
                raise ProblemError(f"{name} must have one entry for each of the {groups} groups")
        if not (np.all(np.isfinite(self.weights)) and np.all(self.weights >= 0) and np.any(self.weights > 0)):
            raise ProblemError("weights must be finite, at least 0, and one of them above 0")
        if not np.all(np.isfinite(self.held) & (self.held >= 0)):
            raise ProblemError("held counts must be finite and at least 0")
        if not 0 <= self.budget <= MAX_BUDGET:
            raise ProblemError(f"the budget is {self.budget} millionths; it must lie from 0 to {MAX_BUDGET}")
        try:
            self.objective.check(len(self.keys), int((~np.isnan(self.targets) & (self.weights > 0)).sum()))
        except ObjectiveError as error:
            raise ProblemError(str(error)) from error
        self._check_reference()
        self._check_sources()

    def _check_reference(self) -> None:
        if self.metric.span is not None:
            return
        reference = self.reference_loss
        if reference is None or len(reference) != len(self.keys):
            raise ProblemError("a metric with an open bound needs a reference_loss for each group")
        if not np.all(np.isfinite(reference) & (reference > 0)):
            raise ProblemError("every reference_loss must be finite and above 0")

    def _check_sources(self) -> None:
        if len({source.key for source in self.sources}) != len(self.sources):
            raise ProblemError("a source's key occurs twice; keys must be unique")
        for source in self.sources:
            if not 0 <= source.group < len(self.keys):
                raise ProblemError(f"source {source.key}: there is no group at index {source.group}")


@dataclass(frozen=True)
class Task:
    """A problem as the solvers see it: groups in the order of their keys, sources by group, price and key.

    This order is what makes ties, rounding and so the answer independent of the order a problem is posed in.
    order [groups]: positions of these groups in the problem. sources: keys in the market's order.
    """

    order: IntArray
    keys: tuple[str, ...]
    sources: tuple[Source, ...]
    held: FloatArray
    targets: FloatArray
    metric: Metric
    utility: Utility
    market: Market

    @classmethod
    def of(cls, problem: Problem) -> "Task":
        """The problem in the solvers' order, weights normalised."""
        order = np.array(sorted(range(len(problem.keys)), key=problem.keys.__getitem__), dtype=np.int64)
        place = np.argsort(order).tolist()
        market = Market.of(problem.sources, place, len(order), problem.budget)
        utility = Utility.of(
            problem.objective,
            problem.weights,
            problem.metric,
            problem.reference_loss,
            problem.targets,
            problem.held,
            replace(problem.posterior, warnings=()),
            order,
        )
        return cls(
            order=order,
            keys=tuple(problem.keys[at] for at in order),
            sources=tuple(problem.sources[at] for at in market.order),
            held=problem.held[order],
            targets=problem.targets[order],
            metric=problem.metric,
            utility=utility,
            market=market,
        )

    @cached_property
    def supplied(self) -> BoolArray:
        """The groups [groups] for which a source is listed."""
        return np.isin(np.arange(len(self.keys)), self.market.group)

    def metric_at(self, counts: FloatArray) -> FloatArray:
        """The predictive metric in its own units [groups, draws] at counts [groups]."""
        return self.metric.to_metric(self.utility.posterior.band(counts))
