"""Prolific's webhooks: signed with a timestamp, and thin. An item is a submission; its state is read from the API."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.vendors.base import Headers, State, VendorEvent, Verified, delivery_name
from app.vendors.signatures import Hmac, Timestamp
from app.vendors.values import Unusable, instant, mapping, read_json, text

STATES: dict[str, State] = {
    "RESERVED": "uncounted",
    "ACTIVE": "uncounted",
    "AWAITING REVIEW": "submitted",
    "APPROVED": "accepted",
    "REJECTED": "rejected",
    "PARTIALLY APPROVED": "rejected",
    "SCREENED OUT": "rejected",
    "RETURNED": "uncounted",
    "TIMED-OUT": "uncounted",
}
TIMESTAMP = "header:X-Prolific-Request-Timestamp"
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Filter(BaseModel):
    """One of Prolific's filters. weightings: shares of the selected values; they become exact numbers of places."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter_id: ShortText
    selected_values: Annotated[list[ShortText], Field(max_length=100)] | None = None
    selected_range: dict[Annotated[str, StringConstraints(pattern="^(lower|upper)$")], float] | None = None
    weightings: dict[ShortText, Annotated[int, Field(ge=1, le=1_000_000)]] | None = None


class ProlificConfig(BaseModel):
    """base_url: Prolific's API. workspace_id: where webhooks are subscribed. project_id: where studies are made. study:
    further fields of every study we create, among them `description`, `external_study_url`,
    `estimated_completion_time` and `completion_codes`. fee_percent: what Prolific adds to a reward, fees and taxes.
    group_filters: who belongs to each group."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=500)] = "https://api.prolific.com"
    workspace_id: ShortText | None = None
    project_id: ShortText | None = None
    study: Annotated[dict[str, Any], Field(max_length=50)] = {}
    fee_percent: Annotated[Decimal, Field(ge=0, le=200, max_digits=9)] | None = None
    group_filters: dict[str, Annotated[list[Filter], Field(max_length=50)]] = {}


class Prolific:
    kept_headers = frozenset({"x-event-id", "x-timestamp"})

    def __init__(self, config: ProlificConfig) -> None:
        self.config = config
        self.signature = Hmac(
            scheme="hmac",
            algorithm="sha256",
            encoding="base64",
            header="X-Prolific-Request-Signature",
            signed=[f"{{{TIMESTAMP}}}", "{body}"],
            timestamp=Timestamp.model_validate({"from": TIMESTAMP}),
        )
        self.weakness: str | None = self.signature.weakness

    def check_secret(self, secret: str) -> None:
        self.signature.check_secret(secret)

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Verified:
        checked = self.signature.verify(headers, body, secrets, now)
        return Verified(delivery_name(headers.get("X-Event-ID"), body), checked.sent_at, checked.secret_index)

    def readable(self, body: bytes) -> bytes:
        read_json(body)
        return body

    def parse(self, headers: Headers, body: bytes) -> list[VendorEvent]:
        try:
            return [read_event(mapping(read_json(body), "the body"), headers)]
        except Unusable as problem:
            return [VendorEvent("quarantined", detail=str(problem))]


def read_event(message: dict[str, Any], headers: Headers) -> VendorEvent:
    kind, resource = message.get("event_type"), text(message.get("resource_id"), "resource_id")
    if kind == "submission.status.change" and resource is not None:
        return VendorEvent(
            "item_state",
            external_item_id=resource,
            state=submission_state(message.get("status")),
            occurred_at=sent_at(headers.get("X-Timestamp")),
        )
    if isinstance(kind, str) and kind.startswith("study."):
        return VendorEvent("poke", external_order_id=resource)
    return VendorEvent("ignored", detail=f"event_type {kind!r:.100}")


def submission_state(status: Any) -> State:
    """What a status means. Raises Unusable for one that we do not know."""
    state = STATES.get(status.upper()) if isinstance(status, str) else None
    if state is None:
        raise Unusable(f"status {status!r:.50} is none of a submission we know")
    return state


def sent_at(value: str | None) -> datetime | None:
    """When the event happened: seconds since 1970, or RFC 3339."""
    digits = value is not None and value.isascii() and value.isdecimal() and len(value) <= 14
    return instant(int(value) if digits and value else value, "X-Timestamp")
