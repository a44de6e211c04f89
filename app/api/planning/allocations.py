"""The next allocation: what the next round should buy."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import WithJsonSchema

from app.api.http.answers import Draws, Seed, WarningOut
from app.api.http.etags import question_tag
from app.api.http.problems import declared
from app.api.http.shapes import MONEY_PATTERN, Answer, MoneyOut, count_of, read_money
from app.api.http.transactions import Call, Route, reads
from app.api.planning.plans import (
    BudgetShare,
    GroupPlanOut,
    OptimalityOut,
    Policy,
    SourcePlanOut,
    StakeholderShareOut,
    StopOut,
    UtilityOut,
    group_shape,
    source_plan_shape,
    stakeholder_shapes,
    stop_shape,
)
from app.api.planning.verdicts import VerdictOut, verdict_shape
from app.api.projects.licences import ExcludedOut
from app.api.projects.objectives import Objective
from app.errors import Fault, Infeasible, TooManyComputations, invalid
from app.money import amount
from app.services.curves.fits import DRAWS, SEED
from app.services.planning.allocations import Allocation, AllocationQuestion, next_allocation
from app.services.planning.policies import PolicyName
from app.services.projects.keys import normal_key
from app.store.models.projects import Project

router = APIRouter(prefix="/v1/projects/{project_id}/allocations", tags=["allocations"], route_class=Route)


class RoundBudgetOut(BudgetShare):
    """`available` for this round, of which `spend` and `unspent`, and of the former `explored` for learning;
    `remaining` of the project after it."""

    explored: MoneyOut
    remaining: MoneyOut


class BoundOut(Answer):
    """A constraint that holds the plan back, as a pointer like those of infeasible constraints, and what one unit more
    room would be worth in utility: a currency unit, a sample, or 1 of a share."""

    bound: str
    shadow_price: float


class AllocationOut(Answer):
    """What to buy in the next round, why, how sure, and how simple splits of the same money would do. `binding` are the
    constraints that hold it back. `verdict` says whether to sign it; rounds proposed before there were verdicts have
    none. `stop` says when to stop buying, where the project has a `value_per_utility` or a `smallest_gain`. `excluded`
    are the sources from which the project's `licence_rule` allows no order. `draw_seed`
    says which draw the policy `thompson` took; `exploration` is null where it was left out."""

    round: int
    policy: PolicyName
    exploration: float | None
    objective: Objective
    data_version: int
    data_at: datetime
    seed: int
    draw_seed: int | None
    draws: int
    currency: str
    budget: RoundBudgetOut
    unspent_reason: str | None
    utility: UtilityOut | None
    shadow_price: float | None
    optimality: OptimalityOut
    binding: list[BoundOut]
    groups: list[GroupPlanOut]
    sources: list[SourcePlanOut]
    verdict: VerdictOut | None
    stakeholders: list[StakeholderShareOut]
    excluded: list[ExcludedOut]
    stop: StopOut | None
    warnings: list[WarningOut]


def allocation_shape(
    project: Project, question: AllocationQuestion, answer: Allocation, only_bought: bool
) -> AllocationOut:
    plan, known = answer.plan, answer.known
    spend = amount(plan.spend)
    return AllocationOut.of(
        plan,
        question,
        answer,
        project,
        budget=RoundBudgetOut(
            available=answer.budget.available,
            spend=spend,
            unspent=amount(plan.unspent),
            explored=amount(plan.explored),
            remaining=answer.budget.remaining - spend,
        ),
        utility=plan.utility if known else None,
        shadow_price=plan.shadow_price if known else None,
        binding=[BoundOut(bound=bound, shadow_price=price) for bound, price in answer.bounds.items()] if known else [],
        groups=[
            group_shape(group, known, answer.evaluation.get(group.key))
            for group in plan.groups
            if group.add or not only_bought
        ],
        sources=[
            source_plan_shape(one, answer.verdicts[one.key]) for one in plan.sources if one.order or not only_bought
        ],
        verdict=verdict_shape(project, answer),
        stakeholders=stakeholder_shapes(plan, known),
        stop=stop_shape(answer.stop),
        warnings=answer.warnings,
    )


def allocation_json(project: Project, question: AllocationQuestion, answer: Allocation) -> dict[str, Any]:
    """The whole answer as it is stored with the round that it becomes."""
    return allocation_shape(project, question, answer, only_bought=False).model_dump(mode="json")


def read_budget(text: str | None) -> Decimal | None:
    """An amount, None where none is given. Raises Invalid."""
    try:
        return None if text is None else read_money(text)
    except ValueError as error:
        raise invalid(Fault("?budget", str(error))) from None


def read_hold(parts: Sequence[str]) -> dict[str, int]:
    """Orders by source from texts such as 'clinic-7:500'. Raises Invalid."""
    hold: dict[str, int] = {}
    for part in parts:
        text, _, last = part.rpartition(":")
        key, count = normal_key(text), count_of(last.strip())
        if not key or count is None:
            raise invalid(Fault("?hold", "give SOURCE:ORDER, such as clinic-7:500; repeat it for several sources"))
        if key in hold:
            raise invalid(Fault("?hold", f"'{key}' is named twice"))
        hold[key] = count
    return dict(sorted(hold.items()))


Budget = Annotated[
    str | None,
    Query(max_length=50, description="Money for this round; left out: the project's rest shared by its rounds"),
    WithJsonSchema({"type": "string", "pattern": MONEY_PATTERN}),
]


Hold = Annotated[
    list[str] | None,
    Query(max_length=500, description="SOURCE:ORDER, such as clinic-7:500: hold this order, optimise the rest"),
]


@router.get(
    "/next",
    operation_id="allocations_next",
    summary="Ask what to buy next",
    responses=declared(Infeasible, TooManyComputations),
)
def read_next_allocation(
    project_id: str,
    call: Annotated[Call, reads("read")],
    budget: Budget = None,
    policy: Policy = "optimal",
    exploration: Annotated[
        float | None,
        Query(
            ge=0,
            le=1,
            allow_inf_nan=False,
            description="Share of the money for where it makes the decision most certain; left out: up to a fifth, for"
            " groups that may not have started to learn",
        ),
    ] = None,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
    groups: Annotated[
        Literal["all", "bought"], Query(description="All groups, or only those that get something")
    ] = "all",
    hold: Hold = None,
) -> AllocationOut:
    """It changes nothing. The same data and query give the same bytes."""
    question = AllocationQuestion(read_budget(budget), policy, draws, seed, exploration, read_hold(hold or []))
    project = call.project(project_id)
    call.unless_matched(question_tag(project, question, groups))
    answer = next_allocation(call.session, call.runtime.fits, project, question)
    return allocation_shape(project, question, answer, groups == "bought")
