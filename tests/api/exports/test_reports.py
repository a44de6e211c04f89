"""The report: one page that says what the API answers, needs nothing else, and runs nothing."""

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from app.api.http.runtime import SOFTWARE_VERSION
from app.report import content
from app.store.db import Database
from tests.api.exports.test_tables import FORMULA, SCRIPT, bought, path
from tests.api.purchases.test_rounds import propose
from tests.api_client import RUNS, Api
from tests.conftest import new_key, one_database
from tests.web.walking import BENEATH

__all__ = ["bought", "path"]

SECTIONS = [
    "1. What to buy next, and why", "2. How sure that is", "3. Where the groups stand", "4. What has been spent",
    "5. What to check first", "6. Other budgets and other plans", "7. Rounds", "8. Method",
]  # fmt: skip
LOADING = {"script", "link", "img", "image", "iframe", "object", "embed", "video", "audio", "base", "form", "use"}


class Marks(HTMLParser):
    """Every tag of a page with its attributes, and the words between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(api: Api, path: str, **query: Any) -> httpx.Response:
    answer = api.get(f"{path}/report", params=query)
    assert answer.status_code == 200, answer.text
    return answer


def rows_below(answer: httpx.Response, caption: str) -> list[list[str]]:
    """The cells of the body of the table with this caption, each row with the sentence beneath it."""
    found = re.search(rf"<caption>{re.escape(caption)}.*?<tbody>(.*?)</tbody>", answer.text, re.DOTALL)
    assert found, caption
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", re.sub(BENEATH, "<td>", found.group(1)), re.DOTALL)
    return [[words_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def words_of(cell: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", cell)).split())


@one_database
def test_it_answers_in_order(api: Api, bought: str) -> None:
    answer = read(api, bought)
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", answer.text) == SECTIONS
    assert len(re.findall(r"<svg ", answer.text)) == 8
    ids = [attributes["id"] for _, attributes in Marks(answer.text).tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_its_plan_is_the_allocation_of_the_api(api: Api, path: str) -> None:
    query = {"budget": "120", "policy": "equal", "seed": 5}
    answer, plan = read(api, path, **query), api.get(f"{path}/allocations/next", params=query).json()
    names = {"A": SCRIPT, "B": FORMULA}
    added = {row[0]: row[2:4] for row in rows_below(answer, "What the money does")}
    assert added == {
        names[one["group"]]: [f"{one['add']:,}", f"{float(one['cost']):,.2f}"] for one in plan["groups"] if one["add"]
    }
    orders = {row[0]: row[1:2] + row[-1:] for row in rows_below(answer, "Orders of this round")}
    named = api.get(f"{path}/sources").json()["items"]
    shown = {one["key"]: one["name"] or one["key"] for one in named}
    assert orders == {
        shown[one["source"]]: [f"{one['order']:,}", f"{float(one['cost']):,.2f}"]
        for one in plan["sources"]
        if one["order"]
    }
    splits = rows_below(answer, "The same money spent otherwise")
    utility = plan["utility"]
    assert [row[1] for row in splits] == [
        f"{utility[name]['mean']:.4f}" for name in ("now", "after", "equal", "equal_spend", "proportional")
    ]
    assert rows_below(answer, "Side by side")[0][:3] == [
        "this plan",
        "120 USD",
        f"{float(plan['budget']['spend']):.2f}",
    ]


def test_it_says_what_it_was_made_from(api: Api, path: str) -> None:
    project = api.get(path).json()
    text = Marks(read(api, path, budget="120", seed=5).text).text
    for said in (
        f"version {project['data_version']} of 2026-11-20 10:00 UTC",
        f"300 draws, seed 5, Tranche {SOFTWARE_VERSION}",
        "How to spend 120.00 USD",
        "the best split for the goal",
        "utilitarian (the weighted sum of the groups' benefits)",
        "Made 2026-11-20 10:00 UTC",
        f"GET {path}/report?budget=120&policy=optimal&draws=300&seed=5",
    ):
        assert said in text, said


@one_database
def test_the_same_question_on_the_same_data_is_the_same_page(api: Api, bought: str) -> None:
    assert read(api, bought, seed=1).content == read(api, bought, seed=1).content


def test_money_warnings_and_rounds_are_those_of_the_api(api: Api, bought: str) -> None:
    answer = read(api, bought)
    rounds = api.get(f"{bought}/rounds").json()["items"]
    rows = rows_below(answer, "Rounds, the newest first")
    assert [(row[0], row[1], row[7]) for row in rows] == [
        (f"Round {one['number']}", one["state"], f"{float(one['cost']):,.2f}") for one in reversed(rounds)
    ]
    first = api.get(f"{bought}/rounds/1").json()
    assert rows[1][8:] == [f"{float(first['spent']):.2f}", f"{float(first['committed']):.2f}"]
    text = Marks(answer.text).text
    for warning in api.get(f"{bought}/allocations/next").json()["warnings"]:
        assert warning["detail"] in text


@one_database
def test_nothing_is_loaded_and_nothing_runs(api: Api, bought: str) -> None:
    answer = read(api, bought)
    marks = Marks(answer.text)
    assert not LOADING & {tag for tag, _ in marks.tags}
    for tag, attributes in marks.tags:
        assert not {name for name in attributes if name.startswith("on")} | {"src", "style", "srcset"} & set(
            attributes
        ), tag
        assert attributes.get("href", "#").startswith("#")
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


@one_database
def test_its_policy_names_its_own_style_and_no_other(api: Api, path: str) -> None:
    answer = read(api, path)
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    mark = b64encode(sha256(style.encode()).digest()).decode()
    metas = [attributes for tag, attributes in Marks(answer.text).tags if tag == "meta"]
    [inside] = [attributes["content"] for attributes in metas if "http-equiv" in attributes]
    assert inside.startswith(f"default-src 'none'; style-src 'sha256-{mark}';")
    outside = answer.headers["content-security-policy"]
    assert outside == f"{inside}; frame-ancestors 'none'; sandbox"


@one_database
def test_names_are_shown_and_not_run(api: Api, bought: str) -> None:
    answer = read(api, bought)
    assert SCRIPT not in answer.text
    assert "<script" not in answer.text
    text = Marks(answer.text).text
    assert text.count(SCRIPT) >= 3
    assert text.count(FORMULA) >= 4
    drawn = [unescape(one) for one in re.findall(r"<text[^>]*>([^<]*)</text>", answer.text)]
    assert any(SCRIPT in one for one in drawn)
    assert any(FORMULA in one for one in drawn)


@one_database
@pytest.mark.parametrize(("download", "kind"), [("false", "inline"), ("true", "attachment")])
def test_it_is_read_or_saved_under_a_harmless_name(api: Api, path: str, download: str, kind: str) -> None:
    answer = read(api, path, download=download)
    version = api.get(path).json()["data_version"]
    assert answer.headers["content-disposition"] == f'{kind}; filename="HYPERLINK-x-report-v{version}.html"'
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-store"


@one_database
def test_of_many_groups_the_first_are_shown_and_the_rest_added_up(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ORDERS", "BOUGHT", "STANDING", "WARNINGS"):
        monkeypatch.setattr(content, name, 1)
    plan = api.get(f"{path}/allocations/next").json()
    bought = sorted((one for one in plan["groups"] if one["add"]), key=lambda one: -float(one["cost"]))
    assert len(bought) == 2
    answer = read(api, path)
    assert len(rows_below(answer, "What the money does")) == 1
    text = Marks(answer.text).text
    assert f"Others, 1 {bought[1]['add']:,} {float(bought[1]['cost']):,.2f}" in text
    assert "Not shown here: smaller orders, 1; they are in the table sources." in text
    assert "groups that stand better than these, 1; they are in the table groups." in text


@one_database
def test_a_project_of_which_nothing_is_known_has_its_report_too(api: Api) -> None:
    made = api.project(metric={"name": "log loss", "kind": "other", "goal": "minimize", "lower": 0.0, "upper": None})
    answer = read(api, made)
    assert "Nothing is known of the metric yet" in Marks(answer.text).text
    assert "<svg" not in answer.text
    assert len(rows_below(answer, "What the money does")) == 2


def test_where_there_is_no_plan_there_is_no_report(api: Api) -> None:
    empty = api.project(groups=[])
    refused = api.get(f"{empty}/report")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert "has no groups yet" in refused.text


def test_a_proposal_alone_is_listed_without_money(api: Api, path: str) -> None:
    assert propose(api, path, budget="100").status_code == 201
    [row] = rows_below(read(api, path), "Rounds, the newest first")
    assert (row[0], row[1], row[8:]) == ("Round 1", "proposed", ["–", "–"])


def test_reading_is_enough_and_other_scopes_are_not(api: Api, database: Database, path: str) -> None:
    assert api.as_key(new_key(database, "read")).get(f"{path}/report").status_code == 200
    assert api.as_key(new_key(database, "observe")).get(f"{path}/report").status_code == 403


def test_past_forecasts_are_told(api: Api, path: str, bought: str) -> None:
    assert "No forecast of this project has been put to the test yet" not in Marks(read(api, bought).text).text
    other = api.project(name="another")
    assert api.post(f"{other}/observations", json={"observations": RUNS}).status_code == 201
    assert "No forecast of this project has been put to the test yet" in Marks(read(api, other).text).text


def test_a_warning_that_many_share_does_not_hide_the_others() -> None:
    lines = [{"code": "few_points", "detail": str(place)} for place in range(100)] + [{"code": "other", "detail": "x"}]
    part = content.of_every_kind(lines)
    assert [line["detail"] for line in part.rows] == ["0", "1", "2", "3", "4", "5", "x"]
    assert part.more == 94
    assert len(content.of_every_kind([{"code": str(place)} for place in range(100)]).rows) == 25
