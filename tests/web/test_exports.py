"""Pages give their tables and the report under the question that they show."""

import csv
import re
from html import unescape
from io import BytesIO, StringIO

import httpx
import pytest
from openpyxl import load_workbook

from app.services.exports.tables import TABLES
from app.store.db import Database
from tests.api.exports.test_tables import FORMULA, SCRIPT, bought, path
from tests.api_client import Api
from tests.conftest import new_key, one_database
from tests.web.browser_client import Pages, text_of

pytestmark = one_database

__all__ = ["bought", "path"]


def page_of(path: str) -> str:
    return path.removeprefix("/v1")


def saved(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment; ")
    return list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline="")))


def links(answer: httpx.Response) -> list[str]:
    """Where the page's links to tables lead."""
    assert answer.status_code == 200, answer.text
    found = [unescape(one) for one in re.findall(r'href="([^"]*)"', answer.text)]
    return [one for one in found if re.search(r"/[a-z-]+\.(csv|xlsx)(\?|$)", one)]


def link_to(answer: httpx.Response, name: str, ending: str = "csv") -> str:
    [found] = [one for one in links(answer) if f"/{name}.{ending}" in one]
    return found


def test_the_plan_is_saved_under_the_question_that_is_shown(api: Api, pages: Pages, path: str) -> None:
    query = {"budget": "120", "policy": "worst_first", "objective": "maximin"}
    answer = pages.get(page_of(path), params=query)
    scenario = {"objective": {"kind": "maximin"}, "policy": "worst_first", "budget": "120"}
    asked = api.post(f"{path}/allocations/what-if", json={"scenarios": [scenario]}).json()["scenarios"][0]
    rows = saved(pages.get(link_to(answer, "allocation")))
    assert {row["group"]: int(row["add"]) for row in rows} == {key: one["add"] for key, one in asked["groups"].items()}
    assert [row["name"] for row in rows] == [SCRIPT, f"'{FORMULA}"]
    book = load_workbook(BytesIO(pages.get(link_to(answer, "allocation", "xlsx")).content))
    facts = {row[0].value: row[1].value for row in book["About"].iter_rows() if row[0].value}
    assert (facts["objective"], facts["policy"], facts["budget of the round"]) == ("maximin", "worst_first", 120)


def test_the_report_is_of_the_plan_that_is_shown(api: Api, pages: Pages, path: str) -> None:
    answer = pages.get(page_of(path), params={"budget": "120", "policy": "equal", "objective": "maximin"})
    [link] = [unescape(one) for one in re.findall(r'href="([^"]*/report\?[^"]*)"', answer.text)]
    report = pages.get(link)
    assert report.status_code == 200
    for said in ("How to spend 120.00 USD", "the same count for every group", "maximin (the worst-off group first"):
        assert said in text_of(report), said
    assert "sandbox" in report.headers["content-security-policy"]
    assert "nonce" not in report.headers["content-security-policy"]


@pytest.mark.parametrize(("place", "names"), [
    ("", ["allocation", "spending"]),
    ("/rounds", ["rounds", "source-values"]),
    ("/curves", ["groups"]),
    ("/rounds/1", ["round-groups", "orders"]),
    ("/measurement-plan?runs=2", ["measurement-plan"]),
    ("/scenarios", ["scenarios", "scenario-groups"]),
    ("/exports", [*TABLES, "tables"]),
])  # fmt: skip
def test_every_link_of_a_page_gives_its_table(pages: Pages, bought: str, place: str, names: list[str]) -> None:
    found = links(pages.get(page_of(bought) + place))
    assert {re.split(r"[/.]", one.partition("?")[0])[-2] for one in found} == set(names)
    for one in found:
        answer = pages.get(one)
        if "/hindsight." in one:
            assert answer.status_code == 409, "no round is closed yet"
            continue
        assert answer.status_code == 200, (one, answer.text)
        assert answer.headers["content-disposition"].startswith("attachment; filename="), one
        assert answer.headers["cache-control"] == "private, no-store"


def test_the_measurement_plan_is_saved_for_as_many_runs_as_shown(pages: Pages, path: str) -> None:
    answer = pages.get(f"{page_of(path)}/measurement-plan", params={"runs": 2})
    assert {row["run"] for row in saved(pages.get(link_to(answer, "measurement-plan")))} == {"1", "2"}


def test_scenarios_are_saved_as_they_were_typed(pages: Pages, path: str) -> None:
    names = ("name", "budget", "policy", "objective", "orders")
    typed = [("=as planned", "", "optimal", "project", ""), ("ours", "", "optimal", "project", "A:40,B:30"),
             ("fair", "90", "optimal", "maximin", "")]  # fmt: skip
    query = [(name, value) for row in typed for name, value in zip(names, row, strict=True)]
    answer = pages.get(f"{page_of(path)}/scenarios", params=query)
    rows = saved(pages.get(link_to(answer, "scenarios")))
    assert [(row["scenario"], row["objective"], float(row["spend"])) for row in rows[:2]] == [
        ("'=as planned", "utilitarian", float(rows[0]["spend"])),
        ("ours", "utilitarian", 100.0),
    ]
    assert (rows[2]["objective"], float(rows[2]["budget"])) == ("maximin", 90)
    added = [row for row in saved(pages.get(link_to(answer, "scenario-groups"))) if row["scenario"] == "ours"]
    assert {row["group"]: row["add"] for row in added} == {"A": "40", "B": "30"}
    refused = pages.get(f"{page_of(path)}/scenarios/scenarios.csv", params=[*query[:5], ("orders", "Z:1")])
    assert refused.status_code == 422


def test_the_page_of_exports_asks_for_a_plan(pages: Pages, path: str) -> None:
    answer = pages.get(f"{page_of(path)}/exports", params={"budget": "120", "policy": "equal"})
    assert "budget=120&policy=equal&objective=project" in link_to(answer, "groups")
    refused = pages.get(f"{page_of(path)}/exports", params={"policy": "nonsense"})
    assert refused.status_code == 422
    assert "there is no such policy" in text_of(refused)


def test_who_is_not_signed_in_gets_nothing(api: Api, path: str) -> None:
    stranger = Pages(api)
    for place in ("report", "tables.xlsx", "tables/ledger.csv", "scenarios/scenarios.csv", "exports"):
        answer = stranger.get(f"{page_of(path)}/{place}")
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), place


def test_a_reading_key_may_save_all_of_it(api: Api, database: Database, path: str) -> None:
    reader = Pages(api)
    assert reader.sign_in(new_key(database, "read")).status_code == 303
    for place in ("report", "tables.xlsx", "tables/ledger.csv", "exports"):
        assert reader.get(f"{page_of(path)}/{place}").status_code == 200


def test_a_report_that_cannot_be_made_is_a_page_that_says_why(api: Api, pages: Pages, path: str) -> None:
    for place, said in (
        ("report?budget=99999", "is more than the"),
        ("tables/nonsense.csv", "There are: summary, allocation"),
    ):
        answer = pages.get(f"{page_of(path)}/{place}")
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"].startswith("text/html")
        assert said in text_of(answer)
