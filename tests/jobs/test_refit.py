"""Changes of the data are followed by a refit, and what it changes is told."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.jobs import refit as refit_job
from app.jobs.workflows import Context
from app.services.curves import fit
from app.services.curves.fits import Fits
from app.services.forecasts.due import due_now
from app.services.jobs import plan_watch
from app.services.jobs.plan_watch import moved_share
from app.services.planning import refits
from app.settings import Settings
from app.store import observations as store
from app.store.projects import any_project
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


def forecasts(api: Api, project: str) -> dict[str, Any]:
    return dict(api.get(f"{project}/forecasts?limit=500").json())


def numbers(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The forecasts without what names rows and instants."""
    return [{name: one[name] for name in one if name not in ("observation", "created_at")} for one in found["items"]]


def one_by_one(api: Api, project: str, after_each: Callable[[], object] = lambda: None) -> None:
    for number, n in enumerate((50, 100, 200, 400)):
        post(api, project, run(number, {"A": n, "B": n // 2}, A=0.9 - 2 * n**-0.5, B=0.8 - n**-0.5))
        after_each()


def test_runs_are_forecast_by_the_refit_as_if_each_had_been_at_once(api: Api, context: Context) -> None:
    prompt, late = api.project(), api.project()
    one_by_one(api, prompt, lambda: run_waiting(context))
    one_by_one(api, late)
    before = forecasts(api, late)
    assert (before["items"], before["record"]["count"], before["due"]) == ([], 0, 4)
    etag = api.get(f"{late}/forecasts").headers["ETag"]
    assert run_waiting(context) == ["refit"]
    after = forecasts(api, late)
    assert (after["due"], len(after["items"])) == (0, 6)
    assert numbers(after) == numbers(forecasts(api, prompt))
    assert api.get(f"{late}/forecasts", headers={"If-None-Match": etag}).status_code == 200
    assert run_waiting(context) == []


def test_an_answer_goes_by_forecasts_that_are_still_due(api: Api, context: Context) -> None:
    """Before and after the job: to the last digit the same, by the same ETag."""
    project = api.project()
    post(api, project, *RUNS)
    run_waiting(context)
    post(api, project, *(run(n, {"A": 300 + n, "B": 150}, A=0.5 + 0.01 * n, B=0.9) for n in range(10, 35)))
    before = api.get(f"{project}/allocations/next")
    run_waiting(context)
    assert forecasts(api, project)["record"]["widening"]["level_80"] > 1
    after = api.get(f"{project}/allocations/next")
    assert (after.content, after.headers["ETag"]) == (before.content, before.headers["ETag"])


def test_while_many_are_due_answers_go_by_those_made_and_say_so_by_their_tag(api: Api, context: Context) -> None:
    project = api.project()
    for number in range(12):
        post(api, project, run(number, {"A": 50 + number, "B": 25}, A=0.70))
    before = api.get(f"{project}/allocations/next").headers["ETag"]
    run_waiting(context)
    assert api.get(f"{project}/allocations/next").headers["ETag"] != before


def test_what_changed_after_a_post_does_not_change_its_forecast(api: Api, context: Context) -> None:
    """Groups stated, archived, renamed in between, runs voided, the project archived: the forecasts stay as they were
    to be."""
    prompt, late = api.project(), api.project()
    one_by_one(api, prompt, lambda: run_waiting(context))
    one_by_one(api, late)
    api.patch(f"{late}/groups/A", json={"initial_count": 5000, "attributes": {"side": "left"}})
    stated = {"asymptote": 0.1, "scale": 1.0, "exponent": 0.5, "offset": 0.0}
    api.patch(f"{late}/groups/B", json={"assumed_curve": stated})
    first = api.get(f"{late}/observations").json()["items"][0]["id"]
    assert api.delete(f"{late}/observations/{first}?reason=wrong").status_code in (200, 204)
    assert api.delete(late).status_code in (200, 204)
    run_waiting(context)
    api.post(f"{late}/restore")
    assert numbers(forecasts(api, late)) == numbers(forecasts(api, prompt))


def test_a_job_killed_between_forecasting_and_storing_makes_each_forecast_once(
    api: Api, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, prompt = api.project(), api.project()
    one_by_one(api, prompt, lambda: run_waiting(context))
    one_by_one(api, project)
    pay = refit_job.pay

    def die(*about: Any) -> None:
        raise KeyboardInterrupt

    def pay_then_die(*about: Any) -> None:
        pay(*about)
        raise KeyboardInterrupt

    number = UUID(project.rpartition("/")[2])
    for dying in (die, pay_then_die):
        monkeypatch.setattr(refit_job, "pay", dying)
        with pytest.raises(KeyboardInterrupt):
            refit_job.forecast(context, number, math.inf)
        assert forecasts(api, project)["due"] == 4
    monkeypatch.setattr(refit_job, "pay", pay)
    # Two at once: who is second finds them made.
    with context.database.reading() as session:
        stored = any_project(session, number)
        assert stored is not None
        twice = [one.make(context.fits, context.clock()) for one in due_now(session, context.fits, stored)]
    refit_job.forecast(context, number, math.inf)
    with context.database.writing() as session:
        stored = any_project(session, number, lock=True)
        assert stored is not None
        pay(session, stored, twice)
    assert numbers(forecasts(api, project)) == numbers(forecasts(api, prompt))
    assert forecasts(api, project)["due"] == 0


def test_much_to_forecast_is_done_in_turns(api: Api, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    project = api.project()
    one_by_one(api, project)
    monkeypatch.setattr(refit_job, "TURN_S", 0.0)
    assert run_waiting(context) == ["refit"]
    assert forecasts(api, project)["due"] == 3
    while forecasts(api, project)["due"]:
        assert run_waiting(context) == ["refit"]
    assert run_waiting(context) == []
    assert len(forecasts(api, project)["items"]) == 6


def test_a_warm_project_is_asked_without_reading_runs_or_fitting(
    api: Api, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has seen nothing of the project goes by what the job stored, to the last digit."""
    project = api.project()
    one_by_one(api, project)
    asked = [f"{project}/allocations/next", f"{project}/allocations/next?budget=50"]
    cold = [api.get(path).content for path in asked]
    run_waiting(context)
    api.app.state.runtime = replace(api.app.state.runtime, fits=Fits(100_000_000))

    def not_now(*about: Any) -> None:
        raise AssertionError("fitted or read what a job has fitted")

    monkeypatch.setattr(fit, "fit_now", not_now)
    monkeypatch.setattr(store, "run_rows", not_now)
    monkeypatch.setattr(store, "record", not_now)
    assert [api.get(path).content for path in asked] == cold
