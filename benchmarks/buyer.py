"""A project in one process: what the service makes of posted runs and a question, without HTTP and a database.

Runs are read and fitted by the service's own `fit_now`, plans are made with the defaults of the API, so that another
checkout of the repository plays as its service would (one from after `fit_now` took a basis). What the record of past
forecasts adds is left out: it needs a database.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves import Posterior
from app.planner.plan import Plan, make_plan
from app.planner.policies import PolicyName
from app.planner.policies.table import POLICIES
from app.planner.problem import Problem
from app.planner.problem.sources import Source
from app.planner.simulation.game import unknown
from app.planner.utility import Metric, Objective
from app.services.curves.basis import Basis, BasisGroup
from app.services.curves.fit import fit_now
from app.services.curves.fits import DRAWS, SEED, Fitted
from app.services.curves.prior import prior_for
from app.services.curves.runs import EPOCH, runs_of_rows
from app.services.planning.allocations import AllocationQuestion
from app.services.projects.metrics import ModelName
from app.store.models.observations import Observation

MILLION = 1_000_000
UTILITIES = {
    "mean": Objective("utilitarian"),
    "log": Objective("isoelastic", aversion=1.0),
    "worst": Objective("maximin"),
}
ACCURACY = Metric("maximize", 0.0, 1.0)
MetricKind = Literal["proportion", "other"]


@dataclass(frozen=True)
class Terms:
    """What is bought and what for; arrays [groups]. room: the most that can be held, inf for any. metric_kind: a
    `proportion`'s error is made of the number of examples. reference: losses of a constant predictor, None for 1."""

    keys: tuple[str, ...]
    price: FloatArray
    room: FloatArray
    metric: Metric = ACCURACY
    metric_kind: MetricKind = "proportion"
    reference: FloatArray | None = None


@dataclass
class Buyer:
    """One project under way: `post` runs, `fit`, and ask for a plan. targets [groups]: None for none. model: joint, one
    for all groups, or separate."""

    terms: Terms
    objective: Objective
    targets: FloatArray | None = None
    model: ModelName = "separate"
    runs: list[Observation] = field(default_factory=list)

    def post(self, counts: FloatArray, values: FloatArray, errors: Sequence[dict[str, float]]) -> None:
        """A run with its metric by group, nan where it was not measured; errors: `stderr` or `eval_size` of each."""
        keys, number = self.terms.keys, len(self.runs)
        told = zip(keys, values.tolist(), errors, strict=True)
        self.runs.append(
            Observation(
                id=UUID(int=number + 1),
                counts={key: int(count) for key, count in zip(keys, counts, strict=True)},
                metrics={key: {"value": value, **error} for key, value, error in told if np.isfinite(value)},
                content_hash=f"{number:064d}",
                holdout="test",
                observed_at=EPOCH,
                data_version=1,
            )
        )

    def post_again(self) -> None:
        """The last run once more, under another id."""
        last, number = self.runs[-1], len(self.runs)
        said = ("counts", "metrics", "content_hash", "holdout", "observed_at", "data_version")
        self.runs.append(Observation(id=UUID(int=number + 1), **{name: getattr(last, name) for name in said}))

    def fit(self, held: FloatArray) -> Fitted:
        """The curves of all runs so far; held [groups]."""
        metric = self.terms.metric
        groups = tuple(
            BasisGroup(number, key, None, None, None, float(count))
            for number, (key, count) in enumerate(zip(self.terms.keys, held, strict=True))
        )
        basis = Basis("default", self.terms.metric_kind, metric.goal, metric.lower, metric.upper, groups, self.model)
        return fit_now(basis, runs_of_rows(self.runs), DRAWS, SEED)

    def problem(
        self, held: FloatArray, money: float, posterior: Posterior, weights: FloatArray | None = None
    ) -> Problem:
        """What to buy for `money`; weights [groups]: None for equal ones."""
        terms, groups = self.terms, len(self.terms.keys)
        most = [None if np.isinf(room) else int(room) for room in np.maximum(terms.room - held, 0.0)]
        return Problem(
            keys=terms.keys,
            weights=np.ones(groups) if weights is None else weights,
            held=held,
            targets=np.full(groups, np.nan) if self.targets is None else self.targets,
            reference_loss=np.ones(groups) if terms.reference is None else terms.reference,
            metric=terms.metric,
            objective=self.objective,
            posterior=posterior,
            sources=tuple(
                Source(key, ((at, 1.0),), round(terms.price[at] * MILLION), max_total=most[at])
                for at, key in enumerate(terms.keys)
            ),
            budget=round(money * MILLION),
        )

    def plan(self, held: FloatArray, money: float, policy: PolicyName = "optimal", **more: Any) -> Plan:
        """The service's plan; policies that need no curve are not given any. more: `weights`."""
        if POLICIES[policy].needs_curves:
            posterior = self.fit(held).posterior
        else:
            span = self.terms.metric.span
            posterior = unknown(self.terms.keys, span, prior_for(span))
        exploration = AllocationQuestion().exploration if policy == "optimal" else 0.0
        return make_plan(self.problem(held, money, posterior, **more), policy, exploration=exploration, seed=SEED)


def added(plan: Plan) -> FloatArray:
    """Samples bought [groups]."""
    return np.array([float(group.add) for group in plan.groups])


def chance_said(plan: Plan) -> float:
    """The chance that the plan is said to beat the best simple rule with; checkouts that know none say it of equal
    counts."""
    rule: Any = getattr(plan.utility, "best_simple_rule", None)
    said: Any = plan.utility
    return float(rule.gain.p_better if rule else said.p_better_than_equal)
