"""Makes the example project by what makes every other, all of it in one transaction.

What was proposed in its rounds is kept in `rounds.json`, the planner's answers of the day when it was written: nothing
is computed here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import count
from typing import Any, TypeAlias

from sqlalchemy.orm import Session

from app.services.access.keys import Caller
from app.services.enqueue import Enqueue
from app.services.example.skin_lesions import (
    GROUPS,
    MADE,
    NAME,
    NOT_MAPPED,
    PROJECT,
    QUALITY,
    ROUNDS,
    RUNS,
    SOURCES,
    WORDS,
    Came,
    Episode,
    runs_of,
)
from app.services.ledger.deliveries import Recording, record_delivery
from app.services.ledger.holdings import held_of
from app.services.observations import observe
from app.services.projects import projects
from app.services.purchases import proposals, rounds
from app.services.vendors import inbox
from app.services.vendors.connections import NewConnection, adapter_for, change_connection, create_connection
from app.settings import Settings
from app.store.access import wait_for_lock
from app.store.ledger import collected_counts
from app.store.models.projects import Group, Project, Source
from app.store.models.purchases import Order, Round
from app.store.models.vendors import VendorConnection
from app.store.projects import members
from app.store.reading import find
from app.store.rounds import orders_of_rounds

EXTERNAL_ID = "tranche-example-"
REASON = "The darkest tones are furthest from their targets."
Counts: TypeAlias = dict[str, dict[str, int]]
"""Group key → state → samples."""
Planned: TypeAlias = Callable[[Project, int, Mapping[str, int], datetime], dict[str, Any]]
"""The answer of `GET …/allocations/next` at the orders of a round, by its number."""


def make_example(
    session: Session,
    settings: Settings,
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
    planned: Planned | None = None,
) -> Project:
    """The workspace's example project: the one that is there, or a new one where none is or it was archived. Its panel
    delivers by a vendor connection where the caller may make one and the service can keep its secret, else by hand.
    `planned` stands in for what `rounds.json` keeps.

    Raises Forbidden for a key limited to projects.
    """
    caller.require_whole_workspace()
    # Who clicks at the same time waits, and is led to what this makes.
    wait_for_lock(session, json.dumps(["example", str(caller.workspace_id)]))
    for number in count(1):
        name = f"{EXTERNAL_ID}{number}"
        there = find(session, Project, workspace_id=caller.workspace_id, external_id=name)
        if there is None:
            return Story(session, settings, caller, now, enqueue, planned or kept).told(name)
        if there.archived_at is None and there.erased_at is None:
            return there
    raise AssertionError


def kept(project: Project, number: int, _: Mapping[str, int], at: datetime) -> dict[str, Any]:
    moment = {"data_version": project.data_version, "data_at": at.isoformat()}
    return answers()[number - 1] | moment


@cache
def answers() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(files(__package__).joinpath("rounds.json").read_text("utf-8"))
    return found


@dataclass(frozen=True)
class Story:
    """What happened in the project, each thing at its instant, by the services through which it happens elsewhere."""

    session: Session
    settings: Settings
    caller: Caller
    now: datetime
    enqueue: Enqueue
    planned: Planned

    def told(self, external_id: str) -> Project:
        connection = self._connection()
        fields = {**PROJECT, "external_id": external_id}
        panel, *others = SOURCES
        sources = [panel if connection is None else {**panel, "connection": connection.id}, *others]
        made = projects.create_project(self.session, self.caller, fields, GROUPS, sources, self._at(MADE))
        self.session.flush()
        if connection is not None:
            mapped = {word: key for word, key in WORDS.items() if word not in NOT_MAPPED}
            change_connection(self.session, connection, self.settings, {"group_map": mapped}, self._at(MADE))
        for (days, _), bought in zip(RUNS.items(), ROUNDS, strict=True):
            self._trained(made, days)
            self._collected(made, bought, connection)
        return made

    def _at(self, days: int) -> datetime:
        return self.now - timedelta(days=days)

    def _connection(self) -> VendorConnection | None:
        """Its address and its secret are told to nobody: only who may have others made can open it."""
        if not (self.settings.secret_keys and "admin" in self.caller.scopes):
            return None
        said = NewConnection(f"{NAME}, panel", "standard", None, {}, {}, None, None)
        row, _, _ = create_connection(self.session, self.caller, self.settings, said, self._at(MADE))
        return row

    def _trained(self, project: Project, days: int) -> None:
        groups = members(self.session, Group, project.id)
        held = {group.key: held_of(group, collected_counts(self.session, project.id)) for group in groups}
        # Of all that is held, what is synthetic alone counts for less than a clean sample.
        synthetic = {key: round((one.raw - one.effective) / (1.0 - QUALITY)) for key, one in held.items()}
        drafts = runs_of(days, {key: one.raw for key, one in held.items()}, synthetic)
        for draft in drafts:
            draft.observed_at = self._at(days)
        observe.post(self.session, project, drafts, False, self._at(days), self.enqueue)

    def _collected(self, project: Project, bought: Episode, connection: VendorConnection | None) -> None:
        row = self._proposed(project, bought)
        rounds.accept(self.session, project, row, REASON, None, self.caller, self._at(bought.accepted), self.enqueue)
        sources = {source.id: source for source in members(self.session, Source, project.id)}
        deliveries = [
            (one, order, sources[order.source_id])
            for order in orders_of_rounds(self.session, [row.id])
            for one in bought.came[sources[order.source_id].key]
        ]
        for one, order, source in sorted(deliveries, key=lambda found: -found[0].days):
            counts, by_panel = self._counts(project, one, order), bought.closed is None and source.key == "panel"
            if by_panel and connection is not None:
                self._sent(connection, one, order, counts)
            else:
                self._recorded(project, row, one, order, counts, NOT_MAPPED if by_panel else ())
        if bought.closed is not None:
            rounds.close(self.session, project, row, None, self.caller, self._at(bought.closed), self.enqueue)

    def _proposed(self, project: Project, bought: Episode) -> Round:
        at = self._at(bought.proposed)
        number = proposals.next_number(self.session, project, at)
        hold = {source["key"]: bought.orders.get(source["key"], 0) for source in SOURCES}
        answer = self.planned(project, number, hold, at)
        query = {"budget": None, "policy": "optimal", "exploration": None, "hold": hold}
        terms = proposals.present_terms(self.session, project, list(bought.orders))
        orders = [one for one in answer["sources"] if one["order"]]
        frozen = {
            "data_version": project.data_version,
            "query": query | {"draws": answer["draws"], "seed": answer["seed"]},
            "allocation": answer,
            "lines": {
                one["source"]: {"quantity": one["order"], "cost": one["cost"], "terms": terms[one["source"]]}
                for one in orders
            },
            "added": {one["group"]: one["add"] for one in answer["groups"] if one["add"]},
            "forecast": {
                one["group"]: {
                    "count": one["count"],
                    "count_after": one["count"] + one["add"],
                    "now": one["metric_now"],
                    "after": one["metric_after"],
                }
                for one in answer["groups"]
            },
            "cost": Decimal(answer["budget"]["spend"]),
        }
        return proposals.add_round(self.session, project, Said(f"example-{number}"), frozen, self.caller, at)

    def _counts(self, project: Project, came: Came, order: Order) -> Counts:
        keys = {group.id: group.key for group in members(self.session, Group, project.id)}
        return {
            keys[int(group_id)]: {
                state: round(getattr(came, state) * share * order.quantity)
                for state in ("accepted", "rejected", "pending")
            }
            for group_id, share in order.yields.items()
        }

    def _recorded(
        self, project: Project, row: Round, came: Came, order: Order, counts: Counts, unknown: Sequence[str]
    ) -> None:
        """By hand. unknown: the words of groups that nobody knows yet."""
        lost = {WORDS[word] for word in unknown}
        groups = {key: states for key, states in counts.items() if key not in lost}
        unmapped = sum(sum(counts[key].values()) for key in lost)
        at = self._at(came.days)
        said = Recording("delivery", f"delivery of {at:%Y-%m-%d}", groups, unmapped, None, None)
        record_delivery(self.session, project, row, order, said, self.caller, at, self.enqueue)

    def _sent(self, connection: VendorConnection, came: Came, order: Order, counts: Counts) -> None:
        """As the vendor's webhook brings it, its words for the groups included."""
        at, words = self._at(came.days), {key: word for word, key in WORDS.items()}
        rows = [
            {"group": words[key], "accepted": states["accepted"], "rejected": states["rejected"]}
            for key, states in counts.items()
        ]
        name = f"{order.id}-{came.days}"
        data = {"order_id": str(order.id), "id": name, "as_of": at.isoformat(), "counts": rows}
        body = json.dumps({"type": "order.delta", "timestamp": at.isoformat(), "data": data})
        letter = inbox.Letter(connection.id, name, {"webhook-id": name}, body, at)
        inbox.receive(self.session, [letter], at, self.enqueue)
        waiting = inbox.parsed(adapter_for(connection), inbox.waiting(self.session, connection))
        inbox.apply_batch(self.session, connection.id, waiting, at, self.enqueue)


@dataclass(frozen=True)
class Said:
    """By what a round is known."""

    external_id: str
    content: str = ""
