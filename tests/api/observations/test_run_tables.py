"""Runs as tables of text: what spreadsheets write, and what Tranche itself exported."""

from typing import Any

import pytest

from tests.api_client import RUNS, Api, run

CSV = {"Content-Type": "text/csv"}
TABLE = "external_id,group,n,value,stderr\nr,A,1200,0.7,0.01\nr,B,100,0.6,\n"


def post(api: Api, path: str, body: str | bytes, **query: str) -> Any:
    return api.post(f"{path}/observations", content=body, headers=CSV, params=query)


def stored(api: Api, path: str) -> list[dict[str, Any]]:
    items = api.get(f"{path}/observations").json()["items"]
    return [{name: one[name] for name in ("counts", "metrics", "holdout", "recipe", "observed_at")} for one in items]


@pytest.mark.parametrize(("body", "read_as"), [
    (TABLE, {"encoding": "UTF-8", "separator": "comma", "decimal": "point"}),
    (TABLE.replace("external_id,group", "External ID, Group"), {"separator": "comma"}),
    ("sep=;\r\n" + TABLE.replace(",", ";").replace(".", ",").replace("1200", "1.200"),
     {"separator": "semicolon", "decimal": "comma", "thousands": ["."]}),
    (TABLE.replace(",", "\t").encode("utf-16"), {"encoding": "UTF-16", "separator": "tab"}),
    ("external_id;group;n;value;stderr\nr;A;1\xa0200;70 %;1 %\nr;B;100,0;60,0\xa0%;\n".encode("cp1252"),
     {"encoding": "cp1252", "percent": ["stderr", "value"], "thousands": [" "]}),
    (",external_id,group,n,value,stderr\n0,r,A,1200.0,0.7,0.01\n1,r,B,100.0,0.6,\n", {"ignored": ["(row numbers)"]}),
])  # fmt: skip
def test_a_table_is_read_as_it_was_meant(api: Api, body: str | bytes, read_as: dict[str, Any]) -> None:
    path = api.project()
    answer = post(api, path, body)
    assert answer.status_code == 201, answer.text
    assert read_as.items() <= answer.json()["read_as"].items()
    [one] = stored(api, path)
    assert one["counts"] == {"A": 1200, "B": 100}
    assert one["metrics"] == {
        "A": {"value": 0.7, "stderr": 0.01, "eval_size": None}, "B": {"value": 0.6, "stderr": None, "eval_size": None},
    }  # fmt: skip


def test_a_number_of_two_meanings_is_refused_by_its_line_unless_the_mark_is_stated(api: Api) -> None:
    path = api.project(metric={"goal": "minimize", "lower": 0.0})
    body = "external_id;group;n;value\nr;A;1;1,234\nr;B;1;7\n"
    refused = post(api, path, body)
    assert refused.status_code == 422
    [fault] = refused.json()["errors"]
    assert fault["pointer"] == "line 2"
    assert "value: '1,234' may be 1.234 or 1234" in fault["detail"]
    assert stored(api, path) == []
    assert post(api, path, body, decimal="comma").status_code == 201
    assert stored(api, path)[0]["metrics"]["A"]["value"] == 1.234
    assert post(api, path, body, decimal="dot").status_code == 422


def test_columns_that_are_not_known_are_refused_by_name_or_left_out(api: Api) -> None:
    path, body = api.project(), TABLE.replace("stderr", "lr")
    assert "'lr'" in post(api, path, body).json()["detail"]
    answer = post(api, path, body, extra="ignore").json()
    assert (answer["accepted"], answer["read_as"]["ignored"]) == (1, ["lr"])


EXPORTED = [*RUNS, {**run(8, {"A": 3, "B": 0}, A=0.123456789012345), "holdout": "=h"}]


def test_an_export_is_read_back_with_the_same_values_and_known_as_the_same_runs(api: Api) -> None:
    path = api.project()
    nameless = {name: value for name, value in RUNS[0].items() if name != "external_id"}
    posted = [*EXPORTED, {**nameless, "counts": {"A": 51, "B": 26}, "observed_at": "2026-11-20T10:00:00.25Z"}]
    assert api.post(f"{path}/observations", json={"observations": posted}).status_code == 201
    voided = api.get(f"{path}/observations").json()["items"][0]["id"]
    table = api.get(f"{path}/tables/observations.csv").content
    again = post(api, path, table).json()
    assert (again["accepted"], again["duplicates"]) == (0, len(posted))
    assert again["read_as"]["apostrophes"] == 2
    other = api.project(name="moved")
    assert post(api, other, table).json()["accepted"] == len(posted)
    for before, after in zip(stored(api, path), stored(api, other), strict=True):
        assert before["observed_at"][:19] == after["observed_at"][:19]
        assert {**before, "observed_at": ""} == {**after, "observed_at": ""}
    assert post(api, other, api.get(f"{other}/tables/observations.csv").content).json()["duplicates"] == len(posted)
    api.delete(f"{path}/observations/{voided}", params={"reason": "wrong holdout"})
    left = post(api, api.project(name="third"), api.get(f"{path}/tables/observations.csv").content).json()
    assert (left["accepted"], left["read_as"]["voided"]) == (len(posted) - 1, 2)


@pytest.mark.parametrize("change", [("0.7", "0.71"), ('"A",50', '"A",51'), ('"default"', '"h2"'), ("2026", "2025")])
def test_an_export_that_was_changed_is_another_run(api: Api, change: tuple[str, str]) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    table = api.get(f"{path}/tables/observations.csv").text
    assert change[0] in table
    assert post(api, path, table.replace(*change)).status_code == 409


def test_a_run_is_known_after_a_group_was_added(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    assert api.post(f"{path}/groups", json={"key": "C"}).status_code == 201
    for query in ({}, {"missing": "zero"}):
        answer = api.post(f"{path}/observations", json={"observations": RUNS}, params=query)
        assert answer.json()["duplicates"] == 3, answer.text
