"""The next allocation: what the next round should buy."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import ConfigDict, WithJsonSchema

from app.api.common import Call, Route, question_tag, reads
from app.api.curves import Draws, Seed
from app.api.inputs import MONEY_PATTERN, Answer, MoneyOut, read_money
from app.api.observations import WarningOut
from app.errors import Fault, invalid
from app.services.allocations import Allocation, GroupPlan, Question, amount, next_allocation
from app.store.models import Project

router = APIRouter(prefix="/v1/projects/{project_id}/allocations", tags=["allocations"], route_class=Route)

PolicyName = Literal["optimal", "equal", "equal_spend", "proportional"]


class IntervalOut(Answer):
    """A mean with its 90 % interval over the posterior's draws."""

    mean: float
    p05: float
    p95: float


class MetricOut(Answer):
    """The metric in its own units: mean, median and 90 % interval."""

    mean: float
    p05: float
    p50: float
    p95: float


class UtilityOut(Answer):
    """The objective's value now, with this plan, and with each heuristic, over the same draws."""

    now: IntervalOut
    after: IntervalOut
    equal: IntervalOut
    equal_spend: IntervalOut
    proportional: IntervalOut
    p_better_than_equal: float


class MarginalOut(Answer):
    """Utility per currency unit spent on one more sample; null for a group that nothing delivers."""

    now: float | None
    after: float | None


class RoundBudgetOut(Answer):
    """`available` for this round, of which `spend` and `unspent`; `remaining` of the project after it."""

    available: MoneyOut
    spend: MoneyOut
    unspent: MoneyOut
    remaining: MoneyOut


class OptimalityOut(Answer):
    """How far from the best answer this can be, as a share of the whole gain, and how that is known."""

    gap: float
    method: str


class GroupPlanOut(Answer):
    """What to add to a group. Metrics and marginals are null where nothing is known of the metric yet."""

    group: str
    count: int
    add: int
    cost: MoneyOut
    metric_now: MetricOut | None
    metric_after: MetricOut | None
    marginal_utility_per_cost: MarginalOut
    reason: str


class SourcePlanOut(Answer):
    """What to order where; `binding` names the limits that decided it."""

    source: str
    group: str
    order: int
    cost: MoneyOut
    binding: list[str]


EXAMPLE: dict[str, Any] = {
    "round": 1,
    "policy": "optimal",
    "data_version": 42,
    "data_at": "2026-11-20T10:00:00Z",
    "seed": 0,
    "draws": 300,
    "currency": "USD",
    "budget": {"available": "2000.00", "spend": "1999.20", "unspent": "0.80", "remaining": "18000.80"},
    "unspent_reason": "less than the cheapest sample",
    "utility": {
        "now": {"mean": 0.81, "p05": 0.80, "p95": 0.82},
        "after": {"mean": 0.84, "p05": 0.82, "p95": 0.86},
        "equal": {"mean": 0.83, "p05": 0.81, "p95": 0.85},
        "equal_spend": {"mean": 0.83, "p05": 0.81, "p95": 0.85},
        "proportional": {"mean": 0.82, "p05": 0.81, "p95": 0.84},
        "p_better_than_equal": 0.97,
    },
    "shadow_price": 0.0000134,
    "optimality": {"gap": 0.0, "method": "multiplier"},
    "groups": [
        {
            "group": "Black_Female",
            "count": 40,
            "add": 610,
            "cost": "976.00",
            "metric_now": {"mean": 0.84, "p05": 0.82, "p50": 0.84, "p95": 0.86},
            "metric_after": {"mean": 0.90, "p05": 0.86, "p50": 0.90, "p95": 0.93},
            "marginal_utility_per_cost": {"now": 0.00021, "after": 0.0000134},
            "reason": "Its curve is the steeper: a further sample improves it more than others'.",
        }
    ],
    "sources": [
        {
            "source": "Black_Female",
            "group": "Black_Female",
            "order": 610,
            "cost": "976.00",
            "binding": ["budget"],
        }
    ],
    "warnings": [
        {
            "code": "few_points",
            "group": "Black_Female",
            "source": None,
            "detail": "Measured at 2 sizes only; train on nested subsets of at least 3.",
        }
    ],
}


class AllocationOut(Answer):
    """What to buy in the next round, why, how sure, and how simple splits of the same money would do."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    round: int
    policy: PolicyName
    data_version: int
    data_at: datetime
    seed: int
    draws: int
    currency: str
    budget: RoundBudgetOut
    unspent_reason: str | None
    utility: UtilityOut | None
    shadow_price: float | None
    optimality: OptimalityOut
    groups: list[GroupPlanOut]
    sources: list[SourcePlanOut]
    warnings: list[WarningOut]


def allocation_shape(project: Project, question: Question, answer: Allocation, only_bought: bool) -> AllocationOut:
    plan, known = answer.plan, answer.known
    spend = amount(plan.spend)
    return AllocationOut(
        round=answer.round,
        policy=plan.policy,
        data_version=project.data_version,
        data_at=project.data_at,
        seed=question.seed,
        draws=question.draws,
        currency=project.currency,
        budget=RoundBudgetOut(
            available=answer.budget.available,
            spend=spend,
            unspent=amount(plan.unspent),
            remaining=answer.budget.remaining - spend,
        ),
        unspent_reason=plan.unspent_reason,
        utility=UtilityOut.model_validate(plan.utility) if known else None,
        shadow_price=plan.shadow_price if known else None,
        optimality=OptimalityOut.model_validate(plan.optimality),
        groups=[group_shape(group, known) for group in plan.groups if group.add or not only_bought],
        sources=[
            SourcePlanOut(
                source=one.key,
                group=one.group,
                order=one.order,
                cost=amount(one.cost),
                binding=list(one.binding),
            )
            for one in plan.sources
            if one.order or not only_bought
        ],
        warnings=[WarningOut.model_validate(warning) for warning in answer.warnings],
    )


def group_shape(group: GroupPlan, known: bool) -> GroupPlanOut:
    return GroupPlanOut(
        group=group.key,
        count=group.count,
        add=group.add,
        cost=amount(group.cost),
        metric_now=MetricOut.model_validate(group.metric_now) if known else None,
        metric_after=MetricOut.model_validate(group.metric_after) if known else None,
        marginal_utility_per_cost=MarginalOut(
            now=group.marginal_now if known else None, after=group.marginal_after if known else None
        ),
        reason=group.reason,
    )


def read_budget(text: str | None) -> Decimal | None:
    try:
        return None if text is None else read_money(text)
    except ValueError as error:
        raise invalid(Fault("?budget", str(error))) from None


Budget = Annotated[
    str | None,
    Query(max_length=50, description="Money for this round; left out: the project's rest shared by its rounds"),
    WithJsonSchema({"type": "string", "pattern": MONEY_PATTERN}),
]


@router.get("/next", summary="Ask what to buy next")
def read_next_allocation(
    project_id: str,
    call: Annotated[Call, reads("read")],
    budget: Budget = None,
    policy: Annotated[PolicyName, Query(description="How to split; 'optimal' or a heuristic")] = "optimal",
    draws: Draws = 300,
    seed: Seed = 0,
    groups: Annotated[
        Literal["all", "bought"], Query(description="All groups, or only those that get something")
    ] = "all",
) -> AllocationOut:
    """It changes nothing. The same data and query give the same bytes."""
    question = Question(read_budget(budget), policy, draws, seed)
    project = call.project(project_id)
    call.unless_matched(question_tag(project, question, groups))
    answer = next_allocation(call.session, call.runtime.fits, project, question)
    return allocation_shape(project, question, answer, groups == "bought")
