"""What if: up to 20 scenarios of a project, planned side by side on the same draws. It changes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field, PlainSerializer, WithJsonSchema

from app.api.http.answers import WarningOut
from app.api.http.problems import FaultShape, declared
from app.api.http.shapes import (
    Answer,
    Count,
    MoneyIn,
    MoneyOut,
    NonNegative,
    Patch,
    Real,
    Shape,
    Text,
    Whole,
    said,
    unset,
)
from app.api.http.transactions import Call, QuestionRoute, asks
from app.api.keys.keys import Key, Keyed
from app.api.planning.plans import (
    BudgetShare,
    Exploration,
    GainOut,
    MetricOut,
    OptimalityOut,
    StakeholderShareOut,
    UtilityOut,
    budget_shape,
    stakeholder_shapes,
)
from app.api.projects.groups import AssumedCurve, GroupIn
from app.api.projects.licences import LicenceRule, stored_rule
from app.api.projects.limits import SetLimits, stored_limits
from app.api.projects.objectives import Objective
from app.api.projects.sources import SourceTerms, source_fields
from app.errors import TooManyComputations
from app.money import amount, plain
from app.services.curves.fits import DRAWS, SEED
from app.services.planning import Gain, Plan
from app.services.planning.policies import PolicyName
from app.services.planning.scenarios import ScenarioResult, what_if
from app.services.planning.variations import Scenario
from app.store.models.projects import Project

router = APIRouter(prefix="/v1/projects/{project_id}/allocations", tags=["allocations"], route_class=QuestionRoute)

MAX_SCENARIOS = 20
MAX_NAMED = 20_000

DrawsIn = Annotated[int, Field(strict=True, ge=50, le=2000), Whole]
SeedIn = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1), Whole]


SignedMoney = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d{1,13}(\.\d{1,6})?$", "examples": ["-120.50"]}),
]


class GroupTerms(Patch):
    """What a scenario may say of a group; fields left out are as they are, null takes an optional one away, or
    restores the default."""

    made_from = GroupIn

    weight: NonNegative = unset()
    target: Real | None = unset()
    min_count: Count | None = unset()
    max_count: Count | None = unset()
    assumed_curve: AssumedCurve = unset()


Orders = Annotated[dict[Key, Count], Field(max_length=MAX_NAMED), Keyed]


class ScenarioIn(Shape):
    """What is to be different; what is left out is as it is. `sources` and `groups` change terms by key, `hold` fixes
    some of the orders, `orders` is a whole split typed in, to be judged as it stands. `budget` may be any.
    `licence_rule` is another rule, null is none: the difference is what the rule costs."""

    name: Text | None = None
    budget: MoneyIn | None = None
    objective: Objective | None = None
    policy: PolicyName = "optimal"
    exploration: Exploration = None
    set_limits: SetLimits | None = None
    licence_rule: LicenceRule | None = None
    groups: Annotated[dict[Key, GroupTerms], Field(max_length=MAX_NAMED), Keyed] = Field(default_factory=dict)
    sources: Annotated[dict[Key, SourceTerms], Field(max_length=MAX_NAMED), Keyed] = Field(default_factory=dict)
    hold: Orders = Field(default_factory=dict)
    orders: Orders | None = None


class WhatIfIn(Shape):
    """The first scenario is what the others are compared with; an empty one is the project as it is."""

    scenarios: Annotated[tuple[ScenarioIn, ...], Field(min_length=1, max_length=MAX_SCENARIOS)]
    draws: DrawsIn = DRAWS
    seed: SeedIn = SEED
    groups: Literal["all", "bought"] = "all"


class ScenarioGroupOut(Answer):
    """A group's cell of the table, with the differences to the first scenario (null where that has no plan)."""

    count: int
    add: int
    metric_after: MetricOut | None
    add_difference: int | None
    metric_difference: float | None


class ScenarioSourceOut(Answer):
    order: int
    cost: MoneyOut


class DifferenceOut(Answer):
    """To the first scenario, `utility` by the first's objective, weights and targets; null where either has no plan."""

    spend: SignedMoney
    utility: GainOut | None


class ScenarioOut(Answer):
    """A row of the table. Where the scenario's constraints exclude each other, `infeasible` lists all culprits and the
    plan's fields are null or empty. `policy` is null for a split that was typed in."""

    name: str
    policy: PolicyName | None
    budget: BudgetShare | None
    unspent_reason: str | None
    utility: UtilityOut | None
    shadow_price: float | None
    optimality: OptimalityOut | None
    groups: dict[str, ScenarioGroupOut]
    sources: dict[str, ScenarioSourceOut]
    stakeholders: list[StakeholderShareOut]
    difference: DifferenceOut | None
    infeasible: list[FaultShape]
    warnings: list[WarningOut]


class WhatIfOut(Answer):
    """One row per scenario, in the order asked, all on the same draws."""

    data_version: int
    data_at: datetime
    seed: int
    draws: int
    currency: str
    scenarios: list[ScenarioOut]


def scenario_of(body: ScenarioIn, index: int) -> Scenario:
    project: dict[str, Any] = {}
    if body.objective is not None:
        project["objective"] = body.objective.model_dump()
    if body.set_limits is not None:
        project["set_limits"] = stored_limits(body.set_limits)
    if "licence_rule" in body.model_fields_set:
        project["licence_rule"] = stored_rule(body.licence_rule)
    return Scenario(
        name=body.name or f"scenario {index + 1}",
        budget=body.budget,
        policy=body.policy,
        exploration=body.exploration,
        project=project,
        groups={key: said(terms) for key, terms in body.groups.items()},
        sources={key: source_fields(terms) for key, terms in body.sources.items()},
        hold=body.hold,
        orders=body.orders,
    )


def row_shape(outcome: ScenarioResult, first: ScenarioResult, only_bought: bool) -> ScenarioOut:
    plan, name = outcome.plan, outcome.scenario.name
    if plan is None:
        culprits = [FaultShape(pointer=one.pointer, detail=one.detail) for one in outcome.culprits]
        return ScenarioOut(
            name=name, policy=None, budget=None, unspent_reason=None, utility=None, shadow_price=None, optimality=None,
            groups={}, sources={}, stakeholders=[], difference=None, infeasible=culprits, warnings=[],
        )  # fmt: skip
    return ScenarioOut.of(
        plan,
        name=name,
        policy=None if outcome.scenario.orders is not None else plan.policy,
        budget=budget_shape(plan, outcome.budget.available),
        utility=plan.utility if outcome.known else None,
        shadow_price=plan.shadow_price if outcome.known else None,
        groups=group_cells(outcome, plan, first, only_bought),
        sources={
            one.key: ScenarioSourceOut(order=one.order, cost=amount(one.cost))
            for one in plan.sources
            if one.order or not only_bought
        },
        stakeholders=stakeholder_shapes(plan, outcome.known),
        difference=difference_shape(plan, first.plan, outcome.gain),
        infeasible=[],
    )


def group_cells(
    outcome: ScenarioResult, plan: Plan, first: ScenarioResult, only_bought: bool
) -> Mapping[str, ScenarioGroupOut]:
    base = {group.key: group for group in first.plan.groups} if first.plan else {}
    cells = {}
    for group in plan.groups:
        before = base.get(group.key)
        if only_bought and not group.add and not (before and before.add):
            continue
        both = outcome.known and first.known and before
        cells[group.key] = ScenarioGroupOut(
            count=group.count,
            add=group.add,
            metric_after=MetricOut.model_validate(group.metric_after) if outcome.known else None,
            add_difference=group.add - before.add if before else None,
            metric_difference=group.metric_after.mean - before.metric_after.mean if both and before else None,
        )
    return cells


def difference_shape(plan: Plan, first: Plan | None, gain: Gain | None) -> DifferenceOut | None:
    if first is None:
        return None
    spend = amount(plan.spend) - amount(first.spend)
    return DifferenceOut(spend=spend, utility=GainOut.model_validate(gain) if gain else None)


def table_shape(project: Project, body: WhatIfIn, outcomes: Sequence[ScenarioResult]) -> WhatIfOut:
    rows = [row_shape(outcome, outcomes[0], body.groups == "bought") for outcome in outcomes]
    return WhatIfOut.of(project, body, scenarios=rows)


@router.post(
    "/what-if", operation_id="allocations_what_if", summary="Compare scenarios", responses=declared(TooManyComputations)
)
def compare_scenarios(project_id: str, body: WhatIfIn, call: Annotated[Call, asks("read")]) -> WhatIfOut:
    """Up to 20 scenarios with other budgets, prices, bounds, objectives, curves or policies, or splits typed in, with
    their differences to the first. It changes nothing, and the same question on the same data has the same answer."""
    project = call.project(project_id)
    scenarios = [scenario_of(scenario, index) for index, scenario in enumerate(body.scenarios)]
    outcomes = what_if(call.session, call.runtime.fits, project, scenarios, body.draws, body.seed)
    return table_shape(project, body, outcomes)
