"""Scenarios and the measurement plan say on a page what the API answers."""

import re
from html import unescape

import httpx
import pytest

from app.charts.words import percent
from tests.api_client import RUNS, Api
from tests.web.browser_client import Pages, text_of


@pytest.fixture
def path(api: Api) -> str:
    made = api.project()
    assert api.post(f"{made}/observations", json={"observations": RUNS}).status_code == 201
    return made


def tables(answer: httpx.Response) -> list[list[list[str]]]:
    """The cells of the bodies of the page's tables."""
    return [
        [
            [
                " ".join(unescape(re.sub(r"<[^>]*>", " ", cell)).split())
                for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
            ]
            for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
        ]
        for body in re.findall(r"<tbody>(.*?)</tbody>", answer.text, re.DOTALL)
    ]


def compare(pages: Pages, path: str, *rows: tuple[str, str, str, str, str]) -> httpx.Response:
    names = ("name", "budget", "policy", "objective", "orders")
    query = [(name, value) for row in rows for name, value in zip(names, row, strict=True)]
    return pages.get(f"{path.removeprefix('/v1')}/scenarios", params=query)


def test_scenarios_are_those_of_the_what_if_answer(api: Api, pages: Pages, path: str) -> None:
    answer = compare(
        pages, path,
        ("as planned", "", "optimal", "project", ""),
        ("less", "100", "optimal", "project", ""),
        ("typed", "", "optimal", "project", "A:40, B:30"),
        ("worst first", "", "optimal", "maximin", ""),
    )  # fmt: skip
    asked = [
        {"name": "as planned"},
        {"name": "less", "budget": "100"},
        {"name": "typed", "orders": {"A": 40, "B": 30}},
        {"name": "worst first", "objective": {"kind": "maximin"}},
    ]
    expected = api.post(f"{path}/allocations/what-if", json={"scenarios": asked}).json()["scenarios"]
    summary, groups = tables(answer)
    for row, one in zip(summary, expected, strict=True):
        assert row[:2] == [one["name"], f"{float(one['budget']['spend']):,.2f}"]
    for row, one in zip(summary[1:], expected[1:], strict=True):
        assert row[4] == percent(one["difference"]["utility"]["p_better"])
    added = {row[0]: row[1:] for row in groups}
    for key in ("A", "B"):
        assert added[key] == [f"{one['groups'][key]['add']:,}" for one in expected]


def test_without_a_question_the_plan_as_it_is_stands_there(pages: Pages, path: str) -> None:
    summary, _ = tables(pages.get(f"{path.removeprefix('/v1')}/scenarios"))
    assert [row[0] for row in summary] == ["as planned"]


@pytest.mark.parametrize(("row", "said"), [
    (("x", "much", "optimal", "project", ""), "is no number that can be read for sure"),
    (("x", "", "optimal", "project", "Z:5"), "there is no source 'Z'"),
    (("x", "", "optimal", "project", "five"), "give SOURCE:ORDER"),
    (("x", "", "equal", "project", "A:5"), "these orders are the whole split"),
])  # fmt: skip
def test_what_cannot_be_compared_is_told_with_the_form(
    pages: Pages, path: str, row: tuple[str, str, str, str, str], said: str
) -> None:
    answer = compare(pages, path, row)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert f'value="{row[4]}"' in answer.text


def test_a_split_that_breaks_the_budget_has_no_plan_and_says_why(pages: Pages, path: str) -> None:
    summary = tables(compare(pages, path, ("too dear", "10", "optimal", "project", "A:4000")))[0]
    assert summary[0][0] == "too dear"
    assert "no plan" in summary[0][1]


def test_the_measurement_plan_is_that_of_the_api(api: Api, pages: Pages, path: str) -> None:
    plan = api.get(f"{path}/measurement-plan", params={"runs": 2}).json()
    answer = pages.get(f"{path.removeprefix('/v1')}/measurement-plan", params={"runs": 2})
    [rows] = tables(answer)
    held = {"A": "200", "B": "100"}
    assert rows == [[key, held[key], *(f"{run['counts'][key]:,}" for run in plan["runs"])] for key in ("A", "B")]
    assert plan["order"] in text_of(answer)
    assert all(run["reason"] in text_of(answer) for run in plan["runs"])
    assert plan["advice"] in text_of(answer)


def test_of_a_project_without_runs_the_page_shows_the_usual_ones_with_what_they_tell(api: Api, pages: Pages) -> None:
    path = api.project(model="joint")
    answer = pages.get(f"{path.removeprefix('/v1')}/measurement-plan")
    [rows] = tables(answer)
    assert rows == [
        ["A", "200", "200", "100", "50", "50", "200"],
        ["B", "100", "100", "50", "25", "100", "25"],
    ]
    assert answer.text.count("<b>") == 6
    said = text_of(answer)
    assert "A at a quarter, the rest whole: what the data of A does to the others." in said
    assert "Too little is measured" in said
    assert 'value="5"' in answer.text


def test_a_number_of_runs_out_of_range_is_refused(pages: Pages, path: str) -> None:
    assert pages.get(f"{path.removeprefix('/v1')}/measurement-plan", params={"runs": 99}).status_code == 422


def test_the_chart_of_scenarios_draws_the_differences_of_the_table(pages: Pages, path: str) -> None:
    answer = compare(
        pages, path, ("base", "100", "optimal", "project", ""), ("<b>more", "300", "optimal", "project", "")
    )
    found = re.search(r'data-spec="([^"]+)"', answer.text)
    assert found
    spec = pages.get(unescape(found.group(1))).json()
    [table, *_] = tables(answer)
    [base, more] = spec["data"]["values"]
    assert (base["place"], more["place"]) == ("1. base", "2. <b>more")
    assert base["mean"] == 0
    assert table[1][3].startswith(f"{more['mean']:.5f} ")
    picture = pages.get(unescape(found.group(1)).replace("chart.json", "chart.svg") + "&theme=dark&narrow=true")
    assert picture.text.startswith("<svg")
    assert "<b>more" not in picture.text
    alone = compare(pages, path, ("base", "100", "optimal", "project", ""))
    assert "data-spec" not in alone.text
