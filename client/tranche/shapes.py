"""What goes to the service and what comes back.

Money is a `Decimal`. Of an answer only the fields named here are read, so a newer service may send more.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Protocol, Self, TypeVar

Json = Mapping[str, Any]


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


_D = TypeVar("_D", bound=_Dataclass)


def known(cls: type[_D], answer: Json, **decoded: Any) -> _D:
    """`cls` from the fields of `answer` that it has; `decoded` replaces those that need more than copying."""
    named = {one.name: answer[one.name] for one in fields(cls) if one.name in answer}
    return cls(**{**named, **decoded})


@dataclass(frozen=True, slots=True)
class Metric:
    """A group's metric in one run and its error: `eval_size` for a proportion, `stderr` for any metric."""

    value: float
    stderr: float | None = None
    eval_size: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One evaluated training run. Runs scored on the same test samples share their `holdout`."""

    counts: Mapping[str, int]
    metrics: Mapping[str, Metric]
    external_id: str | None = None
    holdout: str | None = None
    recipe: str | None = None
    observed_at: datetime | None = None

    def to_json(self) -> Json:
        metrics = {group: _stated(metric) for group, metric in self.metrics.items()}
        return {**_stated(self), "counts": dict(self.counts), "metrics": metrics}


def _stated(item: _Dataclass) -> dict[str, Any]:
    named = {one.name: getattr(item, one.name) for one in fields(item)}
    return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Remark:
    """A warning of the service: a stable code and a sentence that says what to do."""

    code: str
    detail: str
    group: str | None = None
    source: str | None = None

    @classmethod
    def all_of(cls, answer: Json) -> tuple[Self, ...]:
        return tuple(known(cls, item) for item in answer["warnings"])


@dataclass(frozen=True, slots=True)
class Accepted:
    accepted: int
    duplicates: int
    data_version: int
    warnings: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class Project:
    id: str
    name: str
    currency: str
    data_version: int
    metric: Json
    objective: Json
    budget: Json


@dataclass(frozen=True, slots=True)
class Group:
    key: str
    name: str | None
    weight: float
    initial_count: int
    target: float | None = None
    min_count: int | None = None
    max_count: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """`group` is None for a source of several groups; `yields` are their shares of its delivered samples."""

    key: str
    group: str | None
    unit_cost: Decimal
    yields: Mapping[str, float] = field(default_factory=dict)
    min_order: int | None = None
    max_order: int | None = None
    lot_size: int | None = None
    max_total: int | None = None
    fixed_cost: Decimal = Decimal(0)
    acceptance_rate: float = 1.0
    quality: float = 1.0
    lead_time_days: int | None = None

    @classmethod
    def of(cls, answer: Json) -> Self:
        fixed_cost = Decimal(answer.get("fixed_cost", "0"))
        return known(cls, answer, unit_cost=Decimal(answer["unit_cost"]), fixed_cost=fixed_cost)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean and quantiles over the posterior; p05 to p95 is the 90 % interval. What was not sent is None."""

    mean: float
    p05: float
    p95: float
    p10: float | None = None
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p90: float | None = None

    @classmethod
    def of(cls, answer: Json | None) -> Self | None:
        return None if answer is None else known(cls, answer)

    @classmethod
    def each(cls, answers: Mapping[str, Any]) -> dict[str, Self]:
        return {name: known(cls, item) for name, item in answers.items() if item is not None}


@dataclass(frozen=True, slots=True)
class Budget:
    available: Decimal
    spend: Decimal
    unspent: Decimal
    remaining: Decimal


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """What one group gets: `add` accepted samples, beside `count` clean ones held and `pending` ones awaited, all of it
    `count_after`; the raw counts are of any quality. A metric is None as long as nothing was measured that could
    forecast it; `evaluation` says whether evaluation samples would help the decision more than training samples do."""

    group: str
    count: int
    add: int
    cost: Decimal
    metric_now: Estimate | None
    metric_after: Estimate | None
    reason: str
    pending: int = 0
    count_after: int | None = None
    raw_count: int | None = None
    raw_pending: int | None = None
    evaluation: Json | None = None

    @classmethod
    def of(cls, answer: Json) -> Self:
        now, after = Estimate.of(answer["metric_now"]), Estimate.of(answer["metric_after"])
        return known(cls, answer, cost=Decimal(answer["cost"]), metric_now=now, metric_after=after)


@dataclass(frozen=True, slots=True)
class Stop:
    """How much of the money is worth spending, and what the whole of it buys."""

    stop: bool
    worth_spending: Decimal
    gain: float
    worth: Decimal | None
    reason: str

    @classmethod
    def of(cls, answer: Json | None) -> Self | None:
        if answer is None:
            return None
        worth = None if answer["worth"] is None else Decimal(answer["worth"])
        return known(cls, answer, worth_spending=Decimal(answer["worth_spending"]), worth=worth)


@dataclass(frozen=True, slots=True)
class Gain:
    """Utility over another's on the same draws, and the chance that it is higher."""

    mean: float
    p05: float
    p95: float
    p_better: float


@dataclass(frozen=True, slots=True)
class BudgetRatio:
    """How many times the plan's money a rule would need to reach what the plan reaches, with a 90 % interval; None:
    more than 8 times."""

    mean: float | None
    p05: float | None
    p95: float | None

    @classmethod
    def of(cls, answer: Json | None) -> Self | None:
        return None if answer is None else known(cls, answer)


@dataclass(frozen=True, slots=True)
class SimpleRule:
    """The simple rule of the highest expected utility, the plan's gain over it, and what the plan is worth beside."""

    policy: str
    utility: Estimate
    gain: Gain
    budget_ratio: BudgetRatio | None
    finding: str

    @classmethod
    def of(cls, answer: Json | None) -> Self | None:
        if answer is None:
            return None
        ratio = BudgetRatio.of(answer["budget_ratio"])
        return known(
            cls,
            answer,
            utility=known(Estimate, answer["utility"]),
            gain=known(Gain, answer["gain"]),
            budget_ratio=ratio,
        )


NO_ESTIMATES = ("best_simple_rule", "equal_budget_ratio")
"""What stands beside the estimates in an answer's `utility`."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What to buy next. `utility` has the keys now, after, equal, equal_spend and proportional; `orders` are samples by
    source; `binding` maps the constraints that hold the plan back to what one more unit of them would be worth.
    `equal_budget_ratio`: what equal counts would need to reach the same."""

    round: int
    policy: str
    data_version: int
    seed: int
    budget: Budget
    utility: Mapping[str, Estimate]
    groups: Mapping[str, GroupPlan]
    warnings: tuple[Remark, ...]
    best_simple_rule: SimpleRule | None = None
    equal_budget_ratio: BudgetRatio | None = None
    shadow_price: float | None = None
    unspent_reason: str | None = None
    orders: Mapping[str, int] = field(default_factory=dict)
    binding: Mapping[str, float | None] = field(default_factory=dict)
    stop: Stop | None = None

    @property
    def add(self) -> Counter[str]:
        """Samples to buy per group; 0 for a group the answer does not list."""
        return Counter({key: plan.add for key, plan in self.groups.items()})

    @classmethod
    def of(cls, answer: Json) -> Self:
        utility = dict(answer["utility"] or {})
        return known(
            cls,
            answer,
            best_simple_rule=SimpleRule.of(utility.pop("best_simple_rule", None)),
            equal_budget_ratio=BudgetRatio.of(utility.pop("equal_budget_ratio", None)),
            utility=Estimate.each(utility),
            budget=Budget(**{one.name: Decimal(answer["budget"][one.name]) for one in fields(Budget)}),
            groups={item["group"]: GroupPlan.of(item) for item in answer["groups"]},
            orders={item["source"]: item["order"] for item in answer["sources"]},
            binding={item["bound"]: item["shadow_price"] for item in answer.get("binding", ())},
            stop=Stop.of(answer.get("stop")),
            warnings=Remark.all_of(answer),
        )


@dataclass(frozen=True, slots=True)
class Parameter:
    """A curve's parameter over the posterior; None for a number that is not finite."""

    mean: float | None
    p05: float | None
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """A group's learning curve: `bands` maps each requested count to the metric expected there, `now` is the metric
    with the `count` clean samples held and the `pending` ones awaited."""

    group: str
    count: int
    pending: int
    now: Estimate
    parameters: Mapping[str, Parameter]
    bands: Mapping[int, Estimate]
    points: tuple[Json, ...]
    warnings: tuple[Remark, ...]

    @classmethod
    def of(cls, answer: Json) -> Self:
        return known(
            cls,
            answer,
            parameters={name: known(Parameter, item) for name, item in answer["parameters"].items()},
            now=known(Estimate, answer["now"]),
            bands={item["count"]: known(Estimate, item) for item in answer["bands"]},
            points=tuple(answer["points"]),
            warnings=Remark.all_of(answer),
        )
