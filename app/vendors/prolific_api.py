"""Prolific's API: one study per order line with exact places, submissions and costs read back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx

from app.vendors.base import Order, OrderLine, PlacedLine, Snapshot, Subscribed, VendorEvent, VendorRefused
from app.vendors.http import call, field, read_answer, send
from app.vendors.prolific import Filter, Prolific, submission_state
from app.vendors.values import Unusable, count, currency, mapping, money, named, readable_id, text

EVENT_TYPES = ("submission.status.change", "study.status.change")
PAGE = 100
MAX_CENTS = Decimal(100_000_000_000)
# What a study may be given once it is published; before that it may still be changed.
PUBLISHED = ("ACTIVE", "SCHEDULED", "PAUSED", "PUBLISHING", "AWAITING REVIEW", "COMPLETED")


class ProlificApi(Prolific):
    def resolve(self, events: Sequence[VendorEvent], client: httpx.Client, now: datetime) -> list[VendorEvent]:
        """Each submission as the API has it now: that is newer than the event that named it."""
        return [self.resolved(event, client, now) if event.kind == "item_state" else event for event in events]

    def resolved(self, event: VendorEvent, client: httpx.Client, now: datetime) -> VendorEvent:
        try:
            answer = call(client, "GET", f"/api/v1/submissions/{quote(event.external_item_id or '', safe='')}/")
            submission = mapping(answer, "the submission")
            return submission_event(submission, submission.get("study_id"), now)
        except (VendorRefused, Unusable) as problem:
            return replace(event, kind="quarantined", detail=str(problem)[:200])

    def snapshot(self, external_order_id: str, client: httpx.Client, now: datetime) -> Snapshot:
        """Raises VendorRefused."""
        study = f"/api/v1/studies/{quote(external_order_id, safe='')}"
        counts = call(client, "GET", f"{study}/submissions/counts/")
        cost = call(client, "GET", f"{study}/cost/")
        events = [read_submission(one, external_order_id, now) for one in submissions(client, external_order_id)]
        problems = []
        accepted, rejected, amount, code = None, None, None, None
        try:
            accepted, rejected = total_counts(counts)
        except Unusable as problem:
            problems.append(f"the study's counts: {problem}")
        try:
            amount, code = total_cost(cost)
        except Unusable as problem:
            problems.append(f"the study's cost: {problem}")
        return Snapshot(events, accepted, rejected, amount, code, problems)

    def place(self, order: Order, client: httpx.Client) -> list[PlacedLine]:
        if self.config.workspace_id is not None:
            self.subscriptions(order.hook_url, client)
        existing = {study.get("internal_name"): study for study in self.studies(client)}
        return [self.place_line(order, line, existing.get(internal_name(line)), client) for line in order.lines]

    def place_line(
        self, order: Order, line: OrderLine, study: Mapping[str, Any] | None, client: httpx.Client
    ) -> PlacedLine:
        study = study or call(client, "POST", "/api/v1/studies/", json=self.study(order, line))
        study_id = field(study, "id", str)
        if study.get("status") not in PUBLISHED:
            call(client, "POST", f"/api/v1/studies/{study_id}/transition/", json={"action": "PUBLISH"})
        return PlacedLine(study_id, line.id, f"https://app.prolific.com/researcher/studies/{study_id}")

    def studies(self, client: httpx.Client) -> list[Any]:
        path = f"/api/v1/projects/{self.config.project_id}/studies/" if self.config.project_id else "/api/v1/studies/"
        studies: list[Any] = field(call(client, "GET", path), "results", list)
        return studies

    def study(self, order: Order, line: OrderLine) -> dict[str, Any]:
        """A draft study for one line. Raises VendorRefused where the connection does not say who is meant."""
        filters = self.config.group_filters.get(line.group)
        if filters is None:
            raise VendorRefused(f"Give the connection group_filters for '{line.group}': who belongs to the group.")
        ours = {
            "name": order.name,
            "internal_name": internal_name(line),
            "total_available_places": line.quantity,
            "reward": self.reward(line),
            "filters": [filter_with_quota(one, line.quantity) for one in filters],
        }
        project = {"project": self.config.project_id} if self.config.project_id else {}
        return {"prolific_id_option": "url_parameters", **self.config.study, **project, **ours}

    def reward(self, line: OrderLine) -> int:
        """What a participant gets, in whole cents: with Prolific's fee on top at most the line's price. Raises
        VendorRefused where nothing is left of it."""
        if self.config.fee_percent is None:
            raise VendorRefused("Give the connection fee_percent: Prolific's fee and taxes on top of a reward.")
        cents = int(line.unit_cost * 100 / (1 + self.config.fee_percent / 100))
        if cents == 0:
            raise VendorRefused(f"The price {line.unit_cost} leaves no reward after Prolific's fee.")
        return cents

    def subscribe(self, hook_url: str, hook_secret: str, orders: Sequence[str], client: httpx.Client) -> Subscribed:
        """To all studies of the workspace, whose secret signs: `orders` and our own secret say nothing here. Raises
        VendorRefused where the connection names no workspace."""
        if self.config.workspace_id is None:
            raise VendorRefused("Give the connection the workspace_id that it is to hear of.")
        secret = self.signing_secret(client)
        return Subscribed(self.subscriptions(hook_url, client), secret)

    def signing_secret(self, client: httpx.Client) -> str:
        """The workspace's, of which it has one at a time; made where it has none, since making one takes that of others
        away."""
        of = {"workspace_id": self.config.workspace_id}
        known = field(call(client, "GET", "/api/v1/hooks/secrets/", params=of), "results", list)
        if known:
            value: str = field(known[0], "value", str)
            return value
        made: str = field(call(client, "POST", "/api/v1/hooks/secrets/", json=of), "value", str)
        return made

    def subscriptions(self, hook_url: str, client: httpx.Client) -> list[str]:
        """Subscribe and confirm what is not yet; the subscriptions' ids. The handshake: Prolific answers a new
        subscription with a secret in X-Hook-Secret, and calls nothing before it got that back."""
        there = call(client, "GET", "/api/v1/hooks/subscriptions/", params={"workspace_id": self.config.workspace_id})
        ours = {
            one.get("event_type"): one
            for one in field(there, "results", list)
            if one.get("target_url") == hook_url and one.get("is_enabled")
        }
        return [
            field(ours[kind], "id", str) if kind in ours else self.new_subscription(kind, hook_url, client)
            for kind in EVENT_TYPES
        ]

    def new_subscription(self, event_type: str, hook_url: str, client: httpx.Client) -> str:
        wanted = {"event_type": event_type, "target_url": hook_url, "workspace_id": self.config.workspace_id}
        answer = send(client, "POST", "/api/v1/hooks/subscriptions/", json=wanted)
        subscription_id: str = field(subscription_in(read_answer(answer), event_type, hook_url), "id", str)
        secret = answer.headers.get("X-Hook-Secret")
        if secret:
            call(client, "POST", f"/api/v1/hooks/subscriptions/{subscription_id}/", json={"secret": secret})
        return subscription_id


def subscription_in(answer: Any, event_type: str, hook_url: str) -> Any:
    """The new subscription, which the documentation shows by itself and, elsewhere, as one of `results`."""
    listed = answer.get("results") if isinstance(answer, dict) and "id" not in answer else None
    if not isinstance(listed, list):
        return answer
    ours = (one for one in listed if isinstance(one, dict) and one.get("event_type") == event_type)
    return next((one for one in ours if one.get("target_url") == hook_url), None)


def internal_name(line: OrderLine) -> str:
    """Tells our study of this line from all others: Prolific has no idempotency key."""
    return f"tranche {line.id}"


def filter_with_quota(chosen: Filter, quantity: int) -> dict[str, Any]:
    """The filter, its weightings turned from shares into numbers of places that add up to `quantity`."""
    shape = chosen.model_dump(exclude_none=True)
    if chosen.weightings:
        shape["weightings"] = exact_quotas(chosen.weightings, quantity)
    return shape


def exact_quotas(weights: Mapping[str, int], quantity: int) -> dict[str, int]:
    """Whole numbers in proportion to `weights` that add up to `quantity`: largest remainders, ties by key."""
    total = sum(weights.values())
    quotas = {key: quantity * weight // total for key, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda key: (-(quantity * weights[key] % total), key))
    for key in by_remainder[: quantity - sum(quotas.values())]:
        quotas[key] += 1
    return quotas


def submissions(client: httpx.Client, study_id: str) -> Iterator[dict[str, Any]]:
    page = 1
    while True:
        asked = {"study": study_id, "page": page, "page_size": PAGE}
        results = field(call(client, "GET", "/api/v1/submissions/", params=asked), "results", list)
        yield from results
        if len(results) < PAGE:
            return
        page += 1


def read_submission(submission: Any, study_id: str, now: datetime) -> VendorEvent:
    try:
        return submission_event(mapping(submission, "a submission"), study_id, now)
    except Unusable as problem:
        item_id = readable_id(submission)
        return VendorEvent("quarantined", external_item_id=item_id, detail=f"submission {item_id}: {problem}")


def submission_event(submission: Mapping[str, Any], study_id: Any, now: datetime) -> VendorEvent:
    """Raises Unusable."""
    return VendorEvent(
        "item_state",
        external_order_id=text(study_id, "study_id"),
        external_item_id=named(submission.get("id"), "id"),
        state=submission_state(submission.get("status")),
        occurred_at=now,
    )


def total_counts(counts: Any) -> tuple[int, int]:
    """Accepted and rejected submissions of a study, as it states them. Raises Unusable."""
    stated = {"accepted": 0, "rejected": 0}
    for name, number in mapping(counts, "the answer").items():
        several = count(number, name)
        if several and name != "TOTAL":
            state = submission_state(name)
            stated[state] = stated.get(state, 0) + several
    return stated["accepted"], stated["rejected"]


def total_cost(cost: Any) -> tuple[Decimal | None, str | None]:
    """Rewards, bonuses, fees and tax so far; amounts are cents. None where no cost is stated. Raises Unusable."""
    parts = [
        part
        for name in ("rewards", "bonuses")
        for part in mapping(mapping(cost or {}, "the answer").get(name) or {}, name).values()
        if part is not None and mapping(part, name).get("amount") is not None
    ]
    if not parts:
        return None, None
    currencies = {currency(part.get("currency"), "currency") for part in parts}
    if len(currencies) > 1:
        raise Unusable("it is in several currencies")
    cents = sum((money(part["amount"], "amount", MAX_CENTS) or Decimal(0) for part in parts), Decimal(0))
    return round(cents / 100, 6), currencies.pop()
