"""Bodies as other tools write them: whole numbers as 198.0, NaN where nothing was measured, compression."""

import gzip
import json
from typing import Any

import pytest

from tests.api.http.test_bad_input import problem
from tests.api_client import ACCURACY, Api

BODIES = {"application/json", "text/csv", "application/x-ndjson"}


def test_a_whole_number_with_a_point_is_that_number_everywhere(api: Api) -> None:
    made = api.post(
        "/v1/projects",
        json={
            "name": "x",
            "metric": ACCURACY,
            "objective": {"kind": "targets", "power": 2.0},
            "budget": {"total": 1000.0, "rounds": 2.0},
            "groups": [
                {"key": "A", "target": 0.9, "initial_count": 1e3, "min_count": 10.0, "max_count": 1e9, "unit_cost": 1.0}
            ],
        },
    )
    path = f"/v1/projects/{made.json()['id']}"
    assert api.get(path).json()["budget"] == {"total": "1000.00", "rounds": 2}
    assert api.get(f"{path}/groups/A").json()["initial_count"] == 1000
    terms = {"lot_size": 5.0, "min_order": 10.0, "lead_time_days": 3.0, "price_tiers": [{"from": 9.0, "unit_cost": 1}]}
    assert api.patch(f"{path}/sources/A", json=terms).status_code == 200
    run = {"external_id": "r", "counts": {"A": 198.0}, "metrics": {"A": {"value": 0.78, "eval_size": 200.0}}}
    assert api.post(f"{path}/observations", json={"observations": [run]}).status_code == 201
    line = "external_id,group,n,value,stderr,eval_size\nr,A,198.0,0.78,,200.0\n"
    repeated = api.post(f"{path}/observations", content=line, headers={"Content-Type": "text/csv"})
    assert repeated.json()["duplicates"] == 1, repeated.text
    assert api.get(f"{path}/curves/A", params={"at": "100.0,200"}).json()["bands"][0]["count"] == 100
    assert api.get(f"{path}/allocations/next", params={"hold": "A:20.0", "draws": 50}).status_code == 200
    asked = {"draws": 50.0, "seed": 1.0, "scenarios": [{"name": "s", "groups": {"A": {"min_count": 2000.0}}}]}
    assert api.post(f"{path}/allocations/what-if", json=asked).status_code == 200


@pytest.mark.parametrize("count", ["198.5", "1e17", "9007199254740993.0", "true", '"198"', "1e-5", "-1.0", "1e10"])
def test_what_is_no_whole_number_in_range_is_refused(api: Api, count: str) -> None:
    path = api.project()
    body = '{"observations":[{"counts":{"A":%s,"B":1},"metrics":{"A":{"value":0.5}}}]}' % count
    found = problem(api.post(f"{path}/observations", content=body, headers={"Content-Type": "application/json"}), 422)
    assert found["errors"][0]["pointer"] == "/observations/0/counts/A"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_each_nan_of_a_body_is_named_by_its_place(api: Api, number: str) -> None:
    path = api.project()
    run = '{"counts":{"A":10,"B":20},"metrics":{"A":{"value":0.6},"B":{"value":%s,"stderr":%s}}}'
    bad, good = run % (number, number), run % ("0.5", "0.1")
    for kind, body, place in (
        ("application/json", f'{{"observations":[{good},{bad}]}}', "/observations/1/metrics/B/"),
        ("application/x-ndjson", f"{good}\n\n{bad}\n", "line 3 /metrics/B/"),
    ):
        found = problem(api.post(f"{path}/observations", content=body, headers={"Content-Type": kind}), 400)
        assert [fault["pointer"] for fault in found["errors"]] == [f"{place}value", f"{place}stderr"]
        assert "leave out what could not be measured" in found["detail"]
    for kind, body, place in (
        ("application/json", '[{"key":"A"},{"key":"B","weight":%s}]', "/1/weight"),
        ("application/x-ndjson", '{"key":"A"}\n{"key":"B","weight":%s}', "line 2 /weight"),
    ):
        found = problem(api.put(f"{path}/groups", content=body % number, headers={"Content-Type": kind}), 400)
        assert [fault["pointer"] for fault in found["errors"]] == [place]
    body = '{"weight": %s}' % number
    found = problem(api.patch(f"{path}/groups/A", content=body, headers={"Content-Type": "application/json"}), 400)
    assert found["errors"][0]["pointer"] == "/weight"


def test_every_route_with_a_body_names_the_compression_that_it_does_not_read(api: Api) -> None:
    project = api.project()
    contract = api.get("/openapi.json").json()
    packed = gzip.compress(b"{}")
    tried = 0
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            if path.startswith("/v1/hooks/"):
                continue  # Its address is judged first, and is none here.
            kinds = operation.get("requestBody", {}).get("content", {})
            for kind in BODIES & set(kinds):
                where = path.replace("{project_id}", project.rsplit("/", 1)[1])
                for body in (packed, b"{}"):
                    headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
                    answer = api.request(method.upper(), where, content=body, headers=headers)
                    assert "Content-Encoding is gzip" in problem(answer, 415)["detail"], (method, path)
                    assert answer.headers["Accept-Encoding"] == "identity"
                    tried += 1
    assert tried > 60


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_no_compression_may_be_named(api: Api, coding: str) -> None:
    body: dict[str, Any] = {"name": "x", "metric": ACCURACY, "budget": {"total": "1"}}
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    assert api.post("/v1/projects", content=json.dumps(body), headers=headers).status_code == 201
    assert api.get("/v1/projects", headers={"Content-Encoding": "gzip"}).status_code == 200
