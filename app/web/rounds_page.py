"""A project's rounds: what was planned, ordered, delivered and paid, and the buttons that move a round on."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Annotated, Any

from pydantic import TypeAdapter

from app.api.http.answers import RoundNumber
from app.api.http.bulk import validated
from app.api.http.etags import etag_of
from app.api.http.shapes import count_of
from app.api.purchases.deliveries import DeliveryIn
from app.api.purchases.rounds import CancelIn, DeclineIn, RoundOut, round_shape, summary_of
from app.errors import Fault, NotFound, PreconditionFailed, TrancheError, invalid
from app.money import told
from app.services.curves.fits import DRAWS, SEED
from app.services.intake.manifests import manifests_of
from app.services.ledger.deliveries import Recording, record_delivery
from app.services.ledger.holdings import left_of
from app.services.purchases import rounds
from app.services.purchases.doubts import falls_by_round
from app.services.purchases.rounds import get_round, needs_reason
from app.services.purchases.timeline import Stage, Waiting, stages_of, waiting_of
from app.services.valuation.source_values import kept_source_values
from app.store.ledger import money_of_project
from app.store.models.projects import Group, Project, Source
from app.store.models.purchases import Round
from app.store.projects import members, members_by_key
from app.store.rounds import listed_rounds, orders_of_rounds
from app.store.vendors import connections_by_id
from app.web.site.chips import licence_chips, source_names
from app.web.site.signing import screen_parts, words_in
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees, tried

router = pages()

PER_PAGE = 50
DELIVERY: TypeAdapter[DeliveryIn] = TypeAdapter(DeliveryIn)
DECLINE: TypeAdapter[DeclineIn] = TypeAdapter(DeclineIn)
CANCEL: TypeAdapter[CancelIn] = TypeAdapter(CancelIn)
OPEN = ("accepted", "collecting")
MOST_SOURCES = 100
"""Whose orders can be changed on the page."""


@router.get("/projects/{project_id}/rounds")
def rounds_list(project_id: str, visit: Annotated[Visit, sees("read")], after: Place = None) -> Answer:
    project = visit.project(project_id)
    every = listed_rounds(visit.session, project.id)
    rows, last = every.part(place_in(every, after, "after"), PER_PAGE)
    stages = stages_of(visit.session, project, rows)
    shown = [
        (summary_of(project, row, visit.now), stages[row.number], bars_of(stages[row.number], project.budget_total))
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
        called=source_names(visit.session, project, [one.source for one in values.items] if values else []),
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


Tried = tuple[Mapping[str, int], Mapping[str, Any] | None]
"""Orders as somebody typed them, by source, and the answer that says what they would do."""


def shown(
    visit: Visit,
    project: Project,
    number: int,
    error: TrancheError | None = None,
    fragment: bool = False,
    tried: Tried | None = None,
) -> Answer:
    now = look(visit, project, number)
    names = {group.key: group.name or group.key for group in members(visit.session, Group, project.id)}
    waiting = waits(visit, now)
    row = get_round(visit.session, project, number)
    left = left_of(project, money_of_project(visit.session, project.id))
    signing = now.state == "proposed"
    sources = [one.source for one in now.orders or now.lines]
    answer = (tried and tried[1]) or (row.allocation if signing else None)
    return visit.render(
        "_round.html" if fragment else "round.html",
        project=project,
        round=now,
        tag=tag_of(now),
        names=names,
        manifests=manifests_of(visit.session, [one.id for one in now.orders]),
        called=source_names(visit.session, project, sources),
        chips=licence_chips(visit.session, project, sources),
        waiting=waiting,
        words=sorted({(str(one.connection.id), one.connection.name, one.word) for one in waiting if one.mappable}),
        open=now.state in OPEN,
        approving=signing and visit.may("buy") and visit.caller.key_id not in now.approvals,
        reasoned=needs_reason(row),
        screen=screen_parts(visit, project, answer, left) if answer else None,
        charts=f"/projects/{project.id}/charts/standing?round={number}" if signing and not tried else None,
        changing=tried is not None,
        looked=tried is not None and tried[1] is not None,
        orderable=orderable(visit, project, now, tried[0] if tried else {}) if visit.may("write") else [],
        currency=project.currency,
        error=error,
    )


def orderable(visit: Visit, project: Project, now: RoundOut, typed: Mapping[str, int]) -> list[tuple[Source, int]]:
    """The sources that a proposal may order from, and how many it does: those ordered first, and the first others."""
    if now.state in (*OPEN, "closed"):
        return []
    lines = {line.source: line.quantity for line in now.lines} | dict(typed)
    sources = members(visit.session, Source, project.id)
    found = [(source, lines.get(source.key, 0)) for source in sources]
    ordered = [one for one in found if one[1]]
    return [*ordered, *[one for one in found if not one[1]][: max(0, MOST_SOURCES - len(ordered))]]


def look(visit: Visit, project: Project, number: int) -> RoundOut:
    visit.session.flush()
    return round_shape(visit.session, project, get_round(visit.session, project, number), visit.now)


def waits(visit: Visit, now: RoundOut) -> list[Waiting]:
    """What of the round waits to be mapped, for keys that see vendors: those of the whole workspace."""
    unmapped = [order.id for order in now.orders if order.unmapped]
    return waiting_of(visit.session, unmapped) if visit.caller.project_ids is None else []


def tag_of(now: RoundOut) -> str:
    """Of the round as it was looked at: the API's ETag."""
    return etag_of(now.model_dump_json().encode())


def as_looked_at(visit: Visit, project: Project, number: int) -> RoundOut:
    """The round. Raises PreconditionFailed unless it is the one that was looked at."""
    now = look(visit, project, number)
    if visit.said("tag") != tag_of(now):
        raise PreconditionFailed("The round changed since you looked. This is the round as it is now.")
    return now


class Unconfirmed(Exception):
    """What was done to see whether it can be is undone until it is confirmed."""


def refuse_unconfirmed(question: str) -> None:
    """Raises Unconfirmed where something is to be asked first."""
    if question:
        raise Unconfirmed


def moved(
    visit: Visit,
    project_id: str,
    number: int,
    act: Callable[[Project, Round], None],
    said: str,
    confirm: Callable[[RoundOut], str] | None = None,
) -> Answer:
    """Acts on the round that was looked at, and on no other. confirm: what is asked first, empty for nothing."""
    project = visit.project(project_id)
    question = ""
    try:
        with visit.trying():
            before = as_looked_at(visit, project, number)
            question = confirm(before) if confirm and not visit.said("confirmed") else ""
            act(project, get_round(visit.session, project, number))
            refuse_unconfirmed(question)
    except TrancheError as error:
        return shown(visit, project, number, error)
    except Unconfirmed:
        return asked(visit, project, number, question)
    return visit.redirect(f"/projects/{project.id}/rounds/{number}", said)


def asked(visit: Visit, project: Project, number: int, question: str) -> Answer:
    """The page that repeats what the money is for before it is spent or released."""
    now = look(visit, project, number)
    sources = members_by_key(visit.session, Source, project.id, [line.source for line in now.lines])
    linked = connections_by_id(visit.session, {one.connection_id for one in sources.values() if one.connection_id})
    open_orders = {order.source: order.committed for order in now.orders}
    lines = []
    for line in now.lines:
        source = sources.get(line.source)
        days = source.lead_time_days if source else None
        vendor = linked.get(source.connection_id) if source and source.connection_id else None
        lines.append(
            {
                "source": (source.name if source else None) or line.source,
                "vendor": vendor.name if vendor else None,
                "quantity": line.quantity,
                "amount": open_orders.get(line.source, line.cost),
                "by": None if days is None else (visit.now + timedelta(days=days)).date(),
            }
        )
    fields = [(name, visit.said(name)) for name in visit.form if name not in ("csrf", "confirmed")]
    return visit.render(
        "confirm.html",
        project=project,
        round=now,
        question=question,
        fields=fields,
        lines=lines,
        amount=now.committed if now.orders else now.cost,
        today=visit.now.date(),
    )


@router.post("/projects/{project_id}/rounds/{number}/accept")
def accept(project_id: str, number: RoundNumber, visit: Annotated[Visit, acts("buy")]) -> Answer:
    def act(project: Project, row: Round) -> None:
        words = words_in(visit)
        rounds.accept(visit.session, project, row, words.note, words.reference, visit.caller, visit.now, visit.enqueue)

    done = f"Your approval of round {number} is recorded."
    return moved(
        visit, project_id, number, act, done, lambda now: f"Approve {told(now.cost, now.currency)} {now.currency}"
    )


@router.post("/projects/{project_id}/rounds/{number}/decline")
def decline(project_id: str, number: RoundNumber, visit: Annotated[Visit, acts("buy")]) -> Answer:
    def act(project: Project, row: Round) -> None:
        said = validated(DECLINE, {"reason": visit.said("reason")})
        rounds.decline(visit.session, project, row, said.reason, visit.caller, visit.now, visit.enqueue)

    return moved(visit, project_id, number, act, f"Round {number} is declined.")


@router.post("/projects/{project_id}/rounds/{number}/close")
def close(project_id: str, number: RoundNumber, visit: Annotated[Visit, acts("buy")]) -> Answer:
    def act(project: Project, row: Round) -> None:
        note = words_in(visit).note
        rounds.close(visit.session, project, row, note, visit.caller, visit.now, visit.enqueue)

    return moved(visit, project_id, number, act, f"Round {number} is closed.", lambda now: released("Close", now))


@router.post("/projects/{project_id}/rounds/{number}/cancel")
def cancel(project_id: str, number: RoundNumber, visit: Annotated[Visit, acts("write", "buy")]) -> Answer:
    """The round's state says which of the scopes it needs."""

    def act(project: Project, row: Round) -> None:
        said = validated(CANCEL, {"reason": visit.said("reason") or None})
        rounds.cancel(visit.session, project, row, said.reason, visit.caller, visit.now)

    return moved(visit, project_id, number, act, f"Round {number} is cancelled.", lambda now: released("Cancel", now))


def released(verb: str, now: RoundOut) -> str:
    """What is asked where money that was committed gets free; empty where none does."""
    return f"{verb} and release {told(now.committed, now.currency)} {now.currency}" if now.committed else ""


@router.post("/projects/{project_id}/rounds/{number}/reference")
def refer(project_id: str, number: RoundNumber, visit: Annotated[Visit, acts("write")]) -> Answer:
    """The number of the purchase order, which often comes after the approval."""

    def act(project: Project, row: Round) -> None:
        rounds.refer(visit.session, project, row, words_in(visit).reference, visit.caller, visit.now)

    return moved(visit, project_id, number, act, "The number of the purchase order is kept.")


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
def round_mark(project_id: str, number: RoundNumber, visit: Annotated[Visit, sees("read")]) -> Answer:
    """The round's ETag: another one as soon as anything of it changed."""
    return visit.mark(tag_of(look(visit, visit.project(project_id), number)))
