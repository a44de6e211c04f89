"""What a plan is made of: money, groups, and what it is worth beside simple rules."""

from dataclasses import dataclass
from decimal import Decimal

from tranche.answers import Estimate, Json, known
from tranche.rows import Row, banded


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
    def of(cls, answer: Json) -> "GroupPlan":
        now, after = Estimate.of(answer["metric_now"]), Estimate.of(answer["metric_after"])
        return known(cls, answer, cost=Decimal(answer["cost"]), metric_now=now, metric_after=after)

    def row(self) -> Row:
        named = {name: getattr(self, name) for name in ("group", "count", "pending", "count_after", "add", "cost")}
        now, after = banded("metric_now", self.metric_now), banded("metric_after", self.metric_after)
        return {**named, **now, **after, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Stop:
    """How much of the money is worth spending, and what the whole of it buys."""

    stop: bool
    worth_spending: Decimal
    gain: float
    worth: Decimal | None
    reason: str

    @classmethod
    def of(cls, answer: Json | None) -> "Stop | None":
        if answer is None:
            return None
        worth = None if answer["worth"] is None else Decimal(answer["worth"])
        return known(cls, answer, worth_spending=Decimal(answer["worth_spending"]), worth=worth)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to sign the plan: keep, measure, part, any or buy, in a sentence; the groups that it is about, and the
    `budget` up to which a part is to be bought. `changes` is what the plan brings in the metric's units, as the API has
    it."""

    kind: str
    sentence: str
    groups: tuple[str, ...] = ()
    budget: Decimal | None = None
    changes: Json | None = None

    @classmethod
    def of(cls, answer: Json | None) -> "Verdict | None":
        if answer is None:
            return None
        budget = None if answer.get("budget") is None else Decimal(answer["budget"])
        return known(cls, answer, groups=tuple(answer.get("groups", ())), budget=budget)


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
    def of(cls, answer: Json | None) -> "BudgetRatio | None":
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
    def of(cls, answer: Json | None) -> "SimpleRule | None":
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
