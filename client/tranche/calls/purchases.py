"""Calls on what is bought: a purchase in one call, a round's whole life, and the ledger."""

from collections.abc import Iterable, Mapping
from typing import Any

from tranche.answers import Json, Money
from tranche.hindsight import Hindsight
from tranche.http import Connection, Identified, path, said
from tranche.plans import Allocation
from tranche.rounds import Delivery, Entry, LedgerCheck, Order, Round
from tranche.rows import Listing


class PurchaseCalls(Connection):
    def record_purchase(
        self,
        project: str | Identified,
        orders: Allocation | Mapping[str, int | Json] | None = None,
        *,
        groups: Mapping[str, int] | None = None,
        spent: Money | None = None,
        external_id: str | None = None,
        note: str | None = None,
    ) -> Round:
        """Records in one call what was bought and has arrived; it gives the closed round.

        orders: a plan whose orders came in full and were all accepted, or samples by source. Of a source of several
        groups, or where some were rejected, say what came: `{"men": {"groups": {"men": {"accepted": 50, "rejected":
        10}}}}`. groups, in place of orders: accepted samples by group. spent: what it cost in all, where that is not
        what the sources' prices say. With an `external_id`, the same purchase again is recorded once.

        Raises TypeError unless exactly one of orders and groups is given, and TrancheError where the service refuses.
        """
        if (orders is None) == (groups is None):
            raise TypeError("record_purchase takes either orders (a plan, or samples by source) or groups")
        bought = {"groups": dict(groups)} if groups is not None else {"orders": _orders(orders or {})}
        more = said({"spent": spent, "external_id": external_id, "note": note}, as_text=False)
        return self._round(project, "POST", ["purchases"], {**bought, **more})

    def rounds(self, project: str | Identified) -> Listing[Round]:
        """Every round in short: without its orders and groups; `get_round` reads them."""
        project_id = _id(project)
        return Listing(Round.of(project_id, item) for item in self._items(path(project, "rounds")))

    def get_round(self, project: str | Identified, number: int) -> Round:
        return self._round(project, "GET", ["rounds", str(number)])

    def hindsight(
        self,
        project: str | Identified,
        *,
        policies: Iterable[str] | None = None,
        objective: str | None = None,
        draws: int | None = None,
        seed: int | None = None,
    ) -> Hindsight:
        """Asks what other policies would have done with the money of closed rounds. Raises Conflict where none is."""
        named = None if policies is None else ",".join(policies)
        query = said({"policies": named, "objective": objective, "draws": draws, "seed": seed})
        return Hindsight.of(self._call("GET", path(project, "rounds", "hindsight"), query=query))

    def propose_round(
        self,
        project: str | Identified,
        plan: Allocation,
        *,
        external_id: str | None = None,
        note: str | None = None,
        reference: str | None = None,
    ) -> Round:
        """Proposes to buy what the plan says; note: in your words, for whoever is to approve it; reference: the number
        of your purchase order. Raises TrancheError (409) where the data have moved since."""
        asked = {"external_id": external_id, "data_version": plan.data_version, "query": dict(plan.question)}
        asked |= {"note": note, "reference": reference}
        return self._round(project, "POST", ["rounds"], said(asked, as_text=False))

    def edit_round(self, round: Round, orders: Mapping[str, int]) -> Round:
        """Puts other orders into a proposal; a source left out gets none."""
        return self._changed(round, "PATCH", [], {"orders": dict(orders)})

    def refer_round(self, round: Round, reference: str | None) -> Round:
        """Says the number of the purchase order, in any state of the round; None takes it away."""
        return self._changed(round, "PATCH", [], {"reference": reference})

    def accept_round(self, round: Round, note: str | None = None, *, reference: str | None = None) -> Round:
        """Accepts a proposal: each source gets its order, and its cost is committed. Where the plan's verdict is to
        keep the money or to measure first, the note must say why (TrancheError, 422)."""
        return self._changed(round, "POST", ["accept"], said({"note": note, "reference": reference}, as_text=False))

    def decline_round(self, round: Round, reason: str) -> Round:
        """Refuses a proposal, and says why. Nothing is bought."""
        return self._changed(round, "POST", ["decline"], {"reason": reason})

    def close_round(self, round: Round, note: str | None = None) -> Round:
        """Closes a round; what was committed and not spent is free again."""
        return self._changed(round, "POST", ["close"], said({"note": note}, as_text=False))

    def cancel_round(self, round: Round, reason: str | None = None) -> Round:
        return self._changed(round, "POST", ["cancel"], said({"reason": reason}, as_text=False))

    def record_delivery(
        self,
        round: Round,
        order: str | Order,
        groups: Mapping[str, int] | Mapping[str, Json],
        *,
        unmapped: int | None = None,
        cost: Money | None = None,
        external_id: str | None = None,
        note: str | None = None,
    ) -> Delivery:
        """Records what came of an order, given as itself or by its source: by group a count of accepted samples, or a
        dict of accepted, rejected and pending ones. Then the round is read anew."""
        said_of = {"unmapped": unmapped, "cost": cost, "external_id": external_id, "note": note}
        return self._recorded(round, order, "deliveries", groups, said_of)

    def correct_delivery(
        self,
        round: Round,
        order: str | Order,
        groups: Mapping[str, int] | Mapping[str, Json],
        *,
        note: str,
        unmapped: int | None = None,
        refund: Money | None = None,
        external_id: str | None = None,
    ) -> Delivery:
        """Corrects what was recorded, by differences, which may be below 0. Then the round is read anew."""
        said_of = {"unmapped": unmapped, "refund": refund, "external_id": external_id, "note": note}
        return self._recorded(round, order, "corrections", groups, said_of)

    def send_manifest(
        self, round: Round, order: str | Order, rows: str | bytes, *, kind: str = "text/csv", license: str | None = None
    ) -> Json:
        """Sends what came of an order row by row, as CSV or (kind "application/x-ndjson") JSON lines with the columns
        `item` and `group`; it gives what became of it, rule by rule. Then the round is read anew."""
        order_id = order.id if isinstance(order, Order) else round.order_of(order).id
        address = path(round.project_id, "orders", order_id, "manifests")
        answer = self._sent(address, rows.encode() if isinstance(rows, str) else rows, kind, said({"license": license}))
        round.read(*self._call_tagged("GET", path(round.project_id, "rounds", str(round.number))))
        return answer

    def manifests(self, project: str | Identified, order_id: str) -> Listing[Json]:
        """What became of each manifest of an order, without items."""
        return Listing(self._items(path(project, "orders", order_id, "manifests")))

    def get_order(self, project: str | Identified, order_id: str) -> Order:
        return Order.of(self._call("GET", path(project, "orders", order_id)))

    def ledger(self, project: str | Identified, *, order: str | Identified | None = None) -> Listing[Entry]:
        """The entries of the ledger, of one order if wanted."""
        query = {} if order is None else {"order": _id(order)}
        return Listing(Entry.of(item) for item in self._items(path(project, "ledger"), query))

    def check_ledger(self, project: str | Identified) -> LedgerCheck:
        """Sums the entries anew against the records they came from."""
        return LedgerCheck.of(self._call("GET", path(project, "ledger", "check")))

    def _round(self, project: str | Identified, method: str, rest: list[str], body: Json | None = None) -> Round:
        answer, etag = self._call_tagged(method, path(project, *rest), body)
        return Round.of(_id(project), answer, etag)

    def _changed(self, round: Round, method: str, rest: list[str], body: Json | None = None) -> Round:
        if round.etag is None:
            raise ValueError(f"round {round.number} was only listed; read it with get_round before changing it")
        address = path(round.project_id, "rounds", str(round.number), *rest)
        return round.read(*self._call_tagged(method, address, body, if_match=round.etag))

    def _recorded(self, round: Round, order: str | Order, kind: str, groups: Mapping[str, Any], more: Json) -> Delivery:
        order_id = order.id if isinstance(order, Order) else round.order_of(order).id
        counts = {group: n if isinstance(n, Mapping) else {"accepted": n} for group, n in groups.items()}
        address = path(round.project_id, "rounds", str(round.number))
        body = {"groups": counts, **said(more, as_text=False)}
        delivery = Delivery.of(self._call("POST", f"{address}/orders/{order_id}/{kind}", body))
        round.read(*self._call_tagged("GET", address))
        return delivery


def _id(item: str | Identified) -> str:
    return str(getattr(item, "id", item))


def _orders(orders: Allocation | Mapping[str, int | Json]) -> dict[str, int | Json]:
    if isinstance(orders, Allocation):
        return {source: n for source, n in orders.orders.items() if n}
    return dict(orders)
