"""The question put to the planner, and its check (method.md 5 and 6)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Posterior
from app.planner.errors import ProblemError
from app.planner.problem.sources import Source
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective, ObjectiveError
from app.planner.utility.stakeholders import Stakeholder

MAX_BUDGET = 10**18
"""Millionths; a trillion of the currency. Whatever an order may cost then fits into 64 bits."""


@dataclass(frozen=True)
class Limit:
    """A limit over a named set: of sources, this round's orders; of groups, the raw counts after buying.

    members: indices into Problem.sources or Problem.keys. measure: cost, cost_share and orders only over sources, cost
    in millionths; orders: how many of the members get an order. share_of: a share is of these members' sum, None: of
    everything's.
    """

    name: str
    over: Literal["sources", "groups"]
    members: tuple[int, ...]
    measure: Literal["cost", "count", "cost_share", "count_share", "orders"]
    share_of: tuple[int, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        """Raises ProblemError where it limits nothing, or its bounds cannot be."""
        if not self.members:
            raise ProblemError(f"limit {self.name}: it names no {self.over}; name at least one")
        if self.over == "groups" and self.measure in ("cost", "cost_share", "orders"):
            raise ProblemError(f"limit {self.name}: {self.measure} can only be limited over sources")
        if self.minimum is None and self.maximum is None:
            raise ProblemError(f"limit {self.name}: it needs a min or a max")
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        most = 1.0 if self.is_share else np.inf
        if any(not 0.0 <= bound <= most for bound in bounds):
            raise ProblemError(
                f"limit {self.name}: min and max must be at least 0" + ", a share at most 1" * self.is_share
            )
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise ProblemError(f"limit {self.name}: min is {bounds[0]:g}, above max {bounds[1]:g}")
        if self.measure == "orders":
            self._check_orders(bounds)

    def _check_orders(self, bounds: list[float]) -> None:
        """Raises ProblemError where they are no whole numbers, or more orders are asked for than there are members."""
        if any(bound % 1.0 for bound in bounds):
            raise ProblemError(f"limit {self.name}: min and max of orders must be whole numbers")
        if self.minimum is not None and self.minimum > len(self.members):
            raise ProblemError(
                f"limit {self.name}: min is {self.minimum:g}, but it names {len(self.members)} sources; name more"
            )

    @property
    def is_share(self) -> bool:
        """Whether it limits a share instead of an amount."""
        return self.measure in ("cost_share", "count_share")


@dataclass(frozen=True)
class Problem:
    """What is asked; arrays [groups] in the order of `keys`.

    weights ≥ 0, not all 0. held: effective counts now (accepted × quality). targets: in the metric's units, nan = none.
    reference_loss: the loss of a constant predictor, used where a bound of the metric is open (else None).
    posterior: draws of the groups' curves, its groups in the same order. budget: millionths, ≥ 0.
    raw: accepted samples now, None = held. pending, pending_raw: expected from orders placed but not delivered,
    effective and raw; None = 0, and raw as effective. min_count, max_count: bounds on the raw count after buying,
    pending included; nan = none; what exceeds max_count already buys no more. stakeholders: who else judges plans, and
    whom `compromise` serves. widening: by what the record of past forecasts widens 90 % intervals. payable: the
    smallest amount that can be paid, in millionths, to which sentences round. optimism: by how much the metric may look
    better than it is, which chances of targets take off; None = 0.
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
    raw: FloatArray | None = None
    pending: FloatArray | None = None
    pending_raw: FloatArray | None = None
    min_count: FloatArray | None = None
    max_count: FloatArray | None = None
    limits: tuple[Limit, ...] = ()
    stakeholders: tuple[Stakeholder, ...] = ()
    widening: float = 1.0
    payable: int = 1
    optimism: FloatArray | None = None

    def __post_init__(self) -> None:
        """Raises ProblemError where the parts do not fit together."""
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
        self._check_stakeholders()
        self._check_reference()
        self._check_sources()
        self._check_counts()
        self._check_limits()

    @property
    def hurdles(self) -> FloatArray:
        """What the metric must look like for a group to be at its target [groups], within the metric's bounds."""
        if self.optimism is None:
            return self.targets
        raised = self.optimism if self.metric.goal == "maximize" else -self.optimism
        return self.metric.within(self.targets + raised)

    def _check_stakeholders(self) -> None:
        """Raises ProblemError where a name occurs twice, weights do not fit, or a compromise serves nobody."""
        if len({one.name for one in self.stakeholders}) != len(self.stakeholders):
            raise ProblemError("a stakeholder's name occurs twice; names must be unique")
        if self.objective.kind == "compromise" and not self.stakeholders:
            raise ProblemError("the objective compromise needs stakeholders; name at least one")
        for one in self.stakeholders:
            weights = one.weighing(self.weights)
            if len(weights) != len(self.keys):
                raise ProblemError(
                    f"stakeholder {one.name}: it needs one weight for each of the {len(self.keys)} groups"
                )
            if not (np.all(np.isfinite(weights)) and np.all(weights >= 0) and np.any(weights > 0)):
                raise ProblemError(
                    f"stakeholder {one.name}: weights must be finite, at least 0, and one of them above 0"
                )
            try:
                one.objective.check(len(self.keys), int((~np.isnan(self.targets) & (weights > 0)).sum()))
            except ObjectiveError as error:
                raise ProblemError(f"stakeholder {one.name}: {error}") from error

    def _check_reference(self) -> None:
        """Raises ProblemError where an open metric has no reference loss."""
        if self.metric.span is not None:
            return
        reference = self.reference_loss
        if reference is None or len(reference) != len(self.keys):
            raise ProblemError("a metric with an open bound needs a reference_loss for each group")
        if not np.all(np.isfinite(reference) & (reference > 0)):
            raise ProblemError("every reference_loss must be finite and above 0")

    def _check_sources(self) -> None:
        """Raises ProblemError where a key occurs twice or a yield's group is unknown."""
        if len({source.key for source in self.sources}) != len(self.sources):
            raise ProblemError("a source's key occurs twice; keys must be unique")
        for source in self.sources:
            for group, _ in source.yields:
                if not 0 <= group < len(self.keys):
                    raise ProblemError(f"source {source.key}: there is no group at index {group}")

    def _check_counts(self) -> None:
        """Raises ProblemError where counts are missing or below 0."""
        for name in ("raw", "pending", "pending_raw", "min_count", "max_count"):
            values = getattr(self, name)
            if values is None:
                continue
            if len(values) != len(self.keys):
                raise ProblemError(f"{name} must have one entry for each of the {len(self.keys)} groups")
            known = values[~np.isnan(values)] if name in ("min_count", "max_count") else values
            if not np.all(np.isfinite(known) & (known >= 0)):
                raise ProblemError(f"{name} must be finite and at least 0")

    def _check_limits(self) -> None:
        """Raises ProblemError where a name occurs twice or a member is unknown."""
        if len({limit.name for limit in self.limits}) != len(self.limits):
            raise ProblemError("a limit's name occurs twice; names must be unique")
        for limit in self.limits:
            most = len(self.sources if limit.over == "sources" else self.keys)
            if not all(0 <= member < most for member in (*limit.members, *(limit.share_of or ()))):
                raise ProblemError(f"limit {limit.name}: it names {limit.over} that do not exist")
