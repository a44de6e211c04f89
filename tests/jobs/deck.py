"""Jobs run one by one on a clock that jumps to the next one's time: days of retries in a moment, with real calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from app.api.planning.allocations import allocation_json
from app.jobs.registry import WORKFLOWS
from app.jobs.workflows import Context
from app.services.curves.fits import Fits
from app.services.enqueue import QueueName
from app.services.webhooks import events
from app.services.webhooks.events import EventType
from app.settings import Settings
from app.store.access import workspace_named
from app.store.db import Database
from app.store.models.webhooks import Event
from tests.api_client import Api, Clock


@dataclass(order=True)
class Card:
    at: datetime
    number: int
    name: str = field(compare=False)
    args: Mapping[str, Any] = field(compare=False)
    id: str = field(compare=False)


class Deck:
    """Takes what is enqueued, once per id and once it is committed, and runs it in order of time."""

    def __init__(self, settings: Settings, database: Database, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.cards: list[Card] = []
        self.ids: set[str] = set()
        self.lock = Lock()
        self.context = Context(settings, database, self.clock, Fits(0), self.enqueue, allocation_json)

    @classmethod
    def of(cls, api: Api, settings: Settings, database: Database) -> "Deck":
        """With the service's clock; what the service enqueues comes here."""
        made = cls(settings, database, api.clock)
        api.app.state.runtime = replace(api.app.state.runtime, enqueue=made.enqueue)
        return made

    def settle(self, api: Api, settings: Settings) -> None:
        """Other settings, of the service and of its worker."""
        self.context = replace(self.context, settings=settings)
        api.app.state.runtime = replace(api.app.state.runtime, settings=settings)

    def enqueue(
        self,
        session: Session,
        name: str,
        args: Mapping[str, Any],
        id: str,
        *,
        delay_s: float = 0.0,
        queue: QueueName = "rounds",
    ) -> None:
        at = self.clock.now + timedelta(seconds=delay_s)
        event.listen(session, "after_commit", lambda _: self.put(at, name, args, id), once=True)

    def put(self, at: datetime, name: str, args: Mapping[str, Any], id: str) -> None:
        with self.lock:
            if id not in self.ids:
                self.ids.add(id)
                self.cards.append(Card(at, len(self.ids), name, args, id))

    def step(self) -> Card:
        """Run the next job, at its time."""
        card = min(self.cards)
        self.cards.remove(card)
        self.clock.now = max(self.clock.now, card.at)
        WORKFLOWS[card.name](self.context, card.args)
        return card

    def run(self, until: datetime | None = None) -> None:
        """Run jobs until none is left, or none that is due by then."""
        while self.cards and (until is None or min(self.cards).at <= until):
            self.step()
        if until is not None:
            self.clock.now = max(self.clock.now, until)

    def run_for(self, **duration: float) -> None:
        self.run(self.clock.now + timedelta(**duration))

    def record(self, type: EventType = "observations.accepted", **data: Any) -> Event:
        """An event of the workspace 'default' that belongs to no project."""
        with self.context.database.writing() as session:
            workspace = workspace_named(session, "default")
            assert workspace is not None
            body = {"url": "/v1/somewhere", **data}
            return events.record(session, workspace.id, type, None, body, self.clock.now, self.enqueue)
