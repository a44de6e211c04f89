"""Changes of the data are followed by a refit, and what it changes is told."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.jobs.workflows import Context
from app.services.jobs import plan_watch
from app.services.jobs.plan_watch import moved_share
from app.services.planning import refits
from app.settings import Settings
from tests.api_client import RUNS, Api, run
from tests.jobs.worker import job_context, run_waiting, working
from tests.waiting import until


@pytest.fixture
def context(api: Api, settings: Settings) -> Iterator[Context]:
    with job_context(settings, api.clock) as made:
        yield made


def post(api: Api, project: str, *runs: Mapping[str, Any]) -> None:
    answer = api.post(f"{project}/observations", json={"observations": list(runs)})
    assert answer.status_code == 201, answer.text


def told(api: Api, type: str) -> list[dict[str, Any]]:
    return [event["data"] for event in api.get(f"/v1/events?type={type}").json()["items"]]


def orders(api: Api, project: str) -> dict[str, str]:
    plan = api.get(f"{project}/allocations/next").json()
    return {one["source"]: one["cost"] for one in plan["sources"] if one["order"]}


def costs(side: Mapping[str, Any]) -> dict[str, str]:
    return {key: one["cost"] for key, one in side["sources"].items()}


def test_the_first_allocation_is_told_as_the_api_answers_it(api: Api, context: Context) -> None:
    project = api.project()
    post(api, project, *RUNS)
    assert run_waiting(context) == ["refit"]
    [change] = told(api, "allocation.changed")
    assert change["before"] is None
    assert change["url"] == f"{project}/allocations/next"
    assert costs(change["after"]) == orders(api, project)
    assert change["after"]["data_version"] == api.get(project).json()["data_version"]


def test_a_change_is_told_with_before_and_after_where_enough_money_moves(api: Api, context: Context) -> None:
    project = api.project()
    post(api, project, *RUNS)
    run_waiting(context)
    before = orders(api, project)
    # B turns out to have reached its floor: what it would have got goes to A.
    post(api, project, *(run(n, {"A": 200, "B": 100 * n}, A=0.77, B=0.712) for n in range(10, 20)))
    run_waiting(context)
    _, change = told(api, "allocation.changed")
    after = orders(api, project)
    assert costs(change["before"]) == before
    assert costs(change["after"]) == after
    gained = sum(max(Decimal(after.get(key, 0)) - Decimal(before.get(key, 0)), Decimal(0)) for key in after)
    assert change["moved"] == pytest.approx(float(gained / 500), abs=1e-4)
    assert change["moved"] > 0.05


def test_a_change_below_the_threshold_is_not_told_and_adds_up(api: Api, settings: Settings) -> None:
    project = api.project()
    deaf = settings.model_copy(update={"plan_change_threshold": 1.0})
    with job_context(deaf, api.clock) as context:
        post(api, project, *RUNS)
        run_waiting(context)
        post(api, project, *(run(n, {"A": 200, "B": 100 * n}, A=0.77, B=0.712) for n in range(10, 20)))
        run_waiting(context)
    assert len(told(api, "allocation.changed")) == 1
    # What was announced last is still the first allocation: the next look compares with that.
    keen = settings.model_copy(update={"plan_change_threshold": 0.05})
    with job_context(keen, api.clock) as context:
        post(api, project, run(30, {"A": 200, "B": 2000}, A=0.77, B=0.712))
        run_waiting(context)
    assert told(api, "allocation.changed")[1]["before"] == told(api, "allocation.changed")[0]["after"]


def test_changes_share_a_refit_until_it_begins(api: Api, context: Context) -> None:
    project = api.project()
    for number in range(4):
        post(api, project, run(number, {"A": 50, "B": 25}, A=0.70))
    assert run_waiting(context) == ["refit"]
    post(api, project, run(9, {"A": 60, "B": 25}, A=0.71))
    assert run_waiting(context) == ["refit"]
    assert run_waiting(context) == []


def test_a_change_during_a_refit_is_not_missed(api: Api, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    project = api.project()
    post(api, project, *RUNS)
    look = refits.look
    late = [run(n, {"A": 200, "B": 100 * n}, A=0.77, B=0.712) for n in range(10, 20)]

    def look_then_change(*about: Any) -> Any:
        outlook = look(*about)
        post(api, project, *late)
        return outlook

    monkeypatch.setattr(refits, "look", look_then_change)
    assert run_waiting(context) == ["refit"]
    monkeypatch.setattr(refits, "look", look)
    assert run_waiting(context) == ["refit"]
    assert costs(told(api, "allocation.changed")[-1]["after"]) == orders(api, project)


def test_a_refit_that_was_overtaken_says_nothing(api: Api, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was taken for dead comes back with what it saw before the last change."""
    project = api.project()
    post(api, project, *RUNS)
    with context.database.reading() as session:
        old = refits.look(session, context.fits, plan_watch.UUID(project.rpartition("/")[2]))
    post(api, project, *(run(n, {"A": 200, "B": 100 * n}, A=0.77, B=0.712) for n in range(10, 20)))
    run_waiting(context)
    seen = told(api, "allocation.changed")
    post(api, project, run(30, {"A": 200, "B": 2000}, A=0.77))
    monkeypatch.setattr(refits, "look", lambda *_: old)
    run_waiting(context)
    assert told(api, "allocation.changed") == seen


def test_a_cancelled_refit_does_not_keep_later_ones_from_starting(api: Api, context: Context) -> None:
    project = api.project()
    post(api, project, *RUNS)
    [job] = api.get("/v1/jobs").json()["items"]
    assert api.post(f"/v1/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    run_waiting(context)
    assert told(api, "allocation.changed") == []
    post(api, project, run(9, {"A": 60, "B": 25}, A=0.71))
    run_waiting(context)
    assert len(told(api, "allocation.changed")) == 1


def test_a_target_is_told_once_and_again_when_it_was_raised(api: Api, context: Context) -> None:
    groups = [
        {"key": "A", "initial_count": 200, "unit_cost": "1", "target": 0.5},
        {"key": "B", "initial_count": 100, "unit_cost": "2", "target": 0.99},
    ]
    project = api.project(groups=groups)
    post(api, project, *RUNS)
    run_waiting(context)
    [reached] = told(api, "target.reached")
    assert (reached["group"], reached["target"]) == ("A", 0.5)
    assert reached["probability"] > 0.9
    assert api.get(reached["url"]).json()["key"] == "A"
    post(api, project, run(9, {"A": 200, "B": 100}, A=0.78))
    run_waiting(context)
    assert len(told(api, "target.reached")) == 1
    api.patch(f"{project}/groups/A", json={"target": 0.6})
    post(api, project, run(10, {"A": 200, "B": 100}, A=0.78))
    run_waiting(context)
    assert [one["target"] for one in told(api, "target.reached")] == [0.5, 0.6]


def test_voiding_a_run_asks_for_a_refit_too(api: Api, context: Context) -> None:
    project = api.project()
    post(api, project, *RUNS)
    run_waiting(context)
    one = api.get(f"{project}/observations").json()["items"][0]
    api.delete(f"{project}/observations/{one['id']}", params={"reason": "wrong split"})
    assert run_waiting(context) == ["refit"]


def test_a_project_archived_meanwhile_is_left_alone(api: Api, context: Context) -> None:
    project = api.project()
    post(api, project, *RUNS)
    assert api.delete(project).status_code == 204
    run_waiting(context)
    [job] = api.get("/v1/jobs").json()["items"]
    assert job["state"] == "succeeded"
    assert "archived" in job["result"]["skipped"]
    assert told(api, "allocation.changed") == []


def test_a_worker_tells_what_observations_change(api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_watch, "DELAY_S", 0.0)
    project = api.project()
    with working(settings, clock=api.clock):
        post(api, project, *RUNS)
        until(lambda: api.get("/v1/jobs").json()["items"][0]["state"] == "succeeded")
    assert len(told(api, "allocation.changed")) == 1


allocations = st.dictionaries(
    st.sampled_from("ABCDE"), st.integers(1, 400).map(lambda cost: {"order": cost, "cost": f"{cost}.00"})
)


@given(before=allocations, after=allocations)
def test_the_share_that_moves_is_a_share_and_the_same_both_ways(before: dict[str, Any], after: dict[str, Any]) -> None:
    available = Decimal(2_000)
    share = moved_share(before, after, available)
    assert 0 <= share <= 1
    assert share == moved_share(after, before, available)
    assert (share == 0) == (before == after)
    nothing = {"cost": "0"}
    costs = [(Decimal(after.get(key, nothing)["cost"]), Decimal(before.get(key, nothing)["cost"])) for key in "ABCDE"]
    assert share >= float(sum(abs(one - other) for one, other in costs) / 2 / available)
