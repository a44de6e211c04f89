"""The shape of a plan: groups, sources, utility, bounds and how near it is to the best one (method.md 6).

Notation: k groups in the order of `Problem.keys`; money is in whole millionths of the currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.planner.arrays import FloatArray
from app.planner.plan.decide import Rule
from app.planner.plan.shadow_prices import BoundPrice
from app.planner.policies.policy import PolicyName
from app.planner.wording import Warning


@dataclass(frozen=True)
class Interval:
    """A mean with the 5 % and 95 % quantiles over draws."""

    mean: float
    p05: float
    p95: float


@dataclass(frozen=True)
class Band:
    """A metric's predictive mean and quantiles, in the metric's units."""

    mean: float
    p05: float
    p50: float
    p95: float


@dataclass(frozen=True)
class BudgetRatio:
    """How many times the plan's money a rule would need to reach what the plan reaches: by the means over the curves,
    with the 5 % and 95 % quantiles of how it may turn out; inf: more than was tried."""

    mean: float
    p05: float
    p95: float


@dataclass(frozen=True)
class Gain:
    """By how much one utility exceeds another over the same draws: mean, 5 % and 95 % quantile, and the chance that it
    does."""

    mean: float
    p05: float
    p95: float
    p_better: float


@dataclass(frozen=True)
class SimpleRule:
    """The simple rule of the highest expected utility, for the same money.

    orders: its own, by the sources that get one. gain: of the plan over it. budget_ratio: None where the plan spends
    nothing. finding: what the plan is worth beside simple rules, in a sentence; empty where it is this rule, or nothing
    is bought.
    """

    policy: PolicyName
    orders: Mapping[str, int]
    utility: Interval
    gain: Gain
    budget_ratio: BudgetRatio | None
    finding: str


@dataclass(frozen=True)
class UtilitySummary:
    """Utility now, with the plan, and with each simple rule, over the same draws.

    gain, gain_equal: of the plan, and of equal counts, over now. equal_budget_ratio: what equal counts would need to
    reach the same; None where the plan spends nothing.
    """

    now: Interval
    after: Interval
    equal: Interval
    equal_spend: Interval
    proportional: Interval
    gain: Gain
    gain_equal: Gain
    best_simple_rule: SimpleRule
    equal_budget_ratio: BudgetRatio | None


@dataclass(frozen=True)
class Optimality:
    """How far the plan can be from the best one: a proven bound, relative to max(|U* − U(now)|, 1e-9).

    proof: one sentence that says how the gap is known.
    """

    gap: float
    method: str
    proof: str


@dataclass(frozen=True)
class GroupPlan:
    """One group's part. cost in millionths; marginals in utility per currency unit, None without a source.

    In clean samples: count, held now; pending, expected from orders placed but not delivered, the plan builds on both;
    count_after, with what it buys too. Whatever their quality: raw_count, raw_pending, and add, the accepted samples
    that it buys. metric_now: at count and pending.
    """

    key: str
    count: int
    pending: int
    count_after: int
    raw_count: int
    raw_pending: int
    add: int
    cost: int
    metric_now: Band
    metric_after: Band
    marginal_now: float | None
    marginal_after: float | None
    reason: str

    @property
    def count_now(self) -> int:
        """Clean samples held or awaited."""
        return self.count + self.pending


@dataclass(frozen=True)
class SourcePlan:
    """One source's order in samples, how many of them are expected to pass and be of a known group, the groups it
    feeds, its cost in millionths, and which limits decided it."""

    key: str
    groups: tuple[str, ...]
    order: int
    accepted: int
    cost: int
    binding: tuple[str, ...]

    @property
    def group(self) -> str:
        """The first group it feeds, the only one of a plain source."""
        return self.groups[0]


@dataclass(frozen=True)
class Relaxed:
    """The optimum were samples divisible: orders [sources] in the order of `Problem.sources`, and its utility.

    gap: proven bound on what a better divisible answer could gain, in utility.
    """

    orders: FloatArray
    utility: float
    gap: float


@dataclass(frozen=True)
class StakeholderShare:
    """How a stakeholder fares under the plan. share: of what it would gain were the plan made for it alone (1); below 0
    where it loses, None where it can gain nothing.
    """

    name: str
    share: float | None


@dataclass(frozen=True)
class Plan:
    """What to buy and why; groups and sources in the order of the problem's.

    spend + unspent = budget, in millionths. shadow_price: utility per further currency unit, None where nothing
    more could be bought. unspent_reason: None where nothing is left. bounds: the constraints that bind.
    explored: millionths of the spend that went to learning. draw_seed: which draw `thompson` took, else None.
    optimum [groups]: the counts that `optimal` leads to when all the money is its own, None where that was not asked.
    stakeholders: in the order of `Problem.stakeholders`.
    """

    policy: Rule
    groups: tuple[GroupPlan, ...]
    sources: tuple[SourcePlan, ...]
    spend: int
    unspent: int
    unspent_reason: str | None
    utility: UtilitySummary
    shadow_price: float | None
    optimality: Optimality
    relaxed: Relaxed
    warnings: tuple[Warning, ...]
    bounds: tuple[BoundPrice, ...] = ()
    explored: int = 0
    draw_seed: int | None = None
    optimum: FloatArray | None = None
    stakeholders: tuple[StakeholderShare, ...] = ()
