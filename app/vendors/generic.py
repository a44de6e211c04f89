"""A vendor described by data: a signature scheme, JMESPath expressions and value tables. No code runs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any

from jmespath.parser import ParsedResult
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.errors import Malformed, VerifyFailed
from app.strict_json import Number
from app.vendors.base import Headers, State, VendorEvent, Verified, delivery_name
from app.vendors.expressions import Evaluation, check, compiled
from app.vendors.signatures import HeaderName, Signature, read_form
from app.vendors.values import Unusable, count, currency, instant, money, named, read_json, text, whole

MAX_EXPRESSION = 512
MAX_EVENTS = 20_000
# JMESPath knows a number by its class's name.
Float = type("float", (Number,), {})


def number(text: str) -> Any:
    """A number as expressions see it: 3.0 is the whole number that it is, and to_string() says so."""
    return whole(Float(text))


def checked_expression(expression: str) -> str:
    compiled(expression)
    return expression


Expression = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_EXPRESSION), AfterValidator(checked_expression)
]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StateTable(Config):
    """Where the vendor's word for a state stands, what each word means to us, and what every other word means.

    The words may also stand in a header; with both, the header's word and the body's are one, with a slash between
    (`TOPIC/approved`), and the header's alone means what the two together do not. `ignored` makes no event, and
    `quarantined` one that waits for its word to be given a meaning.
    """

    path: Expression | None = None
    header: HeaderName | None = None
    values: Annotated[dict[Word, State], Field(min_length=1, max_length=100)]
    default: State | str = Field(
        default="ignored", pattern="^(submitted|accepted|rejected|uncounted|retracted|ignored|quarantined)$"
    )

    def meaning(self, words: Sequence[str]) -> str:
        """What the first of `words` that is here means. Raises Unusable where that is to be asked."""
        for word in words:
            if word in self.values:
                return self.values[word]
        if self.default == "quarantined":
            said = ascii(words[0])[:100] if words else "none"
            raise Unusable(f"the vendor's word for the state is {said}: say in state.values what it means")
        return self.default


class Fields(Config):
    """Where an event's parts stand. Expressions see `{"event": …, "body": …}`."""

    external_item_id: Expression
    external_order_id: Expression | None = None
    external_parent_id: Expression | None = None
    order_ref: Expression | None = None
    line_ref: Expression | None = None
    group: Expression | None = None
    quantity: Expression | None = None
    occurred_at: Expression | None = None
    cost: Expression | None = None
    currency: Expression | None = None


class GenericConfig(Config):
    """body: `json`, or `form` with JSON text in `form_field`, which is then what the expressions see beside the other
    fields. delivery_id_header: a header that is the same on every retry; without one, the body's hash serves.
    events: finds the events in a body; without it the body is one event.
    redact: top-level names whose values are never stored."""

    signature: Signature
    body: Annotated[str, StringConstraints(pattern="^(json|form)$")] = "json"
    form_field: Word = "payload"
    delivery_id_header: HeaderName | None = None
    events: Expression | None = None
    fields: Fields
    state: StateTable
    redact: Annotated[list[Word], Field(max_length=20)] = []


class Generic:
    def __init__(self, config: GenericConfig) -> None:
        self.config = config
        self.weakness: str | None = config.signature.weakness
        named = {config.state.header, config.delivery_id_header} - {None}
        self.kept_headers = frozenset(name.lower() for name in named if name)

    @cached_property
    def expressions(self) -> Mapping[str, ParsedResult]:
        """By their place in the configuration; those of `fields` by their own names."""
        given = self.config.fields.model_dump(exclude_none=True)
        return {name: compiled(expression) for name, expression in given.items()}

    @cached_property
    def events(self) -> ParsedResult | None:
        return compiled(self.config.events) if self.config.events else None

    @cached_property
    def state_path(self) -> ParsedResult | None:
        return compiled(self.config.state.path) if self.config.state.path else None

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is known to be wrong with an expression before any body is read: its JSON pointer, and why."""
        fields = {f"/fields/{name}": expression for name, expression in self.expressions.items()}
        for pointer, expression in {"/events": self.events, "/state/path": self.state_path, **fields}.items():
            try:
                if expression is not None:
                    check(expression)
            except ValueError as problem:
                yield pointer, str(problem)

    def check_secret(self, secret: str) -> None:
        self.config.signature.check_secret(secret)

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Verified:
        checked = self.config.signature.verify(headers, body, secrets, now)
        named = headers.get(self.config.delivery_id_header) if self.config.delivery_id_header else None
        return Verified(delivery_name(named, body), checked.sent_at, checked.secret_index)

    def readable(self, body: bytes) -> bytes:
        """A form is stored as JSON, so that what is stored is always that."""
        document = self.document(body)
        hidden = [name for name in self.config.redact if isinstance(document, dict) and name in document]
        if self.config.body == "json" and not hidden:
            return body
        return json.dumps({**document, **dict.fromkeys(hidden, "redacted")}).encode()

    def document(self, body: bytes) -> Any:
        """Raises Malformed."""
        if self.config.body == "json" or body.startswith(b"{"):
            return read_json(body, number)
        try:
            form: dict[str, Any] = dict(read_form(body))
        except VerifyFailed as problem:
            raise Malformed(problem.detail) from None
        inner = form.get(self.config.form_field)
        if inner is None:
            raise Malformed(f"The form has no field {self.config.form_field}.")
        return {**form, self.config.form_field: read_json(inner.encode("utf-8", "replace"), number)}

    def parse(self, headers: Headers, body: bytes) -> list[VendorEvent]:
        document, evaluation = self.document(body), Evaluation(body)
        try:
            found = [document] if self.events is None else evaluation.of_body(self.events, document)
        except Unusable as problem:
            return [VendorEvent("quarantined", detail=f"events: {problem}")]
        if not isinstance(found, list) or not found:
            return [VendorEvent("ignored", detail="the body holds no event")]
        if len(found) > MAX_EVENTS:
            return [VendorEvent("quarantined", detail=f"{len(found)} events; at most {MAX_EVENTS} are read")]
        evaluation.found(len(found))
        return [self.event(headers, evaluation, {"event": one, "body": document}) for one in found]

    def event(self, headers: Headers, evaluation: Evaluation, document: Mapping[str, Any]) -> VendorEvent:
        try:
            state = self.state(headers, evaluation, document)
            if state == "ignored":
                return VendorEvent("ignored")
            values = {name: evaluation.of_event(one, document) for name, one in self.expressions.items()}
            return item_event(values, state)
        except Unusable as problem:
            return VendorEvent("quarantined", detail=f"the event: {problem}")

    def state(self, headers: Headers, evaluation: Evaluation, document: Mapping[str, Any]) -> Any:
        table = self.config.state
        word = headers.get(table.header) if table.header else None
        if self.state_path is None:
            return table.meaning([word] if word else [])
        inner = text(evaluation.of_event(self.state_path, document), "the state")
        if table.header is None:
            return table.meaning([inner] if inner else [])
        return table.meaning([one for one in (f"{word}/{inner}" if word and inner else None, word) if one])


def item_event(values: Mapping[str, Any], state: State) -> VendorEvent:
    """An item's new state. Raises Unusable."""

    def read(name: str) -> str | None:
        return text(values.get(name), name)

    item_id = named(values["external_item_id"], "external_item_id")
    quantity = count(values["quantity"], "quantity") if "quantity" in values else 1
    if quantity is None:
        raise Unusable("quantity is not in the body")
    return VendorEvent(
        "item_state",
        external_order_id=read("external_order_id"),
        external_item_id=item_id,
        external_parent_id=read("external_parent_id"),
        order_ref=read("order_ref"),
        line_ref=read("line_ref"),
        group=read("group"),
        state=state,
        quantity=quantity,
        occurred_at=instant(values.get("occurred_at"), "occurred_at"),
        cost=money(values.get("cost"), "cost"),
        currency=currency(values.get("currency"), "currency"),
    )
