"""Clients that buy, deliver and simulate all the while, and note what was acknowledged: all of it has to be there once
in the end."""

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from tests.api_client import ACCURACY, RUNS
from tests.chaos.fleet import Client
from tests.vendors.samples import compact, standard_headers

PRICES = {"A": Decimal(1), "B": Decimal(2), "panel": Decimal("1.25")}
GROUPS = [{"key": "A", "initial_count": 200, "unit_cost": "1"}, {"key": "B", "initial_count": 100, "unit_cost": "2"}]
SIMULATION = {"policies": ["optimal", "proportional"], "replicates": 12, "rounds": 2, "draws": 20}
PARTS = 12
STATES = ("accepted", "rejected", "submitted", "uncounted")
FIRST = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)

Cell = tuple[str, str]
"""A group's key and the state of its samples."""


def project(client: Client, name: str) -> str:
    said = {
        "name": name,
        "model": "separate",
        "metric": ACCURACY,
        "budget": {"total": "1000000", "rounds": 200},
        "groups": GROUPS,
    }
    return f"/v1/projects/{client.made('/v1/projects', said)['id']}"


@dataclass
class Placed:
    """What was acknowledged of one order. `stated`: costs and refunds in place of the price; `priced`: samples at the
    price."""

    source: str
    quantity: int
    closed: bool = False
    counts: Counter[Cell] = field(default_factory=Counter)
    priced: int = 0
    stated: Decimal = Decimal(0)
    posts: int = 0
    items: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    """By id: when its state was said, the group, the state."""

    @property
    def spent(self) -> Decimal:
        return self.priced * PRICES[self.source] + self.stated

    @property
    def committed(self) -> Decimal:
        return Decimal(0) if self.closed else max(Decimal(0), self.quantity * PRICES[self.source] - self.spent)

    def count(self, group: str, state: str, count: int, *, priced: bool = True) -> None:
        self.counts[group, state] += count
        self.priced += count if priced else 0

    def fold_items(self) -> None:
        """What a vendor's items add up to, as the newest word on each has it."""
        for _, group, state in self.items.values():
            if state != "uncounted":
                self.count(group, "pending" if state == "submitted" else state, 1)
        self.items.clear()


class Buyer(Client):
    """Proposes, accepts, delivers, corrects and closes round after round, while its vendor's webhooks come in."""

    def prepare(self, number: int) -> None:
        """Before anything is killed: the secret of a connection is shown once."""
        self.chance = random.Random(number)  # noqa: S311 -- what to buy
        self.orders: dict[str, Placed] = {}
        self.rounds: dict[int, str] = {}
        self.letters: set[str] = set()
        self.clock = 0
        made = self.made("/v1/vendor-connections", {"name": f"panel {number}", "kind": "standard"})
        self.connection = f"/v1/vendor-connections/{made['id']}"
        self.hook, self.secret = httpx.URL(made["hook_url"]).path, made["secret"]
        self.project = project(self, f"buyer {number}")
        source = {"key": "panel", "yields": {"A": 0.5, "B": 0.5}, "unit_cost": "1.25", "connection": made["id"]}
        self.made(f"{self.project}/sources", source)
        self.made(f"{self.project}/observations", {"observations": RUNS})

    def work(self) -> None:
        while not self.stop.is_set():
            self.buy()

    def buy(self) -> None:
        number = self.propose()
        at = f"{self.project}/rounds/{number}"
        wanted = {"A": self.chance.randint(1, 9), "B": self.chance.randint(1, 9), "panel": self.chance.randint(5, 20)}
        self.changed("PATCH", at, {"orders": wanted})
        accepted = self.changed("POST", f"{at}/accept", {"note": "wanted"}, etag=self.call("GET", at).headers["ETag"])
        self.rounds[number] = "accepted"
        for order in accepted["orders"]:
            self.orders[order["id"]] = Placed(order["source"], wanted[order["source"]])
        for order in accepted["orders"]:
            if order["source"] == "panel":
                self.send_items(order["id"]) if number % 2 else self.send_changes(order["id"])
            else:
                self.deliver(at, order["id"], order["source"])
        if self.chance.random() < 0.7:
            self.changed("POST", f"{at}/close", None, etag=self.call("GET", at).headers["ETag"])
            self.rounds[number] = "closed"
            for order in accepted["orders"]:
                self.orders[order["id"]].closed = True
            # Late items are counted and charged too.
            for order in accepted["orders"]:
                if order["source"] == "panel" and number % 2:
                    self.send_items(order["id"])
        for placed in self.orders.values():
            placed.fold_items()

    def propose(self) -> int:
        """Of what is there now: a vendor's webhook of before may move the project between look and proposal."""
        while True:
            seen = self.call("GET", f"{self.project}/allocations/next", params={"policy": "equal"}).json()
            said = {"data_version": seen["data_version"], "query": {"policy": "equal"}}
            answer = self.call("POST", f"{self.project}/rounds", json=said, headers={"Idempotency-Key": self.new_key()})
            if answer.status_code == 201:
                return int(answer.json()["number"])
            if not answer.json()["type"].endswith(":allocation-changed"):
                raise AssertionError(answer.text)

    def deliver(self, at: str, order: str, group: str) -> None:
        placed, path = self.orders[order], f"{at}/orders/{order}"
        for _ in range(self.chance.randint(1, 2)):
            came = {"accepted": self.chance.randint(2, 5), "rejected": self.chance.randint(0, 2)}
            cost = Decimal(self.chance.randint(100, 900)) / 100 if self.chance.random() < 0.3 else None
            self.made(f"{path}/deliveries", {"groups": {group: came}} | ({"cost": str(cost)} if cost else {}))
            placed.posts += 1
            for state, count in came.items():
                placed.count(group, state, count, priced=cost is None)
            placed.stated += cost or 0
        if self.chance.random() < 0.5:
            self.made(f"{path}/corrections", {"groups": {group: {"accepted": -1, "rejected": 1}}, "note": "blurred"})
            placed.posts += 1
            placed.counts[group, "accepted"] -= 1
            placed.counts[group, "rejected"] += 1
        if self.chance.random() < 0.3:
            self.made(f"{path}/corrections", {"refund": "0.25", "note": "late"})
            placed.posts += 1
            placed.stated -= Decimal("0.25")

    def send_items(self, order: str) -> None:
        """Items, and changes of their states, in any order and some of them twice."""
        known = self.orders[order].items
        letters: list[Mapping[str, Any]] = []
        for _ in range(self.chance.randint(2, 4)):
            items = []
            for _ in range(self.chance.randint(1, 4)):
                self.clock += 1
                name = f"{order}-{self.chance.randint(1, 12)}"
                group = known[name][1] if name in known else self.chance.choice("AB")
                state = self.chance.choice(STATES)
                known[name] = (self.clock, group, state)
                at = (FIRST + timedelta(seconds=self.clock)).isoformat()
                items.append({"id": name, "state": state, "group": group, "updated_at": at})
            letters.append({"type": "items.changed", "data": {"order_id": order, "items": items}})
        self.send(letters)

    def send_changes(self, order: str) -> None:
        """Counts alone, each applied once by its id."""
        letters: list[Mapping[str, Any]] = []
        for number in range(self.chance.randint(1, 4)):
            group, count = self.chance.choice("AB"), self.chance.randint(1, 5)
            self.orders[order].count(group, "accepted", count)
            counts = [{"group": group, "accepted": count}]
            data = {"id": f"{order}-{number}", "order_id": order, "counts": counts}
            letters.append({"type": "order.delta", "timestamp": FIRST.isoformat(), "data": data})
        self.send(letters)

    def send(self, letters: list[Mapping[str, Any]]) -> None:
        named = [(f"msg_{self.new_key()}", compact({"timestamp": FIRST.isoformat(), **one})) for one in letters]
        again = [one for one in named if self.chance.random() < 0.3]
        for name, body in self.chance.sample(named, len(named)) + again:
            answer = self.call("POST", self.hook, content=body, signed=lambda body=body, name=name: standard_headers(
                body, self.secret, int(time.time()), name
            ))  # fmt: skip
            if answer.status_code != 202:
                raise AssertionError(answer.text)
            self.letters.add(name)

    def outcomes(self) -> dict[str, int]:
        found: dict[str, int] = self.call("GET", self.connection).json()["deliveries"]
        return {outcome: count for outcome, count in found.items() if count}

    def settled(self) -> bool:
        return self.outcomes() == {"applied": len(self.letters)}

    def check(self) -> None:
        """Everything acknowledged is there once, and the ledger's money is that of the acknowledged facts."""
        assert self.outcomes() == {"applied": len(self.letters)}
        assert {one["number"]: one["state"] for one in self.all_items(f"{self.project}/rounds")} == {
            number: "collecting" if state == "accepted" else state for number, state in self.rounds.items()
        }
        entries = self.all_items(f"{self.project}/ledger")
        assert {entry["order"] for entry in entries} == self.orders.keys()
        for name, placed in self.orders.items():
            mine = [entry for entry in entries if entry["order"] == name]
            counts: Counter[Cell] = Counter()
            for entry in mine:
                if entry["count"]:
                    counts[entry["group"], entry["state"]] += entry["count"]
            assert +counts == +placed.counts, name
            assert sum(Decimal(entry["spent"]) for entry in mine) == placed.spent, name
            assert sum(Decimal(entry["committed"]) for entry in mine) == placed.committed, name
            by_hand = {entry["cause"] for entry in mine if entry["kind"] in ("delivery", "correction")}
            assert len(by_hand) == placed.posts, name
            order = self.call("GET", f"{self.project}/orders/{name}").json()
            assert Decimal(order["spent"]) == placed.spent, name
        check = self.call("GET", f"{self.project}/ledger/check").json()
        assert check == {"entries_add_up": True, "discrepancies": []}

    def check_events(self, events: list[dict[str, Any]]) -> None:
        """One for each acceptance, order and close, and one for each post of a delivery."""
        mine = Counter(one["type"] for one in events if one["project_id"] == self.project.rpartition("/")[2])
        assert mine["round.accepted"] == len(self.rounds)
        assert mine["round.closed"] == sum(state == "closed" for state in self.rounds.values())
        assert mine["order.placed"] == len(self.orders)


class Simulator(Client):
    """Asks the same simulation again and again; its seed makes every answer the same, whoever played which part."""

    def prepare(self) -> None:
        self.project = project(self, "simulator")
        self.made(f"{self.project}/observations", {"observations": RUNS})
        self.asked: list[str] = []

    def work(self) -> None:
        while not self.stop.is_set():
            self.ask()
            while not self.stop.is_set() and not self.settled():
                time.sleep(0.2)

    def ask(self) -> None:
        self.asked.append(self.made(f"{self.project}/simulations", SIMULATION, status=202)["id"])

    def states(self) -> dict[str, str]:
        return {one["id"]: one["state"] for one in self.all_items(f"{self.project}/simulations")}

    def settled(self) -> bool:
        return all(state not in ("queued", "running") for state in self.states().values())

    def check(self) -> None:
        assert self.states() == dict.fromkeys(self.asked, "succeeded")
        answers = [self.call("GET", f"{self.project}/simulations/{one}").json()["result"] for one in self.asked]
        assert answers
        for answer in answers:
            assert answer["games"] == SIMULATION["replicates"]
            assert answer == answers[0]
