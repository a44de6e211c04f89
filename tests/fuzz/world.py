"""What answers named so far, for the requests that follow."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import unquote

from tests.fuzz.asking import Answer, Request
from tests.fuzz.mutating import percent, word

GROUPS = ["White_Male", "Black_Female", "White_Female", "Black_Male"]
"""Those that the examples of the contract name, so that examples fit."""
NEWEST = 6
MOST_KEPT = 60
KINDS = {
    "project_id": "projects", "observation_id": "observations", "simulation_id": "simulations", "number": "rounds",
    "order_id": "orders", "connection_id": "vendor-connections", "endpoint_id": "webhook-endpoints", "job_id": "jobs",
    "key_id": "api-keys", "group": "groups", "token": "hooks", "external_order_id": "external",
}  # fmt: skip
"""By the name of a part of a path: the list that it is found in."""


def resource(path: bytes) -> bytes:
    """What an action such as …/accept is of."""
    return re.sub(rb"/(accept|close|cancel|restore|pause|resume|rotate)$", b"", path)


@dataclass
class Things:
    """Names by the list that they are of."""

    id: str = ""
    lists: dict[str, list[str]] = field(default_factory=dict)
    data_version: int = 1

    def add(self, kind: str, name: object) -> None:
        known = self.lists.setdefault(kind, [])
        if str(name) not in known:
            known.append(str(name))
            del known[:-MOST_KEPT]

    def of(self, kind: str) -> list[str]:
        return self.lists.get(kind, [])


@dataclass
class World:
    """key: of the caller; other_keys: of less scope, or revoked since. cursors and tags by the path they are of."""

    key: str
    shared: Things = field(default_factory=Things)
    projects: list[Things] = field(default_factory=list)
    other_keys: list[str] = field(default_factory=list)
    cursors: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[bytes, list[str]] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=lambda: [*GROUPS, "clinic-7", "street-team", "web", "a", "b"])

    def project(self, rng: Random, path: str = "") -> Things:
        """One of the newest, with what the path names where there is one."""
        newest = self.projects[-NEWEST:]
        wanted = [kind for part, kind in KINDS.items() if f"{{{part}}}" in path and kind != "projects"]
        fitting = (
            [one for one in self.projects[-3 * NEWEST :] if all(one.of(kind) for kind in wanted)] if wanted else []
        )
        return rng.choice(fitting or newest) if newest else Things()

    def named(self, path: str, part: str, project: Things) -> list[str]:
        kind = KINDS.get(part) or ("sources" if "/sources/" in path else "groups")
        if kind == "projects":
            return [project.id] if project.id else []
        return project.of(kind) or self.shared.of(kind)

    def cursor(self, path: str, rng: Random) -> bytes:
        """Of this list, of another, or changed."""
        own = self.cursors.get(path, [])
        every = [one for some in self.cursors.values() for one in some]
        cursor = rng.choice(own if own and rng.random() < 0.7 else every)
        if rng.random() < 0.4:
            at = rng.randrange(len(cursor))
            cursor = cursor[:at] + rng.choice("A_-=%0é") + cursor[at + 1 :]
        return percent(cursor)

    # What is learned.

    def learn(self, request: Request, answer: Answer) -> None:
        operation = request.operation
        if operation is None or answer.status >= 400:
            return
        tag = answer.headers.get("etag")
        if tag:
            self.remember(self.tags, resource(request.path), tag)
        if request.method == "DELETE" and operation.path == "/v1/projects/{project_id}":
            gone = self.project_of(request)
            self.projects = [one for one in self.projects if one is not gone]
        if answer.media_type != "application/json":
            return
        document = json.loads(answer.body or b"null")
        project = self.project_of(request)
        if isinstance(document, dict):
            cursor = document.get("next_cursor")
            if cursor:
                self.remember(self.cursors, operation.path, cursor)
            for one in document.get("items", [document]) if isinstance(document.get("items", [document]), list) else []:
                self.meet(operation.path, one, project)

    def remember(self, kept: dict[Any, list[str]], path: object, value: str) -> None:
        kept.setdefault(path, []).append(value)
        del kept[path][:-5]

    def project_of(self, request: Request) -> Things:
        found = re.match(rb"/v1/projects/([^/]+)", request.path)
        name = unquote(found[1].decode("latin-1")) if found else ""
        return next((one for one in self.projects if one.id == name), Things())

    def meet(self, path: str, one: Any, project: Things) -> None:
        if not isinstance(one, dict):
            return
        kind = [part for part in path.split("/") if part and "{" not in part][-1]
        if path in ("/v1/projects", "/v1/projects/{project_id}") and "id" in one:
            self.meet_project(one)
        project.data_version = one.get("data_version") or project.data_version
        if "id" in one and isinstance(one["id"], str):
            self.ids.append(one["id"])
            del self.ids[:-MOST_KEPT]
        for list_, name in (
            ("groups", "key"),
            ("sources", "key"),
            ("rounds", "number"),
            ("observations", "id"),
            ("simulations", "id"),
        ):
            if kind == list_ and name in one:
                project.add(list_, one[name])
        if kind == "api-keys" and one.get("id") == self.key.split("_")[1]:
            # Whoever revokes it sees nothing any more.
            return
        if kind in ("jobs", "api-keys", "vendor-connections", "webhook-endpoints") and "id" in one:
            self.shared.add(kind, one["id"])
        self.meet_parts(one, project)

    def meet_project(self, one: Mapping[str, Any]) -> None:
        if all(known.id != one["id"] for known in self.projects):
            self.projects.append(Things(one["id"]))

    def meet_parts(self, one: Mapping[str, Any], project: Things) -> None:
        orders = one.get("orders")
        for order in orders if isinstance(orders, list) else ():
            if isinstance(order, dict) and "id" in order:
                project.add("orders", order["id"])
                self.shared.add("orders", order["id"])
        if one.get("job_id"):
            self.shared.add("jobs", one["job_id"])
        if isinstance(one.get("hook_url"), str):
            self.shared.add("hooks", one["hook_url"].rpartition("/")[2])
        if isinstance(one.get("secret"), str) and one["secret"].startswith("tranche_"):
            self.other_keys.append(one["secret"])
            del self.other_keys[:-5]

    # What a caller who knows the service would send.

    def sensible(self, path: str, method: str, rng: Random, project: Things) -> Any:
        """None where the contract's examples do as well."""
        make = {
            ("POST", "/v1/projects"): self.new_project,
            ("POST", "/v1/projects/{project_id}/observations"): self.runs,
            ("POST", "/v1/projects/{project_id}/rounds"): self.new_round,
            ("PUT", "/v1/projects/{project_id}/groups"): self.whole_groups,
            ("POST", "/v1/projects/{project_id}/groups"): self.new_group,
            ("POST", "/v1/projects/{project_id}/sources"): self.new_source,
            ("POST", "/v1/projects/{project_id}/purchases"): self.purchase,
            ("POST", "/v1/projects/{project_id}/allocations/what-if"): self.what_if,
            ("POST", "/v1/projects/{project_id}/requirements"): self.requirements,
            ("POST", "/v1/projects/{project_id}/rounds/{number}/orders/{order_id}/deliveries"): self.delivery,
            ("POST", "/v1/webhook-endpoints"): self.new_endpoint,
            ("POST", "/v1/vendor-connections"): self.new_connection,
            ("POST", "/v1/api-keys"): self.new_key,
            ("POST", "/v1/hooks/{token}"): self.webhook,
        }.get((method, path))
        return None if make is None else make(rng, project)

    def new_project(self, rng: Random, _: Things) -> Any:
        groups = [
            {"key": key, "initial_count": rng.choice((0, 40, 200)), "unit_cost": "1.50"}
            for key in GROUPS[: rng.choice((2, 2, 3, 4))]
        ]
        metric = {"name": "m", "kind": "proportion", "goal": "maximize", "lower": 0, "upper": 1}
        if rng.random() < 0.3:
            metric = {"name": "loss", "kind": "other", "goal": "minimize", "lower": 0}
        body = {
            "name": word(rng),
            "metric": metric,
            "budget": {"total": "1000", "rounds": rng.choice((1, 3))},
            "groups": groups,
        }
        return body | (
            {"model": rng.choice(("separate", "joint"))} if rng.random() < 0.8 else {"external_id": word(rng)}
        )

    def keys(self, project: Things) -> list[str]:
        return (project.of("groups") or GROUPS)[:4]

    def run(self, rng: Random, project: Things) -> dict[str, Any]:
        keys = self.keys(project)
        size = rng.choice((20, 40, 80, 160))
        metrics = {key: {"value": round(rng.uniform(0.5, 0.9), 3), "stderr": 0.01} for key in keys}
        return {"external_id": word(rng), "counts": dict.fromkeys(keys, size), "metrics": metrics}

    def runs(self, rng: Random, project: Things) -> Any:
        return {"observations": [self.run(rng, project) for _ in range(rng.choice((1, 2, 3)))]}

    def table(self, rng: Random) -> str:
        name = word(rng)
        lines = [f"{name},{key},{rng.choice((20, 40))},0.{rng.randrange(50, 90)},0.01" for key in GROUPS[:2]]
        return "\n".join(["external_id,group,n,value,stderr", *lines, ""])

    def new_round(self, rng: Random, project: Things) -> Any:
        return {"external_id": word(rng), "data_version": project.data_version, "query": {"budget": "100", "draws": 50}}

    def whole_groups(self, rng: Random, project: Things) -> Any:
        return [{"key": key, "initial_count": 40, "unit_cost": "1"} for key in GROUPS]

    def new_group(self, rng: Random, project: Things) -> Any:
        return {"key": rng.choice((word(rng), *GROUPS)), "unit_cost": "2", "initial_count": rng.choice((0, 30))}

    def new_source(self, rng: Random, project: Things) -> Any:
        return {
            "key": rng.choice((word(rng), "clinic-7", "street-team")),
            "kind": "site",
            "unit_cost": "2.40",
            "yields": {GROUPS[0]: 0.5, GROUPS[1]: 0.4},
        }

    def purchase(self, rng: Random, project: Things) -> Any:
        return {"external_id": word(rng), "groups": {GROUPS[0]: 5}, "spent": "3.50"}

    def what_if(self, rng: Random, project: Things) -> Any:
        return {"draws": 50, "scenarios": [{"name": "as planned"}, {"name": "half", "budget": "50"}]}

    def requirements(self, rng: Random, project: Things) -> Any:
        return {"draws": 50, "chance": 0.8, "targets": {GROUPS[0]: 0.8}, "budgets": ["100"]}

    def delivery(self, rng: Random, project: Things) -> Any:
        return {"external_id": word(rng), "groups": {GROUPS[0]: {"accepted": 2, "rejected": 1}}}

    def new_endpoint(self, rng: Random, project: Things) -> Any:
        return {"url": "http://127.0.0.1:9/hook", "description": word(rng)}

    def new_connection(self, rng: Random, project: Things) -> Any:
        kind = rng.choice(("standard", "label_studio", "prolific", "generic"))
        presets = ("cvat", "encord", "kili", "labelbox", "scale", "toloka", "v7")
        return {"name": word(rng), "kind": kind, "secret": "a secret of a vendor"} | (
            {"preset": rng.choice(presets)} if kind == "generic" else {}
        )

    def new_key(self, rng: Random, project: Things) -> Any:
        scopes = rng.sample(["read", "observe", "deliver", "write", "buy"], rng.choice((1, 2, 3)))
        return {"name": word(rng), "scopes": scopes} | (
            {"project_ids": [project.id]} if project.id and rng.random() < 0.5 else {}
        )

    def webhook(self, rng: Random, project: Things) -> Any:
        return {"type": "item.accepted", "timestamp": "2026-11-20T10:00:00Z", "data": {"external_item_id": word(rng)}}
