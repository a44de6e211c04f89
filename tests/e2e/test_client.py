"""The client against a real service: every call, a round's whole life, and a restart under way."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from tranche import Client, Metric, Observation, Project, TrancheError

from app.demo.service import Access, temporary_service
from tests.waiting import PATIENCE_S, until

METRIC = {"name": "accuracy", "kind": "proportion", "goal": "maximize", "lower": 0, "upper": 1}
GROUPS = [
    {"key": "women", "initial_count": 200, "unit_cost": "2.50"},
    {"key": "men", "initial_count": 400, "unit_cost": "1.50", "target": 0.9},
]


def run(n: int, name: str) -> Observation:
    held = {"women": n, "men": 2 * n}
    return Observation(held, {group: 0.95 - 0.9 / count**0.4 for group, count in held.items()}, name, eval_size=2000)


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    with temporary_service(0, worker=True) as access:
        yield access


@pytest.fixture
def tranche(access: Access) -> Iterator[Client]:
    with Client(access.base_url, access.api_key) as client:
        yield client


@pytest.fixture
def project(tranche: Client) -> Project:
    budget = {"total": "600", "rounds": 3}
    project = tranche.create_project("speech", metric=METRIC, model="separate", budget=budget, groups=GROUPS)
    tranche.post_observations(project, [run(n, f"run-{n}") for n in (50, 100, 200)])
    return project


def test_a_manifest_becomes_a_delivery(tranche: Client, project: Project) -> None:
    round = tranche.propose_round(project, tranche.next_allocation(project), external_id="rows")
    tranche.accept_round(round, "wanted")
    order = round.orders[0]
    rows = f"item,group\na,{order.source}\nb,{order.source}\nb,{order.source}\n"
    sent = tranche.send_manifest(round, order, rows)
    assert (sent["accepted"], sent["rejected"]) == (2, 1)
    assert (round.order_of(order.source).accepted, round.order_of(order.source).rejected) == (2, 1)
    [kept] = tranche.manifests(project, order.id)
    assert (kept["id"], kept["rows"]) == (sent["id"], 3)


def test_a_round_lives_from_the_plan_to_its_close(tranche: Client, project: Project) -> None:
    plan = tranche.next_allocation(project, exploration=0.0, seed=3, hold={"men": 20})
    proposed = tranche.propose_round(project, plan, external_id="one")
    assert (proposed.state, proposed.cost) == ("proposed", plan.budget.spend)
    assert {line.source: line.quantity for line in proposed.lines} == {k: n for k, n in plan.orders.items() if n}
    tranche.edit_round(proposed, {"women": 40, "men": 30})
    accepted = tranche.accept_round(proposed, "wanted")
    assert accepted is proposed
    assert (accepted.state, accepted.committed) == ("accepted", Decimal("145.00"))
    delivery = tranche.record_delivery(accepted, "women", {"women": {"accepted": 36, "rejected": 4}}, external_id="box")
    assert (delivery.order.accepted, accepted.state, accepted.spent) == (36, "collecting", Decimal("100.00"))
    order = accepted.order_of("men")
    assert tranche.record_delivery(accepted, order, {"men": 30}, note="all at once").order.id == order.id
    tranche.correct_delivery(accepted, "women", {"women": {"accepted": 2, "rejected": -2}}, note="recounted")
    card = tranche.provenance(project)
    assert card["adds_up"]
    assert sorted(lot["kind"] for lot in card["lots"]) == ["correction", "delivery", "delivery", "initial"]
    assert tranche.provenance_md(project).startswith("# Provenance of speech")
    closed = tranche.close_round(accepted)
    assert (closed.state, closed.spent, closed.committed) == ("closed", Decimal("145.00"), Decimal("0.00"))
    assert [row["accepted"] for row in sorted(closed.to_dicts(), key=lambda row: row["source"])] == [30, 38]
    assert (closed.groups["women"].accepted, closed.groups["women"].count_before) == (38, 200)
    assert tranche.get_round(project, 1) == closed
    assert tranche.get_order(project, order.id).spent == Decimal("45.00")
    assert [one.state for one in tranche.rounds(project)] == ["closed"]
    entries = tranche.ledger(project)
    assert sum(entry.spent for entry in entries) == Decimal("145.00")
    assert tranche.ledger(project, order=order).to_dicts() == [
        row for row in entries.to_dicts() if row["order"] == order.id
    ]
    assert tranche.check_ledger(project).entries_add_up
    left = tranche.next_allocation(project).budget
    assert left.remaining == Decimal("455.00") - left.spend


def test_a_loop_spends_its_budget_and_a_second_run_of_it_adds_nothing(tranche: Client) -> None:
    """The loop as it is taught: plan, buy, train, each under its name; then the whole script again."""

    def loop() -> tuple[list[Decimal], list[dict[str, int]], Project]:
        project = tranche.ensure_project(
            external_id="taught", metric=METRIC, budget={"total": "600", "rounds": 3}, groups=GROUPS
        )
        tranche.post_observations(project, [run(n, f"start-{n}") for n in (50, 100, 200)])
        left, held = [], []
        for number in range(3):
            plan = tranche.next_allocation(project)
            bought = tranche.record_purchase(project, plan, external_id=f"round-{number}")
            assert (bought.state, bought.spent) == ("closed", plan.budget.spend)
            held.append({group.key: group.initial_count for group in tranche.groups(project)})
            tranche.post_observations(project, [run(300 + 50 * number, f"after-{number}")])
            left.append(tranche.next_allocation(project, budget=0).budget.remaining)
        return left, held, project

    left, _, project = loop()
    assert 600 > left[0] > left[1] > left[2] >= 0
    assert left[2] < 10
    rounds, runs = len(tranche.rounds(project)), len(tranche.observations(project))
    counts = {row["group"]: row["count"] for row in tranche.next_allocation(project, groups="all").to_dicts()}
    assert sum(entry.spent for entry in tranche.ledger(project)) == 600 - left[2]
    assert (rounds, runs) == (3, 6)
    assert tranche.ensure_project(
        external_id="taught", metric=METRIC, budget={"total": "600", "rounds": 3}, groups=GROUPS
    ).id == project.id  # fmt: skip
    assert tranche.find_project(external_id="taught") == tranche.get_project(project)
    with pytest.raises(TrancheError, match="409"):
        tranche.ensure_project(external_id="taught", metric=METRIC, budget={"total": "601", "rounds": 3}, groups=GROUPS)
    assert counts["men"] + counts["women"] > 600


def test_a_purchase_may_be_told_by_groups_or_by_what_came(tranche: Client, project: Project) -> None:
    by_group = tranche.record_purchase(project, groups={"women": 20}, spent="45.50", external_id="a", note="by mail")
    assert (by_group.spent, by_group.orders[0].accepted) == (Decimal("45.50"), 20)
    came = {"men": {"groups": {"men": {"accepted": 28, "rejected": 2}}}}
    assert tranche.record_purchase(project, came).orders[0].rejected == 2
    with pytest.raises(TrancheError, match="409"):
        tranche.record_purchase(project, {"men": 10_000})
    with pytest.raises(TrancheError, match="422"):
        tranche.record_purchase(project, {"nobody": 1})
    assert len(tranche.rounds(project)) == 2


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(tranche: Client, project: Project) -> None:
    mine = tranche.propose_round(project, tranche.next_allocation(project))
    theirs = tranche.get_round(project, mine.number)
    tranche.edit_round(theirs, {"women": 10})
    with pytest.raises(TrancheError) as refused:
        tranche.accept_round(mine)
    assert refused.value.status == 412
    with pytest.raises(ValueError, match="only listed; read it with get_round"):
        tranche.cancel_round(tranche.rounds(project)[0])
    assert tranche.cancel_round(theirs, "too few").reason == "too few"


def test_a_plan_that_the_data_left_behind_is_not_proposed(tranche: Client, project: Project) -> None:
    plan = tranche.next_allocation(project)
    tranche.post_observations(project, [run(400, "later")])
    with pytest.raises(TrancheError) as refused:
        tranche.propose_round(project, plan)
    assert (refused.value.status, refused.value.type) == (409, "urn:tranche:problem:allocation-changed")


def test_runs_are_posted_listed_voided_and_forecast(tranche: Client, project: Project) -> None:
    assert tranche.post_observations(project, [run(50, "run-50"), run(400, "run-400")]).duplicates == 1
    stored = tranche.observations(project)
    assert {one.external_id for one in stored} == {"run-50", "run-100", "run-200", "run-400"}
    until(lambda: not tranche.forecasts(project).due)
    forecasts = tranche.forecasts(project)
    assert {(one.group, one.count) for one in forecasts} == {("men", 800), ("women", 400)}
    assert forecasts.record["count"] == 2
    assert [one.group for one in tranche.forecasts(project, group="women")] == ["women"]
    last = next(one for one in stored if one.external_id == "run-400")
    assert last.metrics["men"] == Metric(0.95 - 0.9 / 800**0.4, eval_size=2000)
    assert tranche.void_observation(project, last, "wrong split").void_reason == "wrong split"
    assert [one.id for one in tranche.observations(project, voided=True)] == [last.id]
    assert len(tranche.observations(project)) == 3
    assert stored.to_dicts()[0]["count_women"] in (50, 100, 200, 400)


def test_files_come_as_text_and_bytes(tranche: Client, project: Project) -> None:
    assert tranche.report(project, seed=1).startswith("<!doctype html>")
    table = tranche.table_csv(project, "groups")
    assert table.startswith('"')
    assert '"women"' in table
    assert tranche.table_xlsx(project, "allocation", budget=100).startswith(b"PK")
    assert tranche.tables_xlsx(project).startswith(b"PK")
    with pytest.raises(TrancheError, match="404"):
        tranche.table_csv(project, "none")


def test_answers_are_rows_of_plain_values(tranche: Client, project: Project) -> None:
    plan = tranche.next_allocation(project)
    curves = tranche.curves(project, at=[300])
    tables = [
        plan,
        curves,
        tranche.groups(project),
        tranche.sources(project),
        tranche.projects(),
        tranche.observations(project),
        tranche.requirements(project, chance=0.5, targets={"women": 0.9}),
        tranche.what_if(project, [{}, {"budget": 100}]),
        tranche.measurement_plan(project, 1),
        tranche.simulate(project, ["equal"], replicates=2, rounds=1),
        tranche.propose_round(project, plan),
    ]
    for table in tables:
        for row in table.to_dicts():
            assert all(value is None or isinstance(value, str | int | float | Decimal) for value in row.values()), row
    assert all(table.to_dicts() for table in tables[:-1])
    assert [row["group"] for row in plan.to_dicts()] == list(plan.groups)
    assert curves.to_dicts()[0]["at_300_p05"] == curves[0].bands[300].p05
    assert plan.verdict is not None
    assert " ".join(repr(plan).split()).startswith(plan.verdict.sentence)
    assert "women" in plan._repr_html_()


def test_projects_are_listed_and_found_by_name(tranche: Client, project: Project) -> None:
    named = tranche.create_project("found by its name", metric=METRIC, budget={"total": "1", "rounds": 1})
    assert tranche.find_project(name="found by its name") == named
    assert tranche.find_project(name="nobody") is None
    assert {project.id, named.id} <= {one.id for one in tranche.projects()}
    tranche.create_project("found by its name", metric=METRIC, budget={"total": "1", "rounds": 1})
    with pytest.raises(LookupError, match=f"2 projects .*{named.id}"):
        tranche.find_project(name="found by its name")


class Served:
    """`tranche serve` in a process that can be killed and started anew, on one port and database."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = int(one.getsockname()[1])
        url = f"sqlite:///{folder}/tranche.db"
        self.environment = {**os.environ, "TRANCHE_DATABASE_URL": url, "TRANCHE_PORT": str(self.port)}
        self.command = (sys.executable, "-m", "app")
        subprocess.run([*self.command, "migrate"], env=self.environment, check=True)
        made = subprocess.run(
            [*self.command, "key", "create", "--scopes", "admin"],
            env=self.environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        self.key = made.stdout.split()[-1]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*self.command, "serve", "--no-worker"], env=self.environment, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/readyz").raise_for_status()
            except httpx.HTTPError:
                assert time.monotonic() < until
                time.sleep(0.1)
            else:
                return

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_loop_rides_out_a_restart(how: signal.Signals, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Runs are posted while the service is ended and started again: each is there once, and every retry is told."""
    caplog.set_level(logging.WARNING, "tranche")
    served = Served(tmp_path)
    try:
        served.wait()
        with Client(f"http://127.0.0.1:{served.port}", served.key) as tranche:
            budget = {"total": "9", "rounds": 1}
            project = tranche.create_project("p", metric=METRIC, model="separate", budget=budget, groups=GROUPS)
            restarted = threading.Timer(0.3, lambda: (served.end(how), time.sleep(2), served.start()))
            restarted.start()
            posted = 0
            while posted < 40 or restarted.is_alive():
                tranche.post_observations(project, [run(50 + posted, f"run-{posted}")])
                posted += 1
                time.sleep(0.02)
            restarted.join()
            runs = tranche.observations(project)
    finally:
        served.end(signal.SIGKILL)
    assert sorted(one.external_id or "" for one in runs) == sorted(f"run-{i}" for i in range(posted))
    lines = [record.getMessage() for record in caplog.records if record.name == "tranche"]
    assert lines
    assert all(" /v1/projects/" in line and "sent again in " in line for line in lines)
    assert served.key not in caplog.text
