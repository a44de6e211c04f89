"""A project's rounds: what was planned, ordered, delivered and paid, and the buttons that move a round on."""

from collections.abc import Callable
from decimal import Decimal
from itertools import accumulate
from typing import Annotated

from pydantic import TypeAdapter

from app.api.http.answers import RoundNumber
from app.api.http.bulk import validated
from app.api.http.etags import etag_of
from app.api.http.shapes import count_of
from app.api.purchases.deliveries import DeliveryIn
from app.api.purchases.rounds import RoundOut, round_shape, summary_of
from app.errors import Fault, NotFound, PreconditionFailed, TrancheError, invalid
from app.services.curves.fits import DRAWS, SEED
from app.services.intake.manifests import manifests_of
from app.services.ledger.deliveries import Recording, record_delivery
from app.services.ledger.holdings import left_of
from app.services.purchases import rounds
from app.services.purchases.doubts import falls_by_round
from app.services.purchases.rounds import get_round
from app.services.purchases.timeline import Stage, Waiting, stages_of, waiting_of
from app.services.valuation.source_values import kept_source_values
from app.store.db import Session
from app.store.ledger import money_of_project
from app.store.models.projects import Group, Project
from app.store.models.purchases import Round
from app.store.projects import members
from app.store.rounds import listed_rounds, orders_of_rounds
from app.web.site.chips import licence_chips
from app.web.site.live import watched
from app.web.site.signing import screen_parts
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees, tried

router = pages()

PER_PAGE = 50
DELIVERY: TypeAdapter[DeliveryIn] = TypeAdapter(DeliveryIn)
OPEN = ("accepted", "collecting")


@router.get("/projects/{project_id}/rounds")
def rounds_list(project_id: str, visit: Annotated[Visit, sees("read")], after: Place = None) -> Answer:
    project = visit.project(project_id)
    every = listed_rounds(visit.session, project.id)
    rows, last = every.part(place_in(every, after, "after"), PER_PAGE)
    stages = stages_of(visit.session, project, rows)
    shown = [
        (summary_of(project, row), stages[row.number], bars_of(stages[row.number], project.budget_total))
        for row in rows
    ]
    falls = falls_by_round(visit.session, rows)
    names = {one.id: one.name or one.key for one in members(visit.session, Group, project.id, archived=None)}
    more = f"{visit.path}?after={last}" if last else None
    money = money_of_project(visit.session, project.id)
    left = left_of(project, money)
    values, _ = tried(lambda: kept_source_values(visit.session, visit.runtime.fits, project, "sources", DRAWS, SEED))
    most = max((one.worth.value.mean for one in values.items), default=0.0) if values else 0.0
    return visit.render(
        "rounds.html",
        project=project,
        rounds=shown,
        falls=falls,
        names=names,
        more=more,
        money=money,
        left=left,
        values=values,
        most=most,
    )


def bars_of(stage: Stage, budget: Decimal) -> list[tuple[str, float, float]]:
    """(class, start, width) of what was used before, spent and committed, as shares of the budget or of what passed
    it."""
    parts = [("before", stage.before), ("spent", stage.spent), ("committed", stage.committed)]
    whole = float(max(budget, sum((amount for _, amount in parts), Decimal(0)))) or 1.0
    ends = [max(0.0, end / whole) for end in accumulate(float(amount) for _, amount in parts)]
    return [
        (name, start, max(0.0, end - start)) for (name, _), start, end in zip(parts, [0.0, *ends], ends, strict=False)
    ]


@router.get("/projects/{project_id}/rounds/{number}")
def round_page(
    project_id: str, number: RoundNumber, visit: Annotated[Visit, sees("read")], fragment: bool = False
) -> Answer:
    return shown(visit, visit.project(project_id), number, fragment=fragment)


def shown(
    visit: Visit, project: Project, number: int, error: TrancheError | None = None, fragment: bool = False
) -> Answer:
    now = look(visit, project, number)
    names = {group.key: group.name or group.key for group in members(visit.session, Group, project.id)}
    waiting = waits(visit, now)
    kept = get_round(visit.session, project, number).allocation
    left = left_of(project, money_of_project(visit.session, project.id))
    return visit.render(
        "_round.html" if fragment else "round.html",
        project=project,
        round=now,
        tag=tag_of(now),
        names=names,
        manifests=manifests_of(visit.session, [one.id for one in now.orders]),
        chips=licence_chips(visit.session, project, [one.source for one in now.orders or now.lines]),
        waiting=waiting,
        words=sorted({(str(one.connection.id), one.connection.name, one.word) for one in waiting if one.mappable}),
        open=now.state in OPEN,
        screen=screen_parts(visit, project, kept, left) if now.state == "proposed" and kept else None,
        charts=f"/projects/{project.id}/charts/standing?round={number}",
        currency=project.currency,
        error=error,
    )


def look(visit: Visit, project: Project, number: int) -> RoundOut:
    visit.session.flush()
    return round_shape(visit.session, project, get_round(visit.session, project, number))


def waits(visit: Visit, now: RoundOut) -> list[Waiting]:
    """What of the round waits to be mapped, for keys that see vendors: those of the whole workspace."""
    unmapped = [order.id for order in now.orders if order.unmapped]
    return waiting_of(visit.session, unmapped) if visit.caller.project_ids is None else []


def tag_of(now: RoundOut) -> str:
    """Of the round as it was looked at: the API's ETag."""
    return etag_of(now.model_dump_json().encode())


def moved(visit: Visit, project_id: str, number: int, act: Callable[[Project, Round], None], said: str) -> Answer:
    """Acts on the round that was looked at, and on no other."""
    project = visit.project(project_id)
    try:
        with visit.trying():
            if visit.said("tag") != tag_of(look(visit, project, number)):
                raise PreconditionFailed("The round changed since you looked. This is the round as it is now.")
            act(project, get_round(visit.session, project, number))
    except TrancheError as error:
        return shown(visit, project, number, error)
    return visit.redirect(f"/projects/{project.id}/rounds/{number}", said)


@router.post("/projects/{project_id}/rounds/{number}/accept")
def accept(project_id: str, number: RoundNumber, visit: Annotated[Visit, acts("buy")]) -> Answer:
    def act(project: Project, row: Round) -> None:
        rounds.accept(visit.session, project, row, visit.caller, visit.now, visit.enqueue)

    return moved(visit, project_id, number, act, f"Your approval of round {number} is recorded.")


@router.post("/projects/{project_id}/rounds/{number}/close")
def close(project_id: str, number: RoundNumber, visit: Annotated[Visit, acts("buy")]) -> Answer:
    def act(project: Project, row: Round) -> None:
        rounds.close(visit.session, project, row, visit.caller, visit.now, visit.enqueue)

    return moved(visit, project_id, number, act, f"Round {number} is closed.")


@router.post("/projects/{project_id}/rounds/{number}/cancel")
def cancel(project_id: str, number: RoundNumber, visit: Annotated[Visit, acts("write", "buy")]) -> Answer:
    """The round's state says which of the scopes it needs."""

    def act(project: Project, row: Round) -> None:
        reason = visit.said("reason")[:500].replace("\0", "") or None
        rounds.cancel(visit.session, project, row, reason, visit.caller, visit.now)

    return moved(visit, project_id, number, act, f"Round {number} is cancelled.")


@router.post("/projects/{project_id}/rounds/{number}/orders/{order_id}/deliveries")
def deliver(project_id: str, number: RoundNumber, order_id: str, visit: Annotated[Visit, acts("deliver")]) -> Answer:
    """What came for an order, recorded by hand."""
    project = visit.project(project_id)
    try:
        with visit.trying():
            purchase = get_round(visit.session, project, number)
            order = next(
                (one for one in orders_of_rounds(visit.session, [purchase.id]) if str(one.id) == order_id), None
            )
            if order is None:
                raise NotFound(f"There is no such order in round {number}.")
            said = recording(visit)
            record_delivery(visit.session, project, purchase, order, said, visit.caller, visit.now, visit.enqueue)
    except TrancheError as error:
        return shown(visit, project, number, error)
    return visit.redirect(f"/projects/{project.id}/rounds/{number}", "The delivery is recorded.")


def recording(visit: Visit) -> Recording:
    """Fields `accepted:GROUP` and `rejected:GROUP`. Raises Invalid."""
    name = visit.said("external_id")
    if not name:
        raise invalid(Fault("/external_id", "name the delivery, so that sending it twice counts once"))
    groups: dict[str, dict[str, int]] = {}
    for key in visit.form:
        state, _, group = key.partition(":")
        text = visit.said(key)
        if state in ("accepted", "rejected") and group and text:
            groups.setdefault(group, {})[state] = samples_of(key, text)
    body: DeliveryIn = validated(DELIVERY, {"external_id": name, "groups": groups})
    counts = {key: one.model_dump() for key, one in body.groups.items()}
    if not any(count for one in counts.values() for count in one.values()):
        raise invalid(Fault("", "say how many samples were accepted or rejected"))
    return Recording("delivery", body.external_id, counts, 0, None, None)


def samples_of(field: str, text: str) -> int:
    """A whole number of samples. Raises Invalid."""
    count = count_of(text)
    if count is None:
        raise invalid(Fault(f"/{field}", "is not a whole number of samples"))
    return count


@router.get("/projects/{project_id}/rounds/{number}/progress")
async def watch_round(project_id: str, number: RoundNumber, visit: Annotated[Visit, sees("read")]) -> Answer:
    """Server-sent events: `changed` with the round's ETag when anything of it changed since the one before."""

    def tag(session: Session, project: Project) -> str:
        return tag_of(round_shape(session, project, get_round(session, project, number)))

    return await watched(visit, project_id, tag)
