"""A Label Studio of our own: projects, tasks, annotations and the webhooks it sends, or loses."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx


class FakeLabelStudio:
    """Keeps the webhooks it would send in `sent`; who reads them away delivers them. `lose_answers` more POSTs are done
    and their answers lost."""

    token = "label-studio-token"

    def __init__(self) -> None:
        self.projects: dict[int, dict[str, Any]] = {}
        self.hooks: list[dict[str, Any]] = []
        self.tasks: dict[int, dict[str, Any]] = {}
        self.sent: list[dict[str, Any]] = []
        self.numbers = count(1)
        self.now = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
        self.lose_answers = 0

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") != f"Token {self.token}":
            return httpx.Response(401, json={"detail": "Invalid token."})
        answer = self.answer(request)
        if self.lose_answers and request.method == "POST":
            self.lose_answers -= 1
            raise httpx.ReadTimeout("lost", request=request)
        return answer

    def answer(self, request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        body = json.loads(request.content) if request.content else None
        match [request.method, *request.url.path.strip("/").split("/")[1:]]:
            case ["GET", "projects"]:
                found = [one for one in self.projects.values() if params["title"] in one["title"]]
                return httpx.Response(200, json={"count": len(found), "results": found})
            case ["POST", "projects"]:
                project = {**body, "id": next(self.numbers)}
                self.projects[project["id"]] = project
                return httpx.Response(201, json=project)
            case ["POST", "projects", project_id, "import"]:
                return self.import_tasks(int(project_id), body)
            case ["GET", "webhooks"]:
                return httpx.Response(200, json=[one for one in self.hooks if str(one["project"]) == params["project"]])
            case ["POST", "webhooks"]:
                self.hooks.append({**body, "id": next(self.numbers)})
                return httpx.Response(201, json=self.hooks[-1])
            case ["PATCH", "webhooks", hook_id]:
                [hook] = [one for one in self.hooks if one["id"] == int(hook_id)]
                hook |= body
                return httpx.Response(200, json=hook)
            case ["GET", "tasks"]:
                return self.list_tasks(params)
        return httpx.Response(404, json={"detail": "Not found."})

    def import_tasks(self, project_id: int, rows: list[dict[str, Any]]) -> httpx.Response:
        made = []
        for row in rows:
            task = {"id": next(self.numbers), "project": project_id, "data": row["data"], "annotations": []}
            self.tasks[task["id"]] = task
            made.append(task)
        self.tell("TASKS_CREATED", tasks=[self.shown(task) for task in made])
        return httpx.Response(201, json={"task_count": len(made)})

    def list_tasks(self, params: dict[str, str]) -> httpx.Response:
        mine = [task for task in self.tasks.values() if str(task["project"]) == params["project"]]
        size, page = int(params["page_size"]), int(params["page"])
        return httpx.Response(200, json={"tasks": mine[size * (page - 1) : size * page], "total": len(mine)})

    # What annotators do

    def shown(self, task: dict[str, Any]) -> dict[str, Any]:
        cancelled = sum(one["was_cancelled"] for one in task["annotations"])
        done = len(task["annotations"]) - cancelled
        about = {name: value for name, value in task.items() if name != "annotations"}
        return {**about, "total_annotations": done, "cancelled_annotations": cancelled}

    def tell(self, action: str, **parts: Any) -> None:
        self.sent.append({"action": action, **parts, "project": {"id": 1, "token": "secret-token"}})

    def annotate(self, task_id: int, **changes: Any) -> int:
        self.now += timedelta(seconds=1)
        annotation = {
            "id": next(self.numbers), "task": task_id, "was_cancelled": False, "ground_truth": False,
            "updated_at": self.now.isoformat(), **changes,
        }  # fmt: skip
        task = self.tasks[task_id]
        task["annotations"].append(annotation)
        self.tell("ANNOTATION_CREATED", annotation=dict(annotation), task=self.shown(task))
        return int(annotation["id"])

    def find(self, annotation_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
        [pair] = [
            (task, one) for task in self.tasks.values() for one in task["annotations"] if one["id"] == annotation_id
        ]
        return pair

    def update(self, annotation_id: int, **changes: Any) -> None:
        self.now += timedelta(seconds=1)
        task, annotation = self.find(annotation_id)
        annotation |= {"updated_at": self.now.isoformat(), **changes}
        self.tell("ANNOTATION_UPDATED", annotation=dict(annotation), task=self.shown(task))

    def delete(self, annotation_id: int) -> None:
        task, annotation = self.find(annotation_id)
        task["annotations"].remove(annotation)
        self.tell("ANNOTATIONS_DELETED", annotations=[{"id": annotation_id}])

    def delete_task(self, task_id: int) -> None:
        del self.tasks[task_id]
        self.tell("TASKS_DELETED", tasks=[{"id": task_id}])

    def counts(self) -> dict[str, dict[str, int]]:
        """Group → accepted, rejected tasks, as whoever reads the API would count them."""
        found: dict[str, dict[str, int]] = {}
        for task in self.tasks.values():
            counted = [one for one in task["annotations"] if not one["ground_truth"]]
            if counted:
                state = "rejected" if all(one["was_cancelled"] for one in counted) else "accepted"
                by = found.setdefault(task["data"]["group"], {})
                by[state] = by.get(state, 0) + 1
        return found
