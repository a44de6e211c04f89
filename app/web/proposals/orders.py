"""Other orders than those proposed: forecast, put into the proposal, or proposed anew once it has ended."""

from collections.abc import Mapping
from typing import Annotated

from app.api.http.answers import RoundNumber
from app.api.http.shapes import count_of
from app.api.planning.allocations import allocation_json
from app.api.purchases.rounds import ordering
from app.errors import Conflict, Fault, TrancheError, invalid
from app.services.planning.allocations import next_allocation
from app.services.purchases import proposals
from app.services.purchases.rounds import get_round
from app.services.purchases.steps import state_of
from app.store.models.projects import Project
from app.store.models.purchases import Round
from app.web.rounds_page import as_looked_at, shown
from app.web.site.signing import words_in
from app.web.site.visit import Answer, Visit, acts, pages

router = pages()

FIELD = "order:"
ENDED = ("declined", "cancelled", "expired")


@router.post("/projects/{project_id}/rounds/{number}/orders")
def order_otherwise(project_id: str, number: RoundNumber, visit: Annotated[Visit, acts("write")]) -> Answer:
    """The button `look` changes nothing: it shows what the orders would do."""
    project = visit.project(project_id)
    orders: dict[str, int] = {}
    try:
        orders = orders_in(visit)
        with visit.trying():
            as_looked_at(visit, project, number)
            row = get_round(visit.session, project, number)
            if visit.said("look"):
                return shown(visit, project, number, tried=(orders, forecast_of(visit, project, row, orders)))
            made = ordered(visit, project, row, orders)
    except TrancheError as error:
        return shown(visit, project, number, error, tried=(orders, None))
    words = f"Round {made} has other orders now." if made == number else f"Round {made} is proposed."
    return visit.redirect(f"/projects/{project.id}/rounds/{made}", words)


def forecast_of(visit: Visit, project: Project, row: Round, orders: Mapping[str, int]) -> Mapping[str, object]:
    """What the orders would do, as an answer of `GET …/allocations/next`."""
    wanted = ordering(visit.session, project, row, orders)
    allocation = next_allocation(visit.session, visit.runtime.fits, project, wanted.question)
    return allocation_json(project, wanted.question, allocation)


def ordered(visit: Visit, project: Project, row: Round, orders: Mapping[str, int]) -> int:
    """The number of the round that has the orders now: a new one where this one has ended. Raises Conflict."""
    session, fits = visit.session, visit.runtime.fits
    state = state_of(row, visit.now)
    if state == "proposed":
        wanted = ordering(session, project, row, orders)
        proposals.edit(session, fits, project, row, wanted, allocation_json, visit.caller, visit.now, visit.enqueue)
        return row.number
    if state not in ENDED:
        raise Conflict(f"Round {row.number} is {state}: its orders are made.")
    words = words_in(visit)
    wanted = ordering(session, project, row, orders, words.note, words.reference)
    made = proposals.propose(session, fits, project, wanted, allocation_json, visit.caller, visit.now, visit.enqueue)
    return made.number


def orders_in(visit: Visit) -> dict[str, int]:
    """The fields `order:SOURCE`; an empty one is none. Raises Invalid."""
    found: dict[str, int] = {}
    for name in visit.form:
        if name.startswith(FIELD):
            count = count_of(visit.said(name).replace(",", "") or "0")
            if count is None:
                raise invalid(Fault(f"/{name}", "is not a whole number of samples"))
            found[name.removeprefix(FIELD)] = count
    return found
