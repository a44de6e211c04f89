"""The client itself: one method per call, and when to call again."""

import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from tranche.errors import SimulationFailed, answer_of
from tranche.questions import MeasurementPlan, Requirements, ScenarioPlan, Simulation
from tranche.shapes import (
    Accepted,
    Allocation,
    Curve,
    Group,
    Json,
    Observation,
    Project,
    Remark,
    Source,
    known,
)

Money = Decimal | int | float | str
Query = Mapping[str, str | list[str]]

FIRST_WAIT_S, LONGEST_BACKOFF_S, LONGEST_WAIT_S = 0.5, 8.0, 60.0
POLL_S = 1.0
_BUSY = frozenset({429, 502, 503, 504})
_OWN_FAULTS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_random = secrets.SystemRandom()


class Client:
    """Calls one Tranche service with one API key; close it, or use it in `with`.

    A request that does not reach the service, or finds it busy (429, 502, 503, 504, or a 409 that says when
    to come back), is sent again up to `retries` times, after a growing, jittered wait and never before its
    Retry-After; one that asks for more than a minute is not waited for. A repeated POST carries the same
    Idempotency-Key, so it has one effect. What remains is raised as `TrancheError` or `httpx.TransportError`.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float = 60.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout_s, transport=transport)
        self._retries = retries
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def create_project(
        self, name: str, *, metric: Json, budget: Json, groups: Iterable[Json] = (), **more: Any
    ) -> Project:
        """Creates a project with its groups; `more` takes objective, currency and recipe."""
        body = {"name": name, "metric": metric, "budget": budget, "groups": list(groups), **more}
        return known(Project, self._call("POST", "/v1/projects", body))

    def get_project(self, project_id: str) -> Project:
        return known(Project, self._call("GET", _path(project_id)))

    def groups(self, project_id: str) -> Iterator[Group]:
        """Every group, page by page."""
        return (known(Group, item) for item in self._items(_path(project_id, "groups")))

    def update_group(self, project_id: str, key: str, **changes: Any) -> Group:
        """Changes the named fields of a group, such as `initial_count` after a purchase."""
        return known(Group, self._call("PATCH", _path(project_id, "groups", key), changes))

    def add_source(
        self,
        project_id: str,
        key: str,
        *,
        unit_cost: Money,
        group: str | None = None,
        yields: Mapping[str, float] | None = None,
        **more: Any,
    ) -> Source:
        """Adds an offer for a `group`, or for several with their shares (`yields`); `more` takes kind, name, min_order,
        max_order, lot_size, fixed_cost, price_tiers, ..."""
        delivers = {"group": group} if yields is None else {"yields": dict(yields)}
        offer = {"key": key, "unit_cost": unit_cost, **delivers, **more}
        return Source.of(self._call("POST", _path(project_id, "sources"), offer))

    def post_observations(self, project_id: str, observations: Iterable[Observation]) -> Accepted:
        """Posts up to 10,000 runs, all or none; a known `external_id` counts as a duplicate."""
        body = {"observations": [run.to_json() for run in observations]}
        answer = self._call("POST", _path(project_id, "observations"), body)
        return known(Accepted, answer, warnings=Remark.all_of(answer))

    def next_allocation(
        self,
        project_id: str,
        *,
        budget: Money | None = None,
        policy: str | None = None,
        exploration: float | None = None,
        hold: Mapping[str, int] | None = None,
        draws: int | None = None,
        seed: int | None = None,
        groups: str | None = None,
    ) -> Allocation:
        """Asks what to buy next, which changes nothing; what is None here is left to the service.

        `hold` fixes the orders of some sources; the rest is optimised.
        """
        asked = {"budget": budget, "policy": policy, "exploration": exploration, "draws": draws, "seed": seed}
        query: dict[str, str | list[str]] = _said({**asked, "groups": groups})
        if hold:
            query["hold"] = [f"{source}:{order}" for source, order in hold.items()]
        return Allocation.of(self._call("GET", _path(project_id, "allocations", "next"), query=query))

    def what_if(
        self, project_id: str, scenarios: Iterable[Json], *, draws: int | None = None, seed: int | None = None
    ) -> list[ScenarioPlan]:
        """Plans up to 20 scenarios side by side, which changes nothing; differences are to the first."""
        body = {"scenarios": list(scenarios), **_said({"draws": draws, "seed": seed}, as_text=False)}
        answer = self._call("POST", _path(project_id, "allocations", "what-if"), body)
        return [ScenarioPlan.of(row) for row in answer["scenarios"]]

    def requirements(
        self,
        project_id: str,
        *,
        chance: float | None = None,
        joint: bool | None = None,
        targets: Mapping[str, float | None] | None = None,
        budgets: Iterable[Money] | None = None,
        draws: int | None = None,
        seed: int | None = None,
    ) -> Requirements:
        """Asks for the least money with which every group reaches its target with `chance`, `joint` for all together;
        `targets` stand in for the groups' own."""
        asked = {"chance": chance, "joint": joint, "targets": targets, "draws": draws, "seed": seed}
        body = _said({**asked, "budgets": None if budgets is None else list(budgets)}, as_text=False)
        return Requirements.of(self._call("POST", _path(project_id, "requirements"), body))

    def simulate(
        self,
        project_id: str,
        policies: Iterable[str] | None = None,
        *,
        chosen: str | None = None,
        replicates: int | None = None,
        rounds: int | None = None,
        budget: Money | None = None,
        seed: int | None = None,
        timeout_s: float = 3600.0,
    ) -> Simulation:
        """Plays the collection game on the project's own posterior and waits for the answer. Raises TimeoutError after
        `timeout_s` seconds, and SimulationFailed where the service gives it up."""
        asked = {"chosen": chosen, "replicates": replicates, "rounds": rounds, "budget": budget, "seed": seed}
        body = _said({**asked, "policies": None if policies is None else list(policies)}, as_text=False)
        answer = self._call("POST", _path(project_id, "simulations"), body)
        waited_s = 0.0
        while answer["state"] in ("queued", "running"):
            if waited_s >= timeout_s:
                raise TimeoutError(f"simulation {answer['id']} is {answer['state']} after {timeout_s:g} s")
            self._sleep(POLL_S)
            waited_s += POLL_S
            answer = self._call("GET", _path(project_id, "simulations", answer["id"]))
        if answer["state"] != "succeeded":
            raise SimulationFailed(f"simulation {answer['id']} has {answer['state']}: {answer['error']}")
        return Simulation.of(answer)

    def measurement_plan(
        self, project_id: str, runs: int | None = None, *, draws: int | None = None, seed: int | None = None
    ) -> MeasurementPlan:
        """Asks at which subset sizes the next `runs` training runs tell most; that costs compute and no samples."""
        query = _said({"runs": runs, "draws": draws, "seed": seed})
        return MeasurementPlan.of(self._call("GET", _path(project_id, "measurement-plan"), query=query))

    def curves(self, project_id: str, at: Sequence[int] = ()) -> Iterator[Curve]:
        """Every group's learning curve, with its bands at the counts `at`."""
        query = {"at": ",".join(map(str, at))} if at else {}
        return (Curve.of(item) for item in self._items(_path(project_id, "curves"), query))

    def _items(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[Json]:
        query = dict(query or {})
        while True:
            page = self._call("GET", path, query=query)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def _call(self, method: str, path: str, body: Json | None = None, query: Query | None = None) -> Json:
        headers = {} if body is None else {"Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        content = None if body is None else json.dumps(body, default=_plain, allow_nan=False).encode()
        request = self._http.build_request(method, path, params=query or None, content=content, headers=headers)
        return answer_of(self._send(request))

    def _send(self, request: httpx.Request) -> httpx.Response:
        for attempt in range(self._retries):
            wait_s = _backoff_s(attempt)
            try:
                response = self._http.send(request)
            except _OWN_FAULTS:
                raise
            except httpx.TransportError:
                self._sleep(wait_s)
                continue
            asked_s = _asked_to_wait_s(response)
            if asked_s is None or asked_s > LONGEST_WAIT_S:
                return response
            self._sleep(max(asked_s, wait_s))
        return self._http.send(request)


def _path(project_id: str, *rest: str) -> str:
    return "/".join(["/v1/projects", *(quote(part, safe="") for part in (project_id, *rest))])


def _said(asked: Mapping[str, Any], *, as_text: bool = True) -> dict[str, Any]:
    """What is not None, for a query as text."""
    return {name: str(value) if as_text else value for name, value in asked.items() if value is not None}


def _plain(value: Any) -> Any:
    """JSON for what training loops hold: money, instants, NumPy's numbers. Raises TypeError for anything else."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} of type {type(value).__name__} does not go into JSON")


def _backoff_s(attempt: int) -> float:
    # The jitter keeps many training jobs from coming back all at once.
    longest_s = min(LONGEST_BACKOFF_S, FIRST_WAIT_S * 2.0**attempt)
    return longest_s * _random.uniform(0.5, 1.0)


def _asked_to_wait_s(response: httpx.Response) -> float | None:
    """The least wait before the same request may succeed; None where the answer is final."""
    stated_s = _retry_after_s(response.headers.get("Retry-After", ""))
    if response.status_code in _BUSY:
        return stated_s or 0.0
    return stated_s if response.status_code == 409 else None


def _retry_after_s(header: str) -> float | None:
    if header.isdecimal():
        return float(header)
    try:
        return (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
