"""Label Studio's webhooks (community edition, 1.23): no signature, no retry, blind spots that polling fills.

An item is an annotation, its parent the task. Skipped is rejected; ground truth is not counted. A task that is
deleted takes its annotations along without a word of them.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.errors import Malformed
from app.vendors.base import Headers, State, VendorEvent, Verified, body_hash, each, numbered
from app.vendors.signatures import HeaderName, StaticHeader
from app.vendors.values import Unusable, flag, instant, mapping, named, read_json, readable_id, text

FieldName = Annotated[str, StringConstraints(pattern=r"^\w{1,50}$")]
SECRETS = ("token", "task_data_login", "task_data_password")
# Longer than any body that only says that something happened.
LONGEST_POKE = 256


class LabelStudioConfig(BaseModel):
    """base_url: where its API is, for placing orders and reconciling. The `…_field`s name the keys of a task's data
    that hold our ids and the group. label_config: the labeling interface of projects we create.
    annotations_per_task: how many accepted annotations make one sample; fewer make none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=500)] | None = None
    header: HeaderName = "X-Tranche-Token"
    order_field: FieldName = "tranche_order_id"
    line_field: FieldName = "tranche_line_id"
    item_field: FieldName = "tranche_item_id"
    group_field: FieldName = "group"
    label_config: Annotated[str, StringConstraints(max_length=50_000)] | None = None
    annotations_per_task: Annotated[int, Field(ge=1, le=100)] = 1


class LabelStudio:
    kept_headers: frozenset[str] = frozenset()

    def __init__(self, config: LabelStudioConfig) -> None:
        self.config = config
        self.signature = StaticHeader(scheme="static_header", header=config.header)
        self.weakness: str | None = self.signature.weakness

    def check_secret(self, secret: str) -> None:
        self.signature.check_secret(secret)

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Verified:
        checked = self.signature.verify(headers, body, secrets, now)
        return Verified(None if is_poke(body) else body_hash(body), None, checked.secret_index)

    def readable(self, body: bytes) -> bytes:
        document = read_json(body)
        project = document.get("project") if isinstance(document, dict) else None
        if not isinstance(project, dict) or not any(project.get(name) for name in SECRETS):
            return body
        hidden = {name: "redacted" for name in SECRETS if project.get(name)}
        return json.dumps({**document, "project": {**project, **hidden}}).encode()

    def parse(self, headers: Headers, body: bytes) -> list[VendorEvent]:
        try:
            return list(self.events(mapping(read_json(body), "the body")))
        except Unusable as problem:
            return [VendorEvent("quarantined", detail=str(problem))]

    def events(self, message: dict[str, Any]) -> Iterator[VendorEvent]:
        action = message.get("action")
        if set(message) == {"action"}:
            yield VendorEvent("poke")
        elif action in ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED"):
            yield from self.annotated(message)
        elif action == "ANNOTATIONS_DELETED":
            yield from deleted(message, "annotations", "external_item_id")
        elif action == "TASKS_DELETED":
            yield from deleted(message, "tasks", "external_parent_id")
        elif action == "TASKS_CREATED":
            yield from created_tasks(message)
        else:
            yield VendorEvent("ignored", detail=f"action {action!r:.100}")

    def annotated(self, message: dict[str, Any]) -> Iterator[VendorEvent]:
        """One annotation and its task, or the two lists that the bulk actions send under the same names."""
        tasks = {readable_id(task): task for task in some(message.get("task"))}

        def read(annotation: Any, at: str) -> VendorEvent:
            """Raises Unusable."""
            task = tasks.get(named(mapping(annotation, at).get("task"), f"{at}.task"))
            if task is None:
                raise Unusable(f"{at}: its task is not in the message, or has no id that can be read")
            return self.annotation_event(annotation, task)

        return each(numbered(some(message.get("annotation")), "annotation"), read)

    def annotation_event(self, annotation: dict[str, Any], task: dict[str, Any]) -> VendorEvent:
        """An annotation's new state. Raises Unusable."""
        data = mapping(task.get("data"), "task.data")
        return VendorEvent(
            "item_state",
            external_order_id=text(task.get("project"), "task.project"),
            external_item_id=named(annotation.get("id"), "annotation.id"),
            external_parent_id=text(task.get("id"), "task.id"),
            order_ref=text(data.get(self.config.order_field), self.config.order_field),
            line_ref=text(data.get(self.config.line_field), self.config.line_field),
            group=text(data.get(self.config.group_field), self.config.group_field),
            state=annotation_state(annotation),
            occurred_at=instant(annotation.get("updated_at"), "annotation.updated_at"),
        )


def annotation_state(annotation: dict[str, Any]) -> State:
    """Raises Unusable."""
    if flag(annotation.get("ground_truth"), "annotation.ground_truth"):
        return "uncounted"
    return "rejected" if flag(annotation.get("was_cancelled"), "annotation.was_cancelled") else "accepted"


def deleted(message: dict[str, Any], name: str, field: str) -> Iterator[VendorEvent]:
    def read(one: Any, at: str) -> VendorEvent:
        gone = named(mapping(one, at).get("id"), f"{at}.id")
        return VendorEvent("item_state", state="retracted", **{field: gone})  # type: ignore[arg-type]  # one of two text fields

    return each(numbered(some(message.get(name)), name), read)


def created_tasks(message: dict[str, Any]) -> Iterator[VendorEvent]:
    """Tasks imported with annotations make no annotation event: then only its API tells."""
    tasks = some(message.get("tasks"))
    unread = [VendorEvent("quarantined", detail=f"{at} is no object") for at, task in numbered(tasks, "tasks")
              if not isinstance(task, dict)]  # fmt: skip
    annotated = any(task.get("total_annotations") or task.get("is_labeled") for task in tasks if isinstance(task, dict))
    yield VendorEvent("poke") if annotated else VendorEvent("ignored", detail="tasks without annotations")
    yield from unread


def some(value: Any) -> list[Any]:
    """What a message names: a list, or one alone."""
    return value if isinstance(value, list) else [value]


def is_poke(body: bytes) -> bool:
    """Whether the webhook was told to send no payload: then all bodies of an action are alike, and each one counts."""
    if len(body) > LONGEST_POKE:
        return False
    try:
        message = read_json(body)
    except Malformed:
        return False
    return isinstance(message, dict) and set(message) == {"action"}
