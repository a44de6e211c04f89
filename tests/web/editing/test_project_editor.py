"""The settings of a project by page."""

from decimal import Decimal

import pytest

from app.store.db import Database
from tests.api_client import RUNS, Api
from tests.conftest import new_key, one_database
from tests.web.browser_client import Pages, text_of
from tests.web.editing.forms import faults, seen, value

pytestmark = one_database


@pytest.fixture
def path(api: Api) -> str:
    return api.project(approval_threshold="5000.125").removeprefix("/v1")


def test_what_is_typed_is_read_as_people_write_it(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/settings")
    typed = {
        "budget.total": "$30,000", "budget.rounds": "1,000", "notes": "one\r\ntwo", "metric.name": "recall",
        "value_per_utility": "2.500,50", "verdict_thresholds.reach": "2,5", "verdict_thresholds.least_chance": "75 %",
    }  # fmt: skip
    answer = pages.post(f"{path}/settings", {"seen": seen(page), **typed})
    assert answer.status_code == 303, text_of(answer)
    project = api.get(f"/v1{path}").json()
    assert project["budget"] == {"total": "30000.00", "rounds": 1000}
    assert project["notes"] == "one\ntwo"
    assert (project["metric"]["name"], project["metric"]["upper"]) == ("recall", 1.0)
    assert Decimal(project["value_per_utility"]) == Decimal(250050), "a point is a hundredth"
    assert project["verdict_thresholds"]["reach"] == 2.5
    assert project["verdict_thresholds"]["least_chance"] == 0.75
    assert project["approval_threshold"] == "5000.125", "what was not touched stays as it is"
    after = pages.get(f"{path}/settings")
    assert "1,000.00 → $30,000" not in text_of(after)
    assert "1,000.00 → 30,000.00" in text_of(after)
    assert value(after, "value_per_utility") == "2,500.50"


def test_the_form_sent_as_it_is_changes_nothing(api: Api, pages: Pages, path: str) -> None:
    before = api.get(f"/v1{path}").json()
    page = pages.get(f"{path}/settings")
    names = list(before["budget"])
    sent = {f"budget.{name}": value(page, f"budget.{name}") for name in names}
    sent |= {name: value(page, name) for name in ("name", "currency", "notes", "approval_threshold", "metric.upper")}
    assert pages.post(f"{path}/settings", {"seen": seen(page), **sent}).status_code == 303
    assert api.get(f"/v1{path}").json() == before


def test_faults_stand_beside_their_fields_with_what_was_typed(api: Api, pages: Pages, path: str) -> None:
    before = api.get(f"/v1{path}").json()
    page = pages.get(f"{path}/settings")
    typed = {"budget.total": "30.000", "budget.rounds": "many", "name": "another", "approval_threshold": "€5"}
    answer = pages.post(f"{path}/settings", {"seen": seen(page), **typed})
    assert answer.status_code == 422
    said = faults(answer)
    assert "may be 30 or 30000" in said["budget.total"]
    assert said.keys() == {"budget.total", "budget.rounds", "approval_threshold"}
    assert {name: value(answer, name) for name in typed} == typed
    assert api.get(f"/v1{path}").json() == before


def test_what_the_services_refuse_stands_there_too(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/settings")
    answer = pages.post(f"{path}/settings", {"seen": seen(page), "metric.lower": "2", "currency": "dollars"})
    assert answer.status_code == 422
    assert "currency" in faults(answer)
    answer = pages.post(f"{path}/settings", {"seen": seen(page), "metric.lower": "2"})
    assert "must be below" in faults(answer)["metric.lower"]


def test_what_another_changed_meanwhile_is_not_overwritten(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/settings")
    api.patch(f"/v1{path}", json={"name": "theirs"})
    answer = pages.post(f"{path}/settings", {"seen": seen(page), "name": "mine"})
    assert answer.status_code == 412
    assert faults(answer) == {"name": "is now theirs"}
    assert value(answer, "name") == "mine"
    assert api.get(f"/v1{path}").json()["name"] == "theirs"
    again = pages.post(f"{path}/settings", {"seen": seen(answer), "name": "mine"})
    assert again.status_code == 303
    assert api.get(f"/v1{path}").json()["name"] == "mine"


def test_runs_that_came_in_are_no_change_of_what_was_seen(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/settings")
    assert api.post(f"/v1{path}/observations", json={"observations": RUNS}).status_code == 201
    assert pages.post(f"{path}/settings", {"seen": seen(page), "name": "mine"}).status_code == 303
    frozen = pages.post(f"{path}/settings", {"currency": "EUR"})
    assert frozen.status_code == 409
    assert "fixed since the first observation" in text_of(frozen)
    assert value(frozen, "currency") == "EUR"


def test_a_project_is_archived_and_taken_back(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/settings")
    answer = pages.post(f"{path}/archive", {"seen": seen(page)})
    assert answer.headers["location"] == "/?archived=true"
    assert pages.get(path).status_code == 404
    assert pages.post(f"{path}/restore").status_code == 303
    assert pages.get(path).status_code == 200


def test_notes_stand_on_the_plan_and_on_the_report(api: Api, pages: Pages, path: str) -> None:
    api.post(f"/v1{path}/observations?missing=zero", json={"observations": RUNS})
    note = "Bought for <b>March</b>."
    assert api.patch(f"/v1{path}", json={"notes": note}).json()["notes"] == note
    assert "&lt;b&gt;March" in pages.get(path).text
    assert "&lt;b&gt;March" in api.get(f"/v1{path}/report?draws=50").text
    refused = api.patch(f"/v1{path}", json={"notes": "x" * 10_001})
    assert refused.json()["errors"][0]["pointer"] == "/notes"
    assert api.patch(f"/v1{path}", json={"notes": None}).json()["notes"] is None


def test_who_may_read_alone_changes_nothing(api: Api, database: Database, path: str) -> None:
    reader = Pages(api)
    reader.sign_in(new_key(database, "read"))
    assert reader.get(f"{path}/settings").status_code == 403
    reader.get(path)
    assert reader.post(f"{path}/settings", {"name": "x"}).status_code == 403
    assert f'href="{path}/settings"' not in reader.get(path).text
