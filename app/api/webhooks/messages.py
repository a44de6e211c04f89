"""What is sent to webhook endpoints: the body of every type of event, described in the contract."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import ConfigDict

from app.api.http.shapes import Answer, MoneyOut


class Sent(Answer):
    """A part of a message. Receivers pass over fields that they do not know: some may be added."""

    model_config = ConfigDict(extra="ignore")


class Message(Sent):
    """`version` is that of the data; `sequence` is the place among the events of the workspace; `id` is the same at
    each attempt; `data.url` is the path of what changed."""

    version: int
    timestamp: datetime
    id: UUID
    sequence: int
    project_id: UUID


class AcceptedData(Sent):
    url: str
    accepted: int
    data_version: int


class ObservationsAccepted(Message):
    """Evaluated runs were stored."""

    type: Literal["observations.accepted"]
    data: AcceptedData


class PurchaseSent(Sent):
    order: int
    cost: MoneyOut


class PlannedSent(Sent):
    """An allocation, of which `sources` has those whose orders changed most."""

    data_version: int
    available: MoneyOut
    spend: MoneyOut
    sources: dict[str, PurchaseSent]


class ChangeData(Sent):
    """`moved`: the share of the round's money that goes elsewhere. `before` is null where nothing was announced yet."""

    url: str
    moved: float
    sources_changed: int
    before: PlannedSent | None
    after: PlannedSent


class AllocationChanged(Message):
    """New data move more of the next round's money than the threshold."""

    type: Literal["allocation.changed"]
    data: ChangeData


class TargetData(Sent):
    url: str
    group: str
    target: float
    probability: float
    data_version: int


class TargetReached(Message):
    """A group reaches its target with a probability of 0.9."""

    type: Literal["target.reached"]
    data: TargetData


class RoundData(Sent):
    url: str
    round: int


class SignerSent(Sent):
    id: str
    name: str | None


class ProposalData(RoundData):
    """What a proposal would buy, as it stands. `page`: the path of its page; `by`: the API key that did what is told
    of, with its `note`; `verdict`: on the plan, as a sentence, null for rounds from before there were verdicts;
    `approvals`: how many it has of `approvals_needed`."""

    page: str
    project_name: str
    by: SignerSent
    note: str | None
    reference: str | None
    cost: MoneyOut
    currency: str
    verdict: str | None
    approvals: int
    approvals_needed: int
    expires_at: datetime | None


class RoundProposed(Message):
    """A round is proposed and waits to be approved."""

    type: Literal["round.proposed"]
    data: ProposalData


class RoundApprovalNeeded(Message):
    """A proposal was edited, which voids its approvals, or has one and needs another key's."""

    type: Literal["round.approval_needed"]
    data: ProposalData


class RoundDeclined(Message):
    """A proposal is declined; `note` says why. Nothing was bought."""

    type: Literal["round.declined"]
    data: ProposalData


class RoundAccepted(Message):
    """A round has the approvals it needs; its orders are made."""

    type: Literal["round.accepted"]
    data: RoundData


class RoundClosed(Message):
    """A round is closed: nothing more is expected of its orders."""

    type: Literal["round.closed"]
    data: RoundData


class OrderData(RoundData):
    order: UUID


class OrderPlaced(Message):
    """An order is with its vendor."""

    type: Literal["order.placed"]
    data: OrderData


class DeliveryRecorded(Message):
    """The counts of an order changed: a delivery, or a correction."""

    type: Literal["delivery.recorded"]
    data: OrderData


class LeftData(Sent):
    url: str
    left: MoneyOut


class BudgetExhausted(Message):
    """What is left pays for no sample of any source."""

    type: Literal["budget.exhausted"]
    data: LeftData


class DisabledData(Sent):
    url: str
    reason: str


class EndpointDisabled(Message):
    """A webhook endpoint gets nothing any more. `project_id` is null for an endpoint of all projects."""

    type: Literal["endpoint.disabled"]
    project_id: UUID | None  # type: ignore[assignment]
    data: DisabledData


class EndpointData(Sent):
    url: str


class EndpointTest(Message):
    """What `POST …/test` sends: no event of the workspace, so that `sequence` and `project_id` are null."""

    type: Literal["endpoint.test"]
    sequence: None  # type: ignore[assignment]
    project_id: None  # type: ignore[assignment]
    data: EndpointData


MESSAGES: tuple[type[Message], ...] = (
    ObservationsAccepted,
    AllocationChanged,
    TargetReached,
    RoundProposed,
    RoundApprovalNeeded,
    RoundDeclined,
    RoundAccepted,
    RoundClosed,
    OrderPlaced,
    DeliveryRecorded,
    BudgetExhausted,
    EndpointDisabled,
    EndpointTest,
)


def type_of(message: type[Message]) -> str:
    """The type of event that the message tells of."""
    [type] = get_args(message.model_fields["type"].annotation)
    return str(type)


def receiver(message: type[Message]) -> Any:
    """The shape of the call that a receiver gets."""

    def receive(
        body: message,  # type: ignore[valid-type]
        webhook_id: Annotated[str, Header(description="The event's `id`, the same at each attempt")],
        webhook_timestamp: Annotated[str, Header(description="When this attempt was made, in seconds since 1970")],
        webhook_signature: Annotated[
            str, Header(description="`v1,` and the signature, for each secret that signs now")
        ],
    ) -> None:
        """Never called: the receiver is another's."""

    return receive


# The contract's section `webhooks`, for every app the same one: making it takes longer than the rest of an app.
described = APIRouter()
for message in MESSAGES:
    words = type_of(message)
    described.add_api_route(
        words,
        receiver(message),
        methods=["POST"],
        status_code=204,
        summary=words,
        description=message.__doc__,
        tags=["webhooks"],
        operation_id="webhooks_send_" + words.replace(".", "_"),
        response_description="Received: any 2xx within 15 seconds. Anything else is tried again.",
    )
