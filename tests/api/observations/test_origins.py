"""Where the samples that a run was trained on came from, over HTTP."""

from typing import Any

import pytest

from tests.api_client import Api, run
from tests.conftest import one_database

NOISY = {"key": "noisy", "yields": {"A": 0.5, "B": 0.5}, "unit_cost": "0.50"}
MIXED: dict[str, Any] = {**run(1, {"A": 60, "B": 40}, A=0.7), "from": {"noisy": {"A": 50}}}


def project(api: Api) -> str:
    path = api.project()
    assert api.post(f"{path}/sources", json=NOISY).status_code == 201
    assert api.post(f"{path}/sources", json={"key": "only_b", "group": "B", "unit_cost": "1"}).status_code == 201
    return path


def test_json_and_csv_say_the_same_and_it_is_given_back(api: Api) -> None:
    table = "external_id,group,source,n,value,stderr\nrun-1,A,,60,0.7,0.01\nrun-1,A,noisy,50,,\nrun-1,B,,40,,\n"
    found = []
    for body in (
        {"json": {"observations": [MIXED]}},
        {"content": table, "headers": {"Content-Type": "text/csv"}},
    ):
        path = project(api)
        assert api.post(f"{path}/observations", **body).status_code == 201
        [item] = api.get(f"{path}/observations").json()["items"]
        found.append((item["counts"], item["from"], item["metrics"]["A"]["value"]))
        export = api.get(f"{path}/tables/observations.csv").text
        assert '"A",50,"","","","noisy"' in export
        again = api.post(f"{path}/observations", content=export, headers={"Content-Type": "text/csv"}).json()
        assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert found == [({"A": 60, "B": 40}, {"noisy": {"A": 50}}, 0.7)] * 2


@one_database
def test_a_repeat_compares_where_samples_came_from(api: Api) -> None:
    path = project(api)
    api.post(f"{path}/observations", json={"observations": [MIXED]})
    same = {**MIXED, "from": {"noisy": {"A": 50, "B": 0}, "only_b": {"B": 0}}}
    assert api.post(f"{path}/observations", json={"observations": [same]}).json()["duplicates"] == 1
    for other in ({"noisy": {"A": 49}}, {}):
        answer = api.post(f"{path}/observations", json={"observations": [{**MIXED, "from": other}]})
        assert answer.status_code == 409
    # Under another id, the same of another origin is no repeat.
    fresh = [{**MIXED, "external_id": "x"}, {**MIXED, "external_id": "y", "from": {"noisy": {"A": 49}}}]
    warnings = api.post(f"{path}/observations", json={"observations": fresh}).json()["warnings"]
    [repeated] = [one["detail"] for one in warnings if one["code"] == "repeated_runs"]
    assert "'x' (as 'run-1')" in repeated
    assert "'y'" not in repeated


@one_database
@pytest.mark.parametrize(
    ("origin", "pointer"),
    [
        ({"nosy": {"A": 5}}, "/observations/0/from/nosy"),
        ({"only_b": {"A": 5}}, "/observations/0/from/only_b/A"),
        ({"noisy": {"C": 5}}, "/observations/0/from/noisy/C"),
        ({"noisy": {"A": 61}}, "/observations/0/from/noisy"),
        ({"noisy": {"B": 30}, "only_b": {"B": 11}}, "/observations/0/from/noisy"),
        ({"noisy": {"A": -1}}, "/observations/0/from/noisy/A"),
        ({"noisy": {"A": 1.5}}, "/observations/0/from/noisy/A"),
        ({"noisy": 5}, "/observations/0/from/noisy"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(api: Api, origin: Any, pointer: str) -> None:
    path = project(api)
    answer = api.post(f"{path}/observations", json={"observations": [{**MIXED, "from": origin}]})
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
    assert api.get(f"{path}/observations").json()["items"] == []


@one_database
def test_lines_of_a_source_that_cannot_be_are_named(api: Api) -> None:
    path = project(api)
    table = "external_id,group,source,n,value\nrun-1,A,,60,0.7\nrun-1,A,noisy,50,0.6\nrun-1,A,noisy,5,\nrun-1,B,,4,\n"
    answer = api.post(f"{path}/observations", content=table, headers={"Content-Type": "text/csv"})
    assert [one["pointer"] for one in answer.json()["errors"]] == ["line 3", "line 4"]
    table = "external_id,group,source,n,value\nrun-1,A,,60,0.7\nrun-1,A,noisy,61,\nrun-1,B,,4,\n"
    answer = api.post(f"{path}/observations", content=table, headers={"Content-Type": "text/csv"})
    assert [one["pointer"] for one in answer.json()["errors"]] == ["line 3"]


@one_database
def test_the_key_of_a_source_that_a_run_names_is_fixed(api: Api) -> None:
    path = project(api)
    assert api.patch(f"{path}/sources/noisy", json={"key": "cheap"}).status_code == 200
    api.patch(f"{path}/sources/cheap", json={"key": "noisy"})
    api.post(f"{path}/observations", json={"observations": [MIXED]})
    assert api.patch(f"{path}/sources/noisy", json={"key": "cheap"}).status_code == 409
    assert api.patch(f"{path}/sources/noisy", json={"name": "Cheap"}).status_code == 200
