"""Rounds: purchases, from proposal to close."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body
from pydantic import ConfigDict, Field, RootModel

from app.api.http.answers import RoundNumber, WarningOut
from app.api.http.etags import matches, question_tag
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared, repeated
from app.api.http.shapes import (
    Answer,
    Count,
    LongText,
    MoneyIn,
    MoneyOut,
    Patch,
    Shape,
    Text,
    Whole,
    unset,
    with_example,
)
from app.api.http.transactions import Call, Route, buys, changes, reads
from app.api.keys.keys import Key, Keyed
from app.api.planning.allocations import AllocationOut, allocation_json
from app.api.planning.plans import MetricOut, Policy
from app.api.planning.scenarios import DrawsIn, SeedIn
from app.api.purchases.orders import OrderOut, order_shape
from app.errors import (
    AllocationChanged,
    Conflict,
    Fault,
    KeyTaken,
    LicenceRule,
    PreconditionFailed,
    PreconditionRequired,
    TooManyComputations,
    invalid,
)
from app.services.curves.fits import DRAWS, SEED
from app.services.ledger.holdings import money_of
from app.services.planning.allocations import AllocationQuestion
from app.services.purchases import proposals, rounds
from app.services.purchases.doubts import Fall, Unread, falls_of, unread_of_orders
from app.services.purchases.progress import GroupProgress, OrderProgress, progress_of
from app.services.purchases.proposals import Proposal
from app.services.purchases.rounds import get_round
from app.services.purchases.steps import Step, StepName, approvals_needed, require, state_of, steps_of
from app.store.access import key_name
from app.store.db import Session
from app.store.models.projects import Group, Project
from app.store.models.purchases import Round
from app.store.projects import members
from app.store.rounds import listed_rounds

router = APIRouter(prefix="/v1/projects/{project_id}/rounds", tags=["rounds"], route_class=Route)

State = Literal["proposed", "accepted", "collecting", "closed", "declined", "cancelled", "expired"]


class QueryIn(Shape):
    """What was asked of `GET …/allocations/next`."""

    budget: MoneyIn | None = None
    policy: Policy = "optimal"
    exploration: Annotated[float | None, Field(strict=True, allow_inf_nan=False, ge=0, le=1)] = None
    hold: Annotated[dict[Key, Count], Field(max_length=20_000), Keyed] = Field(default_factory=dict)
    draws: DrawsIn = DRAWS
    seed: SeedIn = SEED

    def question(self) -> AllocationQuestion:
        hold = dict(sorted(self.hold.items()))
        return AllocationQuestion(self.budget, self.policy, self.draws, self.seed, self.exploration, hold)


class RoundIn(Shape):
    """The allocation that was looked at, by its data version and query. `note`: in your words, for whoever is to
    approve it; `reference`: the number of your purchase order."""

    external_id: Text | None = None
    data_version: Annotated[int, Field(strict=True, ge=0), Whole] | None = None
    query: QueryIn = Field(default_factory=QueryIn)
    note: LongText | None = None
    reference: Text | None = None


class RoundPatch(Patch):
    """The orders of a proposal, source by source; sources left out get none. `reference`: the number of the purchase
    order, in any state of the round; null takes it away."""

    made_from = RoundIn

    orders: Annotated[dict[Key, Count], Field(max_length=20_000), Keyed] = unset()
    reference: Text | None = unset()


class AcceptIn(Shape):
    """`note`: in your words; needed where the frozen verdict is to keep the money or to measure first. `reference`: the
    number of the purchase order."""

    note: LongText | None = None
    reference: Text | None = None


class DeclineIn(Shape):
    reason: LongText


class CloseIn(Shape):
    note: LongText | None = None


class CancelIn(Shape):
    reason: LongText | None = None


class FrozenAllocation(RootModel[dict[str, Any]]):
    """An answer of `GET …/allocations/next`, word for word as the software of its day gave it."""

    model_config = ConfigDict(json_schema_extra=lambda schema: with_example(schema, AllocationOut))


class LineOut(Answer):
    source: str
    quantity: int
    cost: MoneyOut


class MeasuredOut(Answer):
    """The newest run since the round was accepted in which the group was measured."""

    observation: UUID
    count: int
    value: float


class GroupProgressOut(Answer):
    """What the round plans for a group beside what came. `metric_forecast` was frozen with the round: what the metric
    was forecast to be at `count_after` samples."""

    group: str
    planned: int
    accepted: int
    rejected: int
    pending: int
    count_before: int | None
    count_after: int | None
    metric_before: MetricOut | None
    metric_forecast: MetricOut | None
    measured: MeasuredOut | None


class HolderOut(Answer):
    """An API key, by whose name one knows who it was; null where it has none."""

    id: str
    name: str | None


class StepOut(Answer):
    """Who did what, when and with what words. An edit voids the approvals before it."""

    step: StepName
    by: HolderOut
    at: datetime
    note: str | None


class RoundSummary(Answer):
    """A round; `cost` is what its orders were planned to cost. Keys are named by id, and by name where they have one.
    `note` is of who proposed it, `reason` of who declined or cancelled it, `reference` the purchase order's number.
    `steps` tell its life, oldest first. From `expires_at` on a proposal is `expired` and can no longer be accepted."""

    number: int
    state: State
    external_id: str | None
    data_version: int
    query: dict[str, Any]
    currency: str
    cost: MoneyOut
    lines: list[LineOut]
    proposed_by: str
    proposed_by_name: str | None
    approvals: list[str]
    approval_names: list[str | None]
    approvals_needed: int
    steps: list[StepOut]
    reason: str | None
    note: str | None
    reference: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    accepted_at: datetime | None
    declined_at: datetime | None
    closed_at: datetime | None
    cancelled_at: datetime | None


class RoundOut(RoundSummary):
    """A round with its orders and groups: planned, ordered, delivered, and the effect on the metric, side by side.
    `spent` is charged so far, `committed` what its open orders may still cost; `warnings`: what its vendors said that
    deserves a second look."""

    spent: MoneyOut
    committed: MoneyOut
    warnings: list[WarningOut]
    orders: list[OrderOut]
    groups: list[GroupProgressOut]


def summary_of(project: Project, row: Round, now: datetime) -> RoundSummary:
    lines = [
        LineOut(source=key, quantity=line["quantity"], cost=line["cost"]) for key, line in sorted(row.lines.items())
    ]
    return RoundSummary.of(
        row,
        project,
        lines=lines,
        state=state_of(row, now),
        steps=[step_shape(one) for one in steps_of(row)],
        approvals_needed=approvals_needed(project, row),
        proposed_by_name=key_name(row, row.proposed_by),
        approval_names=[key_name(row, key_id) for key_id in row.approvals],
    )


def step_shape(one: Step) -> StepOut:
    return StepOut(step=one.step, by=HolderOut(id=one.key, name=one.name), at=one.at, note=one.note)


def round_shape(session: Session, project: Project, row: Round, now: datetime) -> RoundOut:
    progress = progress_of(session, project, row)
    return RoundOut.of(
        summary_of(project, row, now),
        money_of(order.totals for order in progress.orders),
        warnings=round_warnings(session, project, progress.orders),
        orders=[order_shape(order) for order in progress.orders],
        groups=[group_shape(group) for group in progress.groups],
    )


def round_warnings(session: Session, project: Project, orders: Sequence[OrderProgress]) -> list[WarningOut]:
    rows, sources = [one.order for one in orders], {one.order.id: one.source for one in orders}
    falls = falls_of(session, rows)
    keys = {group.id: group.key for group in members(session, Group, project.id, archived=None)} if falls else {}
    unread = unread_of_orders(session, rows)
    return [
        *(fall_warning(fall, sources[fall.order_id], keys[fall.group_id]) for fall in falls),
        *(unread_warning(one, sorted({sources[order_id] for order_id in one.order_ids})) for one in unread),
    ]


def fall_warning(fall: Fall, source: str, group: str) -> WarningOut:
    detail = (
        f"The vendor of '{source}' reports fewer {fall.what} samples of '{group}' than it had: {fall.left:,} instead of"
        f" {fall.most:,}, {fall.most - fall.left:,} fewer, since {fall.since:%Y-%m-%d %H:%M} UTC. Counts and charges"
        " follow what it says now; ask it why."
    )
    return WarningOut(code="counts_fell", group=group, source=source, detail=detail)


def unread_warning(one: Unread, sources: list[str]) -> WarningOut:
    said = [
        *([f"{one.events:,} in its webhooks"] if one.events else []),
        *([f"{one.items:,} when its API was read last"] if one.items else []),
    ]
    detail = (
        f"Items that the vendor of {', '.join(repr(source) for source in sources)} told of could not be read, and do"
        f" not count: {', '.join(said)}. The connection's quarantined deliveries and its reconciliations say why."
    )
    return WarningOut(code="unread_items", group=None, source=sources[0] if len(sources) == 1 else None, detail=detail)


def group_shape(one: GroupProgress) -> GroupProgressOut:
    forecast = one.forecast
    return GroupProgressOut.of(
        one,
        **one.counts,
        count_before=forecast.get("count"),
        count_after=forecast.get("count_after"),
        metric_before=forecast.get("now"),
        metric_forecast=forecast.get("after"),
    )


def shape_of(call: Call, project: Project, row: Round) -> RoundOut:
    call.session.flush()
    return round_shape(call.session, project, row, call.now)


@router.post(
    "",
    status_code=201,
    summary="Propose a round",
    responses=declared(
        AllocationChanged, Conflict, KeyTaken, PreconditionRequired, TooManyComputations, beside=repeated(RoundOut)
    ),
)
def propose_round(project_id: str, body: RoundIn, call: Annotated[Call, buys("write")]) -> RoundOut:
    """Freezes the allocation that was looked at: name its `data_version`, or send its ETag as If-Match, and repeat its
    query. Needs an `external_id` or an Idempotency-Key, so that a repeat proposes nothing twice."""
    if body.external_id is None and call.idempotency_key is None:
        raise invalid(Fault("/external_id", "is required here, or send an Idempotency-Key"))
    project = call.project(project_id)
    question = body.query.question()
    version = looked_at(call, project, body, question)
    asked = body.query.model_dump(mode="json")
    proposal = Proposal(body.external_id, version, question, asked, body.note, body.reference)
    repeat = proposals.find_repeat(call.session, project, proposal)
    if repeat is not None:
        call.status = 200
        return shape_of(call, project, repeat)
    row = proposals.propose(
        call.session, call.runtime.fits, project, proposal, allocation_json, call.caller, call.now, call.enqueue
    )
    call.headers["Location"] = f"/v1/projects/{project.id}/rounds/{row.number}"
    return shape_of(call, project, row)


def looked_at(call: Call, project: Project, body: RoundIn, question: AllocationQuestion) -> int:
    """The data version of the allocation that was looked at. Raises AllocationChanged for an ETag of another."""
    if body.data_version is not None:
        return body.data_version
    if call.if_match is None:
        raise PreconditionRequired("Name the allocation's data_version, or send its ETag as If-Match.")
    tags = [question_tag(project, question, groups) for groups in ("all", "bought")]
    if not any(matches(call.if_match, tag) for tag in tags):
        raise AllocationChanged(
            "If-Match does not name the next allocation for this query as it is now."
            f" The project is at data version {project.data_version}: ask again, look at it and propose that."
        )
    return project.data_version


@router.get("", summary="List rounds")
def list_rounds(
    project_id: str, call: Annotated[Call, reads("read")], limit: Limit = 50, cursor: Cursor = None
) -> Page[RoundSummary]:
    project = call.project(project_id)
    rows = listed_rounds(call.session, project.id)
    return page(call, cursor, limit, rows, lambda row: summary_of(project, row, call.now))


@router.get("/{number}", summary="Read a round")
def read_round(project_id: str, number: RoundNumber, call: Annotated[Call, reads("read")]) -> RoundOut:
    project = call.project(project_id)
    return shape_of(call, project, get_round(call.session, project, number))


@router.get("/{number}/allocation", summary="Read the allocation a round came from")
def read_round_allocation(
    project_id: str, number: RoundNumber, call: Annotated[Call, reads("read")]
) -> FrozenAllocation:
    """As it was looked at when the round was proposed, with its inputs, seed and data version."""
    return FrozenAllocation(get_round(call.session, call.project(project_id), number).allocation)


@router.patch("/{number}", summary="Edit a round", responses=declared(Conflict, TooManyComputations))
def edit_round(
    project_id: str, number: RoundNumber, body: RoundPatch, call: Annotated[Call, changes("write")]
) -> RoundOut:
    """A proposal takes other orders than the allocation's: what is signed is frozen anew, as the data are now, and
    approvals given before are void."""
    project = call.project(project_id)
    row = get_round(call.session, project, number)
    call.match(shape_of(call, project, row))
    if "orders" in body.model_fields_set:
        require(row, "proposed", "edited", call.now)
        wanted = ordering(call.session, project, row, body.orders)
        proposals.edit(
            call.session, call.runtime.fits, project, row, wanted, allocation_json, call.caller, call.now, call.enqueue
        )
    if "reference" in body.model_fields_set:
        rounds.refer(call.session, project, row, body.reference, call.caller, call.now)
    return shape_of(call, project, row)


def ordering(
    session: Session,
    project: Project,
    row: Round,
    orders: Mapping[str, int],
    note: str | None = None,
    reference: str | None = None,
) -> Proposal:
    """A proposal of just these orders, asked for as the round's allocation was. Raises Invalid for unknown sources."""
    asked = QueryIn.model_validate(row.query).question()
    question = proposals.edited_question(session, project, asked, orders)
    query = QueryIn.model_validate(vars(question)).model_dump(mode="json")
    return Proposal(None, project.data_version, question, query, note, reference)


@router.post(
    "/{number}/accept",
    summary="Accept a round",
    responses=declared(Conflict, LicenceRule, PreconditionFailed, PreconditionRequired),
)
def accept_round(
    project_id: str,
    number: RoundNumber,
    call: Annotated[Call, buys("buy")],
    body: Annotated[AcceptIn, Body(default_factory=AcceptIn)],
) -> RoundOut:
    """Commits the money: needs the round's ETag as If-Match. Over the project's `approval_threshold` a second key must
    accept as well. Against a verdict of `keep` or `measure` it takes a `note` that says why."""
    project, row = conditional(call, project_id, number)
    rounds.accept(call.session, project, row, body.note, body.reference, call.caller, call.now, call.enqueue)
    return shape_of(call, project, row)


@router.post(
    "/{number}/decline",
    summary="Decline a round",
    responses=declared(Conflict, PreconditionFailed, PreconditionRequired),
)
def decline_round(
    project_id: str, number: RoundNumber, body: DeclineIn, call: Annotated[Call, buys("buy")]
) -> RoundOut:
    """Refuses a proposal, and says why: needs the round's ETag as If-Match. To propose it again with other orders, look
    at the next allocation with `hold` and propose that."""
    project, row = conditional(call, project_id, number)
    rounds.decline(call.session, project, row, body.reason, call.caller, call.now, call.enqueue)
    return shape_of(call, project, row)


@router.post(
    "/{number}/close", summary="Close a round", responses=declared(Conflict, PreconditionFailed, PreconditionRequired)
)
def close_round(
    project_id: str,
    number: RoundNumber,
    call: Annotated[Call, buys("buy")],
    body: Annotated[CloseIn, Body(default_factory=CloseIn)],
) -> RoundOut:
    """Ends the collecting: what was committed and not spent is free again."""
    project, row = conditional(call, project_id, number)
    rounds.close(call.session, project, row, body.note, call.caller, call.now, call.enqueue)
    return shape_of(call, project, row)


@router.post(
    "/{number}/cancel", summary="Cancel a round", responses=declared(Conflict, PreconditionFailed, PreconditionRequired)
)
def cancel_round(
    project_id: str, number: RoundNumber, call: Annotated[Call, buys("write", "buy")], body: Annotated[CancelIn, Body()]
) -> RoundOut:
    """A proposal, with the scope `write`; or, with `buy`, an accepted round of which nothing has come yet."""
    project, row = conditional(call, project_id, number)
    rounds.cancel(call.session, project, row, body.reason, call.caller, call.now)
    return shape_of(call, project, row)


def conditional(call: Call, project_id: str, number: int) -> tuple[Project, Round]:
    """The round, if the caller has seen it as it is. Raises PreconditionRequired, PreconditionFailed."""
    project = call.project(project_id)
    row = get_round(call.session, project, number)
    if call.if_match is None:
        raise PreconditionRequired("Send the round's ETag as If-Match, so that you act on what you have seen.")
    call.match(shape_of(call, project, row))
    return project, row
