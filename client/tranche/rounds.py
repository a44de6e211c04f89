"""Rounds: what was ordered, what came, and what it did; and the ledger. Money is a `Decimal`, an instant a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tranche.answers import Estimate, Json, Remark, known, known_fields
from tranche.rows import Row, Tabular, banded, row_of


@dataclass(frozen=True, slots=True)
class Line:
    """What a round plans to order of a source."""

    source: str
    quantity: int
    cost: Decimal

    @classmethod
    def of(cls, answer: Json) -> "Line":
        return known(cls, answer, cost=Decimal(answer["cost"]))


@dataclass(frozen=True, slots=True)
class Order:
    """An order and what came of it, in samples; `groups` has accepted, rejected and pending by group."""

    id: str
    source: str
    state: str
    quantity: int
    cost: Decimal
    spent: Decimal
    committed: Decimal
    delivered: int
    accepted: int
    rejected: int
    pending: int
    unmapped: int
    over_delivered: int
    groups: Mapping[str, Json]
    external_id: str | None = None

    @classmethod
    def of(cls, answer: Json) -> "Order":
        amounts = {name: Decimal(answer[name]) for name in ("cost", "spent", "committed")}
        return known(cls, answer, **amounts)


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """What a round plans for a group beside what came; `metric_forecast` is for `count_after` samples, and `measured`
    the newest value measured since."""

    group: str
    planned: int
    accepted: int
    rejected: int
    pending: int
    count_before: int | None
    count_after: int | None
    metric_before: Estimate | None
    metric_forecast: Estimate | None
    measured: float | None

    @classmethod
    def of(cls, answer: Json) -> "GroupProgress":
        before, forecast = Estimate.of(answer["metric_before"]), Estimate.of(answer["metric_forecast"])
        measured = answer["measured"] and answer["measured"]["value"]
        return known(cls, answer, metric_before=before, metric_forecast=forecast, measured=measured)

    def row(self) -> Row:
        names = ("group", "planned", "accepted", "rejected", "pending", "count_before", "count_after")
        named = {name: getattr(self, name) for name in names}
        forecast = banded("metric_forecast", self.metric_forecast)
        return {**named, **banded("metric_before", self.metric_before), **forecast, "measured": self.measured}


@dataclass(frozen=True, slots=True)
class Step:
    """Who did what with a round, when and with what words. `key` is the id of the API key and `name` its name."""

    step: str
    key: str
    name: str | None
    at: str
    note: str | None

    @classmethod
    def of(cls, answer: Json) -> "Step":
        return known(cls, answer, key=answer["by"]["id"], name=answer["by"]["name"])


@dataclass(slots=True)
class Round(Tabular):
    """A purchase from proposal to close. Its rows are its orders, `steps` who did what, oldest first.

    The client's calls that change a round read it anew in place. `etag` is the version that was seen; a change is
    sent with it, so what somebody else has changed meanwhile is never overwritten. A round of a list has none, no
    orders and no groups: `get_round` reads them.
    """

    project_id: str
    number: int
    state: str
    external_id: str | None
    data_version: int
    cost: Decimal
    lines: tuple[Line, ...]
    approvals: tuple[str, ...]
    approvals_needed: int
    reason: str | None
    created_at: str
    accepted_at: str | None
    closed_at: str | None
    cancelled_at: str | None
    proposed_by: str | None = None
    steps: tuple[Step, ...] = ()
    note: str | None = None
    reference: str | None = None
    expires_at: str | None = None
    declined_at: str | None = None
    spent: Decimal | None = None
    committed: Decimal | None = None
    warnings: tuple[Remark, ...] = ()
    orders: tuple[Order, ...] = ()
    groups: Mapping[str, GroupProgress] = field(default_factory=dict)
    etag: str | None = None

    @classmethod
    def of(cls, project_id: str, answer: Json, etag: str | None = None) -> "Round":
        return cls(project_id=project_id, etag=etag, **_round_fields(answer))

    def read(self, answer: Json, etag: str | None) -> "Round":
        """Takes what the service says now; itself."""
        for name, value in {**_round_fields(answer), "etag": etag}.items():
            setattr(self, name, value)
        return self

    def order_of(self, source: str) -> Order:
        """The order from a source. Raises KeyError where there is none."""
        for order in self.orders:
            if order.source == source:
                return order
        raise KeyError(f"round {self.number} ({self.state}) has no order from {source!r}")

    def to_dicts(self) -> list[Row]:
        return [row_of(order) for order in self.orders]


def _round_fields(answer: Json) -> dict[str, Any]:
    decoded: dict[str, Any] = {
        "cost": Decimal(answer["cost"]),
        "lines": tuple(Line.of(one) for one in answer["lines"]),
        "approvals": tuple(answer["approvals"]),
        "steps": tuple(Step.of(one) for one in answer.get("steps", ())),
    }
    if "orders" in answer:
        decoded |= {name: Decimal(answer[name]) for name in ("spent", "committed")}
        decoded["warnings"] = Remark.all_of(answer)
        decoded["orders"] = tuple(Order.of(one) for one in answer["orders"])
        decoded["groups"] = {one["group"]: GroupProgress.of(one) for one in answer["groups"]}
    return {**known_fields(Round, answer), **decoded}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was recorded of an order, the order after it, and the service's warnings (more came than was ordered, …)."""

    id: str
    kind: str
    external_id: str | None
    order: Order
    data_version: int
    warnings: tuple[Remark, ...]

    @classmethod
    def of(cls, answer: Json) -> "Delivery":
        return known(cls, answer, order=Order.of(answer["order"]), warnings=Remark.all_of(answer))


@dataclass(frozen=True, slots=True)
class Entry:
    """A difference in the ledger: samples of a group in a state, money spent and committed."""

    id: int
    order: str
    kind: str
    group: str | None
    state: str | None
    count: int
    spent: Decimal
    committed: Decimal
    cause: str
    note: str | None
    created_at: str

    @classmethod
    def of(cls, answer: Json) -> "Entry":
        return known(cls, answer, spent=Decimal(answer["spent"]), committed=Decimal(answer["committed"]))


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """Whether the entries add up to the records they came from, and where not."""

    entries_add_up: bool
    discrepancies: tuple[Json, ...]

    @classmethod
    def of(cls, answer: Json) -> "LedgerCheck":
        return known(cls, answer, discrepancies=tuple(answer["discrepancies"]))
