"""A Prolific of our own, by its documented fields: studies, submissions, counts, costs and webhook subscriptions."""

import base64
import hashlib
import hmac
import json
from collections import Counter
from datetime import datetime
from typing import Any

import httpx

STATUSES = ("ACTIVE", "APPROVED", "AWAITING REVIEW", "REJECTED", "RESERVED", "RETURNED", "TIMED-OUT",
            "PARTIALLY APPROVED", "SCREENED OUT")  # fmt: skip
FEE_PERCENT = 25


class FakeProlific:
    """secrets: workspace → its one secret. lists_subscriptions: a new subscription is answered as one of `results`, as
    the reference has it, instead of by itself, as the guide does.

    `failures` are statuses that the next calls are answered with before anything is looked at; a call of
    `lose_answers` more is done but its answer lost."""

    token = "prolific-token"
    secret = "prolific-hook-secret"

    def __init__(self) -> None:
        self.studies: dict[str, dict[str, Any]] = {}
        self.submissions: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.handshakes: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.lists_subscriptions = False
        self.failures: list[int] = []
        self.lose_answers = 0
        self.calls: list[tuple[str, str]] = []

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Token {self.token}"}
        transport = httpx.MockTransport(self.handle)
        return httpx.Client(transport=transport, base_url="https://prolific.test", headers=headers)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.calls.append((request.method, request.url.path))
        if request.headers.get("Authorization") != f"Token {self.token}":
            return httpx.Response(401, json={"error": "no valid token"})
        if self.failures:
            return httpx.Response(self.failures.pop(0))
        answer = self.answer(request)
        if self.lose_answers and request.method == "POST":
            self.lose_answers -= 1
            raise httpx.ReadTimeout("lost", request=request)
        return answer

    def answer(self, request: httpx.Request) -> httpx.Response:
        match [request.method, *request.url.path.strip("/").split("/")[2:]]:
            case ["GET", "studies"]:
                return httpx.Response(200, json={"results": list(self.studies.values())})
            case ["POST", "studies"]:
                return self.create_study(json.loads(request.content))
            case ["POST", "studies", study, "transition"]:
                return self.publish(study, json.loads(request.content))
            case ["GET", "studies", study, "submissions", "counts"]:
                return httpx.Response(200, json=self.counts(study))
            case ["GET", "studies", study, "cost"]:
                return httpx.Response(200, json=self.cost(study))
            case ["GET", "submissions"]:
                return self.listed(dict(request.url.params))
            case ["GET", "submissions", submission]:
                return self.one(submission)
            case [_, "hooks", "secrets"]:
                return self.keep_secret(request)
            case [method, "hooks", "subscriptions", *rest]:
                return self.hooks(method, rest, request.content)
        return httpx.Response(404, json={"error": "no such path"})

    def keep_secret(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            workspace = request.url.params["workspace_id"]
            known = [self.secrets[workspace]] if workspace in self.secrets else []
            return httpx.Response(200, json={"results": [self.secret_of(workspace, value) for value in known]})
        workspace = json.loads(request.content)["workspace_id"]
        self.secrets[workspace] = f"{self.secret}-{len(self.calls)}"
        return httpx.Response(201, json=self.secret_of(workspace, self.secrets[workspace]))

    def secret_of(self, workspace: str, value: str) -> dict[str, str]:
        return {"id": f"secret-of-{workspace}", "value": value, "workspace_id": workspace}

    def hooks(self, method: str, rest: list[str], content: bytes) -> httpx.Response:
        if method == "GET":
            return httpx.Response(200, json={"results": list(self.subscriptions.values())})
        body = json.loads(content)
        return self.confirm(rest[0], body) if rest else self.subscribe(body)

    def create_study(self, body: dict[str, Any]) -> httpx.Response:
        needed = {"name", "description", "external_study_url", "prolific_id_option", "completion_codes",
                  "estimated_completion_time", "reward", "total_available_places"}  # fmt: skip
        if needed - set(body) or not isinstance(body["reward"], int):
            return httpx.Response(400, json={"error": f"missing {sorted(needed - set(body))}"})
        study = {**body, "id": f"study-{len(self.studies) + 1}", "status": "UNPUBLISHED"}
        self.studies[study["id"]] = study
        return httpx.Response(201, json=study)

    def publish(self, study: str, body: dict[str, Any]) -> httpx.Response:
        if body != {"action": "PUBLISH"} or self.studies[study]["status"] != "UNPUBLISHED":
            return httpx.Response(400, json={"error": "not a draft"})
        self.studies[study]["status"] = "ACTIVE"
        return httpx.Response(200, json=self.studies[study])

    def submit(self, study: str, status: str = "AWAITING REVIEW") -> str:
        name = f"sub-{len(self.submissions) + 1:04}"
        self.submissions[name] = {"id": name, "study_id": study, "status": status, "participant": "p"}
        return name

    def of(self, study: str) -> list[dict[str, Any]]:
        return [one for one in self.submissions.values() if one["study_id"] == study]

    def counts(self, study: str) -> dict[str, int]:
        counted = Counter(one["status"] for one in self.of(study))
        return {status: counted[status] for status in STATUSES} | {"TOTAL": len(self.of(study))}

    def cost(self, study: str) -> dict[str, Any]:
        reward = self.counts(study)["APPROVED"] * self.studies[study]["reward"]
        amounts = {"rewards": reward, "fees": reward * FEE_PERCENT // 100, "tax": 0}
        return {
            "rewards": {name: {"amount": cents, "currency": "USD"} for name, cents in amounts.items()},
            "bonuses": None,
        }

    def listed(self, params: dict[str, str]) -> httpx.Response:
        size, page = int(params["page_size"]), int(params["page"])
        mine = self.of(params["study"])[size * (page - 1) : size * page]
        return httpx.Response(200, json={"results": mine})

    def one(self, submission: str) -> httpx.Response:
        found = self.submissions.get(submission)
        return httpx.Response(200, json=found) if found else httpx.Response(404, json={"error": "not found"})

    def subscribe(self, body: dict[str, Any]) -> httpx.Response:
        name = f"hook-{len(self.subscriptions) + 1}"
        self.subscriptions[name] = {**body, "id": name, "is_enabled": False}
        self.handshakes[name] = f"handshake-{name}"
        mine = self.subscriptions[name]
        answer = {"results": list(self.subscriptions.values())} if self.lists_subscriptions else mine
        return httpx.Response(201, json=answer, headers={"X-Hook-Secret": self.handshakes[name]})

    def confirm(self, subscription: str, body: dict[str, Any]) -> httpx.Response:
        if body != {"secret": self.handshakes[subscription]}:
            return httpx.Response(400, json={"error": "another secret"})
        self.subscriptions[subscription]["is_enabled"] = True
        return httpx.Response(200, json=self.subscriptions[subscription])

    def webhook(self, submission: str, at: datetime, event_id: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of the webhook that tells of the submission's present status."""
        status = self.submissions[submission]["status"]
        event = {"resource_id": submission, "event_type": "submission.status.change", "participant_id": "p"}
        return self.signed({**event, "status": status}, at, event_id)

    def signed(self, event: dict[str, Any], at: datetime, event_id: str) -> tuple[dict[str, str], bytes]:
        body, time = json.dumps(event).encode(), str(int(at.timestamp()))
        digest = hmac.digest(self.secret.encode(), time.encode() + body, hashlib.sha256)
        return {
            "X-Prolific-Request-Signature": base64.b64encode(digest).decode(),
            "X-Prolific-Request-Timestamp": time,
            "X-Timestamp": time,
            "X-Event-ID": event_id,
        }, body
