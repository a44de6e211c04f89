"""Label Studio's API: one project per order, its tasks the order's rows, its annotations read back."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import httpx

from app.vendors.base import Order, PlacedLine, Snapshot, Subscribed, VendorEvent, VendorRefused
from app.vendors.http import call, field
from app.vendors.label_studio import LabelStudio
from app.vendors.values import Unusable, listing, mapping, readable_id

PAGE = 100
IMPORT_BATCH = 1000
MAX_TITLE = 50
ACTIONS = (
    "ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED", "TASKS_CREATED",
    "TASKS_DELETED",
)  # fmt: skip


class LabelStudioApi(LabelStudio):
    def snapshot(self, external_order_id: str, client: httpx.Client, now: datetime) -> Snapshot:
        """Raises VendorRefused."""
        tasks = tasks_of(client, external_order_id)
        return Snapshot([event for task in tasks for event in self.annotations_of(task, external_order_id)])

    def annotations_of(self, task: Any, external_order_id: str) -> Iterator[VendorEvent]:
        task_id = readable_id(task)
        try:
            annotations = listing(mapping(task, "a task").get("annotations"), f"task {task_id}: annotations")
        except Unusable as problem:
            yield VendorEvent("quarantined", external_parent_id=task_id, detail=str(problem))
            return
        for annotation in annotations:
            item_id = readable_id(annotation)
            try:
                yield self.annotation_event(mapping(annotation, "annotation"), {**task, "project": external_order_id})
            except Unusable as problem:
                detail = f"task {task_id}, annotation {item_id}: {problem}"
                yield VendorEvent("quarantined", external_item_id=item_id, external_parent_id=task_id, detail=detail)

    def place(self, order: Order, client: httpx.Client) -> list[PlacedLine]:
        rows = list(self.tasks(order))
        title = f"{order.name[: MAX_TITLE - len(order.id) - 1]} {order.id}".strip()
        project = found_project(client, title) or call(client, "POST", "/api/projects", json=self.project(title))
        project_id = str(field(project, "id", int))
        self.register(client, project_id, order.hook_url, order.hook_secret)
        there = {task.get("data", {}).get(self.config.item_field) for task in tasks_of(client, project_id)}
        missing = [row for row in rows if row["data"][self.config.item_field] not in there]
        for start in range(0, len(missing), IMPORT_BATCH):
            batch = missing[start : start + IMPORT_BATCH]
            call(client, "POST", f"/api/projects/{project_id}/import", json=batch)
        return [PlacedLine(project_id, None, str(client.base_url.join(f"/projects/{project_id}")))]

    def project(self, title: str) -> dict[str, Any]:
        """A new project's fields. Raises VendorRefused without a label_config."""
        if self.config.label_config is None:
            raise VendorRefused("Give the connection a label_config: the labeling interface of its projects.")
        return {
            "title": title,
            "label_config": self.config.label_config,
            "maximum_annotations": self.config.annotations_per_task,
        }

    def tasks(self, order: Order) -> Iterator[dict[str, Any]]:
        """The rows as tasks, each with our ids inside, so that every annotation tells where it belongs."""
        for line in order.lines:
            for row_id, row in order.rows.get(line.id, ()):
                ours = {
                    self.config.order_field: order.id,
                    self.config.line_field: line.id,
                    self.config.item_field: row_id,
                    self.config.group_field: line.group,
                }
                yield {"data": {**row, **ours}}

    def subscribe(self, hook_url: str, hook_secret: str, orders: Sequence[str], client: httpx.Client) -> Subscribed:
        """A webhook in each of the projects `orders`: the community edition takes none for the whole organisation."""
        return Subscribed([self.register(client, project_id, hook_url, hook_secret) for project_id in orders])

    def register(self, client: httpx.Client, project_id: str, hook_url: str, hook_secret: str) -> str:
        """Our webhook, once, with the present secret; its id."""
        hooks = call(client, "GET", "/api/webhooks/", params={"project": project_id})
        ours = [hook for hook in hooks or [] if isinstance(hook, dict) and hook.get("url") == hook_url]
        wanted = {
            "url": hook_url,
            "project": int(project_id),
            "send_payload": True,
            "send_for_all_actions": False,
            "actions": list(ACTIONS),
            "headers": {self.config.header: hook_secret},
            "is_active": True,
        }
        at = f"/api/webhooks/{field(ours[0], 'id', int)}/" if ours else "/api/webhooks/"
        return str(field(call(client, "PATCH" if ours else "POST", at, json=wanted), "id", int))


def tasks_of(client: httpx.Client, project_id: str) -> Iterator[dict[str, Any]]:
    seen, page = 0, 1
    while True:
        asked = {"project": project_id, "page": page, "page_size": PAGE, "fields": "all"}
        answer = call(client, "GET", "/api/tasks", params=asked)
        tasks = field(answer, "tasks", list)
        yield from tasks
        seen, page = seen + len(tasks), page + 1
        if not tasks or seen >= field(answer, "total", int):
            return


def found_project(client: httpx.Client, title: str) -> dict[str, Any] | None:
    """The project that an earlier try created: its title ends in our order's id."""
    answer = call(client, "GET", "/api/projects", params={"title": title, "page_size": PAGE})
    return next((one for one in field(answer, "results", list) if one.get("title") == title), None)
