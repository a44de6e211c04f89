"""The reverse question: the least money with which every group reaches its target."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from app.api.http.answers import WarningOut
from app.api.http.problems import declared
from app.api.http.shapes import Answer, MoneyIn, MoneyOut, Real, Shape
from app.api.http.transactions import Call, QuestionRoute, asks
from app.api.keys.keys import Key, Keyed
from app.api.planning.scenarios import MAX_NAMED, DrawsIn, SeedIn
from app.errors import Conflict, Infeasible, TooManyComputations
from app.money import amount
from app.services.curves.fits import DRAWS, SEED
from app.services.planning import Offer, Requirements, Warning
from app.services.planning.requirements import RequirementQuestion, requirements_of
from app.store.models.projects import Project

router = APIRouter(prefix="/v1/projects/{project_id}/requirements", tags=["allocations"], route_class=QuestionRoute)

MAX_BUDGETS = 50
Chance = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, lt=1)]


class RequirementsIn(Shape):
    """`targets` stand in for the groups' own, null taking one away. With `joint` all groups together reach their
    targets with `chance`, else each one does. `budgets` asks for the chances that these would give."""

    chance: Chance = 0.9
    joint: Annotated[bool, Field(strict=True)] = False
    targets: Annotated[dict[Key, Real | None], Field(max_length=MAX_NAMED), Keyed] = Field(default_factory=dict)
    budgets: Annotated[tuple[MoneyIn, ...], Field(max_length=MAX_BUDGETS)] = ()
    draws: DrawsIn = DRAWS
    seed: SeedIn = SEED


class GroupRequirementOut(Answer):
    """Counts are of clean samples: what is held, what the target needs at the least (null: no count is enough), and
    what is held with the orders. Chances are those of reaching the target with what is held, with the orders, and with
    all data in the world."""

    group: str
    target: float
    count_now: float
    count_needed: float | None
    count: float
    chance_now: float
    chance: float
    chance_reachable: float
    reason: str


class SourceRequirementOut(Answer):
    source: str
    order: int
    cost: MoneyOut


class BudgetChanceOut(Answer):
    """What a budget can reach: the `level` of chance that it gives every group (with `joint`: all together), the
    chance that all reach their targets with those orders, and each group's."""

    budget: MoneyOut
    spend: MoneyOut
    level: float
    joint_chance: float
    chances: dict[str, float]


class OfferOut(Answer):
    """The least orders that give the group a lower chance, bought for it alone: `count` clean samples with them."""

    chance: float
    count: float
    spend: MoneyOut


class ShortfallOut(Answer):
    """A group that cannot reach its target with the chance asked, the highest `chance` that it can have, and why: the
    target is `out_of_reach` (endless data reaches it with a chance below 5 %), `unsure` (some of the curves that the
    data allow reach it, too few), `no_source` sells samples of it, or a `bound` on what can be bought. `offer`: the
    highest chance in steps of 5 % that orders can give, null where there is none."""

    group: str
    cause: Literal["out_of_reach", "unsure", "no_source", "bound"]
    chance: float
    offer: OfferOut | None
    reason: str


class RequirementsOut(Answer):
    """The least money and the orders with which every group that can reach its target does so with the chance asked.
    `gap` is the share by which a cheaper answer could cost less. `short` names the other groups. `method` is
    "conservative" where other groups' data moves the curves and a sufficient condition stands for the chance."""

    data_version: int
    data_at: datetime
    seed: int
    draws: int
    currency: str
    chance: float
    joint: bool
    spend: MoneyOut
    gap: float
    joint_chance: float
    method: Literal["exact", "conservative"]
    groups: list[GroupRequirementOut]
    sources: list[SourceRequirementOut]
    curve: list[BudgetChanceOut]
    short: list[ShortfallOut]
    warnings: list[WarningOut]


def requirements_shape(
    project: Project, body: RequirementsIn, found: Requirements, warnings: tuple[Warning, ...]
) -> RequirementsOut:
    keys = [group.key for group in found.groups]
    return RequirementsOut.of(
        found,
        body,
        project,
        spend=amount(found.spend),
        groups=[GroupRequirementOut.of(one, group=one.key) for one in found.groups],
        sources=[SourceRequirementOut(source=one.key, order=one.order, cost=amount(one.cost)) for one in found.sources],
        curve=[
            BudgetChanceOut.of(
                one,
                budget=amount(one.budget),
                spend=amount(one.spend),
                chances=dict(zip(keys, one.chances, strict=True)),
            )
            for one in found.curve
        ],
        short=[ShortfallOut.of(one, group=one.key, offer=offer_shape(one.offer)) for one in found.short],
        warnings=warnings,
    )


def offer_shape(offer: Offer | None) -> OfferOut | None:
    return None if offer is None else OfferOut.of(offer, spend=amount(offer.spend))


@router.post("", summary="Ask what targets cost", responses=declared(Conflict, Infeasible, TooManyComputations))
def ask_requirements(project_id: str, body: RequirementsIn, call: Annotated[Call, asks("read")]) -> RequirementsOut:
    """The least budget and counts with which the groups reach their targets, which targets cannot have that
    chance and what a lower one costs, and the chance of success as a function of the budget. It changes nothing."""
    project = call.project(project_id)
    question = RequirementQuestion(body.chance, body.joint, body.draws, body.seed, body.targets, body.budgets)
    found, warnings = requirements_of(call.session, call.runtime.fits, project, question)
    return requirements_shape(project, body, found, warnings)
