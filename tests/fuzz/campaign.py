"""Many requests to one service in this process; each answer is held against the contract."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from fastapi import FastAPI

from tests.fuzz.asking import ask
from tests.fuzz.contract import Operation, contract
from tests.fuzz.making import Maker
from tests.fuzz.pages import Visitor
from tests.fuzz.world import World

DEAR = (
    "/allocations/", "/requirements", "/curves", "/charts/", "/tables", "/report", "/measurement-plan", "/value",
    "/rounds", "/purchases", "/provenance", "/simulations", "/forecasts",
)  # fmt: skip
"""Parts of the paths of what computes."""
PAGES = 0.12
"""Share of requests that are pages and their forms."""
CALM = 0.35
"""Share of requests to operations that nothing is wrong with."""
MOST_KINDS = 40
PROJECT = "/v1/projects/{project_id}"
OPENING = [
    "POST /v1/projects", "POST /v1/projects", "POST /v1/projects", f"POST {PROJECT}/observations",
    f"POST {PROJECT}/observations", f"POST {PROJECT}/observations", f"POST {PROJECT}/sources",
    f"GET {PROJECT}/groups", "POST /v1/vendor-connections", "POST /v1/vendor-connections",
    "POST /v1/webhook-endpoints", f"POST {PROJECT}/rounds", f"POST {PROJECT}/rounds", f"GET {PROJECT}/rounds",
    f"GET {PROJECT}/observations", f"GET {PROJECT}/rounds/{{number}}", f"POST {PROJECT}/rounds/{{number}}/accept",
    f"POST {PROJECT}/purchases", f"POST {PROJECT}/simulations",
]  # fmt: skip


@dataclass
class Found:
    """By what is wrong and where: the first request that showed it."""

    faults: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)

    def report(self) -> str:
        lines = [f"{what}\n    {request}" for what, request in self.faults.items()]
        return f"{len(lines)} kinds of faults\n" + "\n".join(lines)


class Campaign:
    """Its choices follow from `seed` and the number of the request, so that the same seed meets the same fault."""

    def __init__(self, app: FastAPI, key: str, seed: int) -> None:
        self.app = app
        self.seed = seed
        self.contract = contract()
        self.world = World(key)
        self.maker = Maker(self.contract, self.world)
        self.visitor = Visitor(app, self.world)
        self.found = Found()
        self.operations = self.contract.operations()
        self.by_name = {str(one): one for one in self.operations}
        self.weights = [weight(one) for one in self.operations]

    async def run(self, requests: int, most: int = MOST_KINDS) -> Found:
        """most: kinds of faults after which it ends."""
        await self.visitor.sign_in()
        for number in range(requests):
            await self.step(number)
            if len(self.found.faults) >= most:
                break
        return self.found

    async def step(self, number: int) -> None:
        rng = Random(f"{self.seed} {number}")  # noqa: S311 - nothing is secret
        opening = OPENING[number] if number < len(OPENING) else None
        if opening is None and rng.random() < PAGES:
            request = self.visitor.request(rng)
        else:
            operation = self.by_name.get(opening) or rng.choices(self.operations, self.weights)[0]
            request = self.maker.request(operation, rng, calm=opening is not None or rng.random() < CALM)
        answer = await ask(self.app, request)
        self.found.statuses[answer.status] += 1
        if request.operation is not None and answer.status < 300:
            self.found.operations.add(str(request.operation))
        faults = list(self.contract.faults(request, answer))
        for what in faults:
            where = request.operation or request.path.decode("latin-1")[:60]
            told = f"FUZZ_SEED={self.seed} FUZZ_REQUESTS={number + 1} make test-fuzz  # {request}"
            self.found.faults.setdefault(f"{where}: {what}", told)
        if not faults:
            self.world.learn(request, answer)
        if not request.is_api:
            self.visitor.learn(answer)


def weight(operation: Operation) -> float:
    """How often it is asked: what computes seldom, what makes things often."""
    if str(operation) == "DELETE /v1/projects/{project_id}":
        return 0.1
    if operation.method == "DELETE" or operation.path.endswith("/cancel"):
        return 0.4
    if operation.path.endswith(("/observations", "/rounds", "/accept", "/deliveries")) and operation.method == "POST":
        return 1.5
    if any(part in operation.path for part in DEAR):
        return 0.15
    return 2.0 if operation.path == "/v1/projects" and operation.method == "POST" else 1.0
