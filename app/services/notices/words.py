"""Each event in a sentence, for people."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from app.money import told
from app.planner.wording import percent
from app.store.models.projects import Project
from app.store.models.purchases import Round
from app.store.models.webhooks import Event
from app.store.reading import find

TEST_TYPE = "endpoint.test"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
ENDPOINTS = "/v1/webhook-endpoints/"


@dataclass(frozen=True)
class Notice:
    """`headline`: one line, a sentence without its full stop; `more`: sentences behind it, perhaps none; `quote`: what
    somebody wrote; `path`: of the page that shows it."""

    headline: str
    more: str
    quote: str
    path: str


@dataclass(frozen=True)
class Facts:
    """An event and what the store knows beside it. `cost`: of the round; `project`: its name."""

    type: str
    data: Mapping[str, Any]
    project: str
    currency: str
    cost: Decimal | None

    def money(self, amount: Any) -> str:
        """In the currency's minor unit."""
        return f"{told(Decimal(amount), self.currency)} {self.currency}".rstrip()

    @property
    def round(self) -> str:
        """Which round of which project, and what it costs where that is known."""
        costs = "" if self.cost is None else f" for {self.money(self.cost)}"
        return f"round {self.data['round']} of {self.project}{costs}"

    @property
    def who(self) -> str:
        """Whose key did it; empty where that is not said."""
        by = self.data.get("by")
        return "" if by is None else by["name"] or f"Key {by['id']}"

    def by(self, verb: str) -> str:
        return f"{self.who} {verb} {self.round}" if self.who else f"{capital(self.round)} is {verb}"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def what_waits(facts: Facts) -> str:
    """What whoever is asked to approve needs to know."""
    data = facts.data
    parts = [
        f"It has {data['approvals']} of the {data['approvals_needed']} approvals it needs.",
        data["verdict"],
        data["reference"] and f"Purchase order: {data['reference']}.",
        data["expires_at"] and f"It expires on {data['expires_at'][:10]}.",
    ]
    return " ".join(filter(None, parts))


def proposed(facts: Facts) -> tuple[str, str]:
    return facts.by("proposed"), what_waits(facts)


def approval_needed(facts: Facts) -> tuple[str, str]:
    return f"{capital(facts.round)} waits for approval", what_waits(facts)


def declined(facts: Facts) -> tuple[str, str]:
    return facts.by("declined"), "Nothing was ordered."


def accepted(facts: Facts) -> tuple[str, str]:
    return facts.by("accepted"), "Its orders are made."


def closed(facts: Facts) -> tuple[str, str]:
    return facts.by("closed"), "Nothing more is expected of its orders."


def order_placed(facts: Facts) -> tuple[str, str]:
    return f"An order of round {facts.data['round']} of {facts.project} is with its vendor", ""


def delivery_recorded(facts: Facts) -> tuple[str, str]:
    return f"The counts of an order of round {facts.data['round']} of {facts.project} changed", ""


def observations_accepted(facts: Facts) -> tuple[str, str]:
    count = facts.data["accepted"]
    were = "training run was" if count == 1 else "training runs were"
    return f"{count:,} {were} stored in {facts.project}", ""


def allocation_changed(facts: Facts) -> tuple[str, str]:
    return (
        f"New data change the plan of {facts.project}",
        f"{percent(facts.data['moved'])} of the money goes elsewhere.",
    )


def target_reached(facts: Facts) -> tuple[str, str]:
    data = facts.data
    return (
        f"{data['group']} of {facts.project} reaches its target",
        f"{data['target']:g} is reached with a probability of {percent(data['probability'])}.",
    )


def budget_exhausted(facts: Facts) -> tuple[str, str]:
    left = facts.money(facts.data["left"])
    return f"The budget of {facts.project} is used up", f"What is left, {left}, pays for no sample of any source."


def endpoint_disabled(facts: Facts) -> tuple[str, str]:
    return "An endpoint gets nothing any more", f"It was disabled: {facts.data['reason']}."


def test(_: Facts) -> tuple[str, str]:
    return "This is a test of Tranche", "What happens in your projects will be told here."


def anything(facts: Facts) -> tuple[str, str]:
    return f"{facts.type} in {facts.project}", ""


SENTENCES: Mapping[str, Callable[[Facts], tuple[str, str]]] = {
    "round.proposed": proposed,
    "round.approval_needed": approval_needed,
    "round.declined": declined,
    "round.accepted": accepted,
    "round.closed": closed,
    "order.placed": order_placed,
    "delivery.recorded": delivery_recorded,
    "observations.accepted": observations_accepted,
    "allocation.changed": allocation_changed,
    "target.reached": target_reached,
    "budget.exhausted": budget_exhausted,
    "endpoint.disabled": endpoint_disabled,
    TEST_TYPE: test,
}
"""An event that is not here is told by its type."""


def notice_of(session: Session, type: str, event: Event | None, otherwise: str) -> Notice:
    """What is told of an event; of a test (no event) with the path `otherwise`."""
    data = {} if event is None else event.data
    facts = facts_of(session, type, event, data)
    headline, more = SENTENCES.get(type, anything)(facts)
    note = CONTROLS.sub(" ", data.get("note") or "").strip()
    quote = f"{facts.who}: {note}" if note and facts.who else note
    path = otherwise if event is None else page_of(event)
    return Notice(one_line(headline), one_line(more), quote, path)


def facts_of(session: Session, type: str, event: Event | None, data: Mapping[str, Any]) -> Facts:
    if event is None or event.project_id is None:
        return Facts(type, data, "this workspace", "", None)
    project = session.get_one(Project, event.project_id)
    cost = data.get("cost")
    if cost is None and "round" in data:
        bought = find(session, Round, project_id=project.id, number=data["round"])
        cost = None if bought is None else bought.cost
    return Facts(type, data, f"“{project.name}”", project.currency, None if cost is None else Decimal(cost))


def page_of(event: Event) -> str:
    """The path of the page that shows what happened."""
    url = str(event.data.get("url", ""))
    if url.startswith(ENDPOINTS):
        return f"/endpoints/{url.removeprefix(ENDPOINTS)}"
    if event.project_id is None:
        return "/"
    number = event.data.get("round")
    return f"/projects/{event.project_id}" + ("" if number is None else f"/rounds/{number}")


def one_line(text: str) -> str:
    return " ".join(CONTROLS.sub(" ", text).split())
