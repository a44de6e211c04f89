"""What each source, or vendor, has been worth so far."""

from datetime import datetime
from math import isnan
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.api.http.answers import Draws, Seed, WarningOut
from app.api.http.etags import question_tag
from app.api.http.problems import declared
from app.api.http.shapes import Answer, MoneyOut
from app.api.http.transactions import Call, Route, reads
from app.errors import Conflict, Infeasible, NothingDelivered, TooManyComputations
from app.services.curves.fits import DRAWS, SEED
from app.services.valuation.source_values import Item, Players, Valuation, kept_source_values
from app.store.models.projects import Project

router = APIRouter(prefix="/v1/projects/{project_id}/sources", tags=["sources"], route_class=Route)


class ValueOut(Answer):
    """Utility with a 90 % interval, null where more than twelve sources were looked at by their mean alone."""

    mean: float
    p05: float | None
    p95: float | None


class SourceValueOut(Answer):
    """A source, or all sources of one vendor, that delivered: accepted samples, what they cost, and what they are
    worth, the Shapley `value` in utility, as a `share` of all (they sum to 1) and per 1,000 of money.
    `leave_one_out` is what would be missing without it alone, `closing_costs` by how much the next round's utility
    falls where it is shut (null where bounds cannot be met without it, and of more than twenty)."""

    source: str
    delivered: int
    spent: MoneyOut
    value: ValueOut
    share: float | None
    value_per_1000: ValueOut | None
    leave_one_out: float
    closing_costs: float | None


class SourceValuesOut(Answer):
    """What deliveries brought in the project's utility: `base` without any of them, `total` with all. `method` is
    "permutations" where not all coalitions could be looked at, with `error`, the largest standard error of a value."""

    data_version: int
    data_at: datetime
    seed: int
    draws: int
    currency: str
    players: Players
    base: float
    total: float
    method: Literal["exact", "permutations"]
    error: float
    items: list[SourceValueOut]
    warnings: list[WarningOut]


def value_shape(mean: float, p05: float, p95: float) -> ValueOut:
    low, high = (None if isnan(one) else one for one in (p05, p95))
    return ValueOut(mean=mean, p05=low, p95=high)


def item_shape(item: Item) -> SourceValueOut:
    value, per_money = item.worth.value, item.value_per_1000
    return SourceValueOut(
        source=item.source,
        delivered=item.delivered,
        spent=item.spent,
        value=value_shape(value.mean, value.p05, value.p95),
        share=item.worth.share,
        value_per_1000=None if per_money is None else value_shape(*per_money),
        leave_one_out=item.worth.leave_one_out,
        closing_costs=item.closing_costs,
    )


def values_shape(project: Project, players: Players, found: Valuation, draws: int, seed: int) -> SourceValuesOut:
    return SourceValuesOut.of(
        found.found,
        project,
        players=players,
        draws=draws,
        seed=seed,
        items=[item_shape(one) for one in found.items],
        warnings=found.warnings,
    )


@router.get(
    "/value",
    operation_id="sources_value",
    summary="Say what each source has been worth",
    responses=declared(Conflict, NothingDelivered, Infeasible, TooManyComputations),
)
def read_source_values(
    project_id: str,
    call: Annotated[Call, reads("read")],
    players: Annotated[Players, Query(description="Sources one by one, or all of a vendor together")] = "sources",
    draws: Draws = DRAWS,
    seed: Seed = SEED,
) -> SourceValuesOut:
    """Every group's curve is read with and without each source's deliveries, in every order in which they could have
    come. It informs; nothing is planned by it."""
    project = call.project(project_id)
    call.unless_matched(question_tag(project, "source-values", players, draws, seed))
    found = kept_source_values(call.session, call.runtime.fits, project, players, draws, seed)
    return values_shape(project, players, found, draws, seed)
