"""A project whose source sells through a vendor connection, its order placed, and the vendor's webhooks."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import httpx

from app.jobs.vendors import drain_inbox, map_items, reconcile_orders
from app.jobs.workflows import Context
from app.services.ids import new_id
from app.services.ledger.terms import terms_of
from app.services.vendors.directory import line_id
from app.store.models.projects import Project, Source
from app.store.models.purchases import Order, Round
from app.store.projects import members
from tests.api_client import NOW, Api
from tests.vendors.samples import compact, standard_headers

Counts = dict[str, dict[str, int]]


class World:
    """One connection of a kind, one project with groups A and B, one source that sells both, one order."""

    def __init__(self, api: Api, context: Context, connection: Mapping[str, Any] | None = None) -> None:
        self.api = api
        self.context = context
        self.numbers = count(1)
        said = {"name": "vendor", "kind": "standard", **(connection or {})}
        made = api.post("/v1/vendor-connections", json=said)
        assert made.status_code == 201, made.text
        self.connection = f"/v1/vendor-connections/{made.json()['id']}"
        self.connection_id = made.json()["id"]
        self.hook = httpx.URL(made.json()["hook_url"]).path
        self.secret: str = made.json()["secret"]
        self.project = api.project(groups=[{"key": "A", "initial_count": 0}, {"key": "B", "initial_count": 0}])
        source = {"key": "s", "yields": {"A": 0.5, "B": 0.5}, "unit_cost": "2", "connection": self.connection_id}
        answer = api.post(f"{self.project}/sources", json=source)
        assert answer.status_code == 201, answer.text
        self.order_id = self.order(100)

    @property
    def now(self) -> Any:
        return self.api.clock.now

    def order(self, quantity: int, state: str = "placed", source: str = "s") -> str:
        """An order of an accepted round, without the planning that leads to it."""
        with self.context.database.writing() as session:
            project = session.get_one(Project, UUID(self.project.rsplit("/", 1)[1]))
            [row] = [one for one in members(session, Source, project.id) if one.key == source]
            purchase = Round(
                project_id=project.id, number=next(self.numbers), state="accepted", external_id=None, content_hash="",
                data_version=1, query={}, allocation={}, forecast={}, lines={}, added={}, cost=Decimal(2 * quantity),
                approvals=[], steps=[], proposed_by="k", reason=None, created_at=NOW, updated_at=NOW, accepted_at=NOW,
                closed_at=None, cancelled_at=None,
            )  # fmt: skip
            session.add(purchase)
            session.flush()
            order = Order(
                id=new_id(), project_id=project.id, round_id=purchase.id, source_id=row.id, state=state,
                quantity=quantity, terms=terms_of(row, 0, project.currency).stored(), acceptance_rate=1.0, quality=1.0,
                yields={str(one.group_id): one.share for one in row.yields}, cost=Decimal(2 * quantity),
                external_id=None, created_at=NOW, updated_at=NOW, placed_at=NOW, closed_at=None,
            )  # fmt: skip
            session.add(order)
            return str(order.id)

    def line(self, group: str) -> str:
        return line_id(UUID(self.order_id), group)

    # What the vendor sends

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        sent = headers if headers is not None else self.signed(body)
        return self.api.as_key(None).post(self.hook, content=body, headers=dict(sent))

    def signed(self, body: bytes, message_id: str | None = None) -> dict[str, str]:
        name = message_id or f"msg_{next(self.numbers)}"
        return standard_headers(body, self.secret, int(self.now.timestamp()), name)

    def signed_as(self, body: bytes, name: str) -> dict[str, str]:
        """Signed over the bytes that a header of Latin-1 letters is sent as."""
        at = str(int(self.now.timestamp()))
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        digest = hmac.digest(key, b".".join([name.encode("latin-1"), at.encode(), body]), hashlib.sha256)
        signature = "v1," + base64.b64encode(digest).decode()
        return {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": signature}

    def items(self, *items: Mapping[str, Any], order: str | None = None) -> bytes:
        data = {"order_id": order or self.order_id, "items": list(items)}
        return compact({"type": "items.changed", "timestamp": self.now.isoformat(), "data": data})

    def send(self, *items: Mapping[str, Any], order: str | None = None) -> None:
        """A webhook of items, stored and applied."""
        answer = self.post(self.items(*items, order=order))
        assert answer.status_code == 202, answer.text
        self.drain()

    def later(self, seconds: float = 60) -> None:
        self.api.clock.now += timedelta(seconds=seconds)

    # What jobs do

    def drain(self) -> None:
        drain_inbox(self.context, {"connection_id": self.connection_id})

    def map(self) -> None:
        map_items(self.context, {"connection_id": self.connection_id, "id": str(new_id())})
        self.drain()

    def reconcile(self, reason: str = "button") -> dict[str, Any]:
        reconcile_orders(self.context, {"connection_id": self.connection_id, "reason": reason})
        report: dict[str, Any] = self.api.get(f"{self.connection}/reconciliations").json()["items"][0]
        return report

    # What came of it

    def read(self, order: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"{self.project}/orders/{order or self.order_id}").json()
        return found

    def counts(self, order: str | None = None) -> Counts:
        """Group → state → samples, zeros left out; unmapped ones under ''. Checks that the ledger adds up."""
        self.check()
        seen = self.read(order)
        found = {key: {state: n for state, n in by.items() if n} for key, by in seen["groups"].items()}
        found = {key: by for key, by in found.items() if by}
        return found | ({"": {"unmapped": seen["unmapped"]}} if seen["unmapped"] else {})

    def check(self) -> None:
        assert self.api.get(f"{self.project}/ledger/check").json() == {"entries_add_up": True, "discrepancies": []}

    def outcomes(self) -> dict[str, int]:
        found: dict[str, int] = self.api.get(self.connection).json()["deliveries"]
        return found

    def deliveries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get(f"{self.connection}/deliveries?limit=500").json()["items"]
        return found
