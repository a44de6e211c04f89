"""What to buy next."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from tranche.answers import Estimate, Json, Remark, known, money
from tranche.display import plan_text
from tranche.notebook import plan_html
from tranche.plan_parts import Budget, BudgetRatio, GroupPlan, SimpleRule, Stop, Verdict
from tranche.rows import Row, Tabular

NO_ESTIMATES = ("best_simple_rule", "equal_budget_ratio")
"""What stands beside the estimates in an answer's `utility`."""


def shares_of(answer: Json) -> dict[str, float | None]:
    """The stakeholders' shares by name."""
    return {one["name"]: one["share"] for one in answer.get("stakeholders", ())}


@dataclass(frozen=True, slots=True, repr=False)
class Allocation(Tabular):
    """What to buy next; it prints as a table, and its rows are the groups. `verdict` says whether to.

    `stakeholders` are the shares of what each would gain were the plan made for it alone, None where that is nothing.
    `utility` has the keys now, after, equal, equal_spend and proportional; `orders` are samples by source, `verdicts`
    whether each is worth its price (buy, leave, undecided) and `break_even` up to which it would be; `binding`
    maps the constraints that hold the plan back to what one more unit of them would be worth; `equal_budget_ratio` is
    what equal counts would need to reach the same; `question` is what was asked for the plan. `excluded` maps the
    sources that the licence rule leaves out to what it has against them.
    """

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
    verdicts: Mapping[str, str] = field(default_factory=dict)
    break_even: Mapping[str, Decimal | None] = field(default_factory=dict)
    binding: Mapping[str, float | None] = field(default_factory=dict)
    stakeholders: Mapping[str, float | None] = field(default_factory=dict)
    stop: Stop | None = None
    verdict: Verdict | None = None
    question: Mapping[str, Any] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return plan_text(self)

    def _repr_html_(self) -> str:
        return plan_html(self)

    def to_dicts(self) -> list[Row]:
        return [plan.row() for plan in self.groups.values()]

    @property
    def add(self) -> Counter[str]:
        """Samples to collect per group; 0 for a group the answer does not list."""
        return Counter({key: plan.add for key, plan in self.groups.items()})

    @classmethod
    def of(cls, answer: Json, question: Json | None = None) -> "Allocation":
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
            verdicts={item["source"]: item["verdict"] for item in answer["sources"] if "verdict" in item},
            break_even={item["source"]: money(item.get("break_even")) for item in answer["sources"]},
            binding={item["bound"]: item["shadow_price"] for item in answer.get("binding", ())},
            stakeholders=shares_of(answer),
            stop=Stop.of(answer.get("stop")),
            verdict=Verdict.of(answer.get("verdict")),
            warnings=Remark.all_of(answer),
            question=dict(question or {}),
            excluded={item["source"]: because(item) for item in answer.get("excluded", ())},
        )


def because(excluded: Json) -> str:
    """What the licence rule has against a source, such as "commercial is forbidden, not allowed"."""
    return ", ".join(f"{one['term']} is {one['value']}, not {one['required']}" for one in excluded["because"])
