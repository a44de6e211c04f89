"""Bad input is answered with what to change, and changes nothing."""

import json
from typing import Any

import pytest

from tests.api_client import ACCURACY, RUNS, Api
from tests.conftest import one_database

JSON = {"Content-Type": "application/json"}
BUDGET = {"total": "10"}


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert body["status"] == status
    assert body["type"].startswith("urn:tranche:problem:")
    return body


PROJECT: dict[str, Any] = {"name": "x", "metric": ACCURACY, "budget": BUDGET}
GROUP: dict[str, Any] = {"key": "g"}


@one_database
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": 3}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "n" * 201}, "/name"),
        ({"colour": "red"}, "/colour"),
        ({"currency": "usd"}, "/currency"),
        ({"metric": {**ACCURACY, "goal": "win"}}, "/metric/goal"),
        ({"metric": {**ACCURACY, "lower": 2.0}}, "/metric/lower"),
        ({"metric": {**ACCURACY, "lower": 1.0}}, "/metric/lower"),
        ({"metric": {**ACCURACY, "lower": "0"}}, "/metric/lower"),
        ({"metric": {**ACCURACY, "lower": True}}, "/metric/lower"),
        ({"metric": {"goal": "maximize", "lower": 0.0}}, "/metric/upper"),
        ({"metric": {"goal": "minimize", "upper": 1.0}}, "/metric/lower"),
        ({"metric": {"kind": "proportion", "upper": 2.0, "lower": 0.0}}, "/metric/kind"),
        ({"metric": {"upper": 1e300}}, "/metric/upper"),
        ({"objective": {"kind": "fair"}}, "/objective"),
        ({"objective": {"kind": "isoelastic", "aversion": -1}}, "/objective/aversion"),
        ({"objective": {"kind": "isoelastic", "stop_ratio": 0.1}}, "/objective/stop_ratio"),
        ({"objective": {"kind": "maximin", "stop_ratio": 1}}, "/objective/stop_ratio"),
        ({"budget": {"total": "-1"}}, "/budget/total"),
        ({"budget": {"total": "1e40"}}, "/budget/total"),
        ({"budget": {"total": "NaN"}}, "/budget/total"),
        ({"budget": {"total": "0.0000001"}}, "/budget/total"),
        ({"budget": {"total": True}}, "/budget/total"),
        ({"budget": {"total": None}}, "/budget/total"),
        ({"budget": {"total": "1", "rounds": 0}}, "/budget/rounds"),
        ({"budget": {"total": "1", "rounds": 1.5}}, "/budget/rounds"),
        ({"groups": [GROUP, {"key": "g"}]}, "/groups/1/key"),
        ({"groups": [{"key": "g\nh"}]}, "/groups/0/key"),
        ({"groups": [{"key": "g" * 101}]}, "/groups/0/key"),
        ({"groups": [{"key": "g", "weight": 0}]}, "/groups"),
        ({"groups": [{"key": "g", "weight": -1}]}, "/groups/0/weight"),
        ({"groups": [{"key": "g", "initial_count": -1}]}, "/groups/0/initial_count"),
        ({"groups": [{"key": "g", "initial_count": 1.5}]}, "/groups/0/initial_count"),
        ({"groups": [{"key": "g", "initial_count": "1"}]}, "/groups/0/initial_count"),
        ({"groups": [{"key": "g", "initial_count": 10**12}]}, "/groups/0/initial_count"),
        ({"groups": [{"key": "g", "target": 1.2}]}, "/groups/0/target"),
        ({"groups": [{"key": "g", "unit_cost": "0"}]}, "/groups/0/unit_cost"),
        ({"groups": [{"key": "g", "reference_loss": 0}]}, "/groups/0/reference_loss"),
        ({"groups": [{"key": "g", "assumed_curve": {"asymptote": 0, "scale": 1, "exponent": 0}}]},
         "/groups/0/assumed_curve/exponent"),
        ({"groups": {"g": 1}}, "/groups"),
        ({"groups": [{"key": "g", "min_count": 3, "max_count": 2}]}, "/groups/0/min_count"),
        ({"groups": [{"key": "g", "max_count": -1}]}, "/groups/0/max_count"),
        ({"sources": [{"key": "s", "group": "g", "unit_cost": "1"}]}, "/sources/0/group"),
        ({"value_per_utility": "0"}, "/value_per_utility"),
        ({"smallest_gain": -1.0}, "/smallest_gain"),
        ({"objective": {"kind": "cvar", "tail": 0}}, "/objective/tail"),
        ({"objective": {"kind": "cvar", "tail": 1.1}}, "/objective/tail"),
        ({"objective": {"kind": "targets", "power": 3}}, "/objective/power"),
        ({"objective": {"kind": "targets", "power": 1.5}}, "/objective/power"),
        ({"objective": {"kind": "gap", "lambda": -1}}, "/objective/lambda"),
        ({"objective": {"kind": "gap", "lambda_": 1}}, "/objective/lambda_"),
        ({"objective": {"kind": "utilitarian", "risk": 0}}, "/objective/risk"),
        ({"objective": {"kind": "utilitarian", "risk": 1.5}}, "/objective/risk"),
        ({"objective": {"kind": "robust"}}, "/objective/weight_vectors"),
        ({"objective": {"kind": "robust", "weight_vectors": []}}, "/objective/weight_vectors"),
        ({"objective": {"kind": "robust", "weight_vectors": [{"g": 1}] * 51}}, "/objective/weight_vectors"),
        ({"objective": {"kind": "robust", "mode": "best_case", "weight_vectors": [{}]}}, "/objective/mode"),
        ({"objective": {"kind": "robust", "weight_vectors": [{}]}}, "/objective/weight_vectors/0"),
        ({"objective": {"kind": "robust", "weight_vectors": [{"g": -1}]}}, "/objective/weight_vectors/0/g"),
        ({"objective": {"kind": "robust", "weight_vectors": [{"h": 1}]}}, "/objective/weight_vectors/0/h"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named_by_its_pointer(api: Api, change: dict[str, Any], pointer: str) -> None:
    body = problem(api.post("/v1/projects", json={**PROJECT, **change}), 422)
    assert body["errors"][0]["pointer"] == pointer
    assert api.get("/v1/projects").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "line 1"),
        (b'{"name": NaN}', "NaN"),
        (b'{"name": -Infinity}', "Infinity"),
        (b'{"name": "x", "name": "y"}', "twice"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b"[" * 100_000, "deep"),
        (b'{"budget": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"name": "x"} trailing', "line 1"),
    ],
)
def test_what_is_not_json_is_malformed(api: Api, body: bytes, says: str) -> None:
    assert says in problem(api.post("/v1/projects", content=body, headers=JSON), 400)["detail"]


@pytest.mark.parametrize("number", ["1e999", "9" * 400, "-1e999"])
def test_a_number_beyond_the_floats_is_refused(api: Api, number: str) -> None:
    body = '{"name": "x", "metric": {"upper": %s}, "budget": {"total": "1"}}' % number
    problem(api.post("/v1/projects", content=body, headers=JSON), 422)


TINY = 3e-101


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"metric": {**ACCURACY, "kind": "other", "upper": TINY}}, "/metric/upper"),
        ({"metric": {"goal": "minimize", "lower": -TINY}}, "/metric/lower"),
        ({"groups": [{**GROUP, "target": TINY}]}, "/groups/0/target"),
        ({"groups": [{**GROUP, "reference_loss": TINY}]}, "/groups/0/reference_loss"),
        ({"groups": [{**GROUP, "assumed_curve": {"asymptote": TINY, "scale": 1, "exponent": 1}}]},
         "/groups/0/assumed_curve/asymptote"),
        ({"groups": [{**GROUP, "assumed_curve": {"asymptote": 0, "scale": TINY, "exponent": 1}}]},
         "/groups/0/assumed_curve/scale"),
    ],
)  # fmt: skip
def test_a_number_whose_square_is_lost_is_refused(api: Api, change: dict[str, Any], pointer: str) -> None:
    [fault] = problem(api.post("/v1/projects", json={**PROJECT, **change}), 422)["errors"]
    assert fault == {"pointer": pointer, "detail": "is nearer to 0 than 1e-100; state it in another unit"}


def test_a_measurement_whose_square_is_lost_is_refused(api: Api) -> None:
    path = api.project(metric={"goal": "minimize", "lower": 0.0})
    counts, said = {"A": 1, "B": 1}, "is nearer to 0 than 1e-100; state it in another unit"
    for reading, name in (({"value": TINY}, "value"), ({"value": 1.0, "stderr": TINY}, "stderr")):
        body = {"observations": [{"counts": counts, "metrics": {"A": reading}}]}
        [fault] = problem(api.post(f"{path}/observations", json=body), 422)["errors"]
        assert fault == {"pointer": f"/observations/0/metrics/A/{name}", "detail": said}
        line = ",".join(str(reading.get(one, "")) for one in ("value", "stderr"))
        text = f"external_id,group,n,value,stderr\nr,A,1,{line}\nr,B,1,,\n"
        [fault] = problem(api.post(f"{path}/observations", content=text, headers={"Content-Type": "text/csv"}), 422)[
            "errors"
        ]
        assert fault == {"pointer": "line 2", "detail": f"{name}: {said}"}
    scenario = {"scenarios": [{"name": "s", "groups": {"A": {"target": TINY}}}]}
    fault = problem(api.post(f"{path}/allocations/what-if", json=scenario), 422)["errors"][0]
    assert fault == {"pointer": "/scenarios/0/groups/A/target", "detail": said}
    [fault] = problem(api.post(f"{path}/requirements", json={"targets": {"A": TINY}}), 422)["errors"]
    assert fault == {"pointer": "/targets/A", "detail": said}


@pytest.mark.parametrize("number", ["1e-400", "-0.02E-330", "0." + "0" * 400 + "1"])
def test_a_number_that_would_be_read_as_zero_is_refused(api: Api, number: str) -> None:
    body = '{"name": "x", "metric": {"upper": %s}, "budget": {"total": "1"}}' % number
    assert "too near to 0" in problem(api.post("/v1/projects", content=body, headers=JSON), 400)["detail"]
    path = api.project(metric={"goal": "minimize", "lower": -1.0})
    text = f"external_id,group,n,value\nr,A,1,{number}\nr,B,1,\n"
    answer = api.post(f"{path}/observations", content=text, headers={"Content-Type": "text/csv"})
    assert "too near to 0" in problem(answer, 422)["errors"][0]["detail"]


@pytest.mark.parametrize("number", ["0", "0.0", "-0.0", "0e-400", "0.000E5"])
def test_a_zero_is_a_zero(api: Api, number: str) -> None:
    body = '{"name": "x", "metric": {"lower": %s, "upper": 1}, "budget": {"total": "1"}}' % number
    assert api.post("/v1/projects", content=body, headers=JSON).status_code == 201


def test_a_lone_surrogate_in_a_name_that_the_answer_repeats_is_refused(api: Api) -> None:
    body = b'{"name": 1e-400, "\\ud800": 1e-400}'
    answer = api.patch(api.project(), content=body, headers={"Content-Type": "application/json"})
    assert problem(answer, 400)["errors"][1]["pointer"] == "/?"


def test_a_lone_surrogate_is_refused(api: Api) -> None:
    body = b'{"name": "\\ud800", "metric": {"upper": 1}, "budget": {"total": "1"}}'
    assert problem(api.post("/v1/projects", content=body, headers=JSON), 422)["errors"][0]["pointer"] == "/name"


def test_every_fault_is_listed_at_once(api: Api) -> None:
    body = problem(api.post("/v1/projects", json={"name": 1, "budget": {"total": -1}, "x": 2}), 422)
    assert [fault["pointer"] for fault in body["errors"]] == ["/name", "/metric", "/budget/total", "/x"]


def test_a_form_is_not_json(api: Api) -> None:
    assert "application/json" in problem(api.post("/v1/projects", data={"name": "x"}), 415)["detail"]
    problem(api.post("/v1/projects", content=b"{}"), 415)


@pytest.mark.parametrize("path", ["/v1/projects", "/v1/projects/{}/observations"])
def test_a_body_of_eleven_megabytes_is_too_large(api: Api, path: str) -> None:
    place = path.format(api.project().rsplit("/")[-1])
    problem(api.post(place, content=b" " * 11_000_000, headers=JSON), 413)

    async def drip() -> Any:
        for _ in range(11):
            yield b" " * 1_000_000

    problem(api.post(place, content=drip(), headers=JSON), 413)


def test_bulk_routes_take_more_but_not_everything(api: Api) -> None:
    path = api.project(groups=[])
    padded = b'[{"key": "g"}' + b" " * 11_000_000 + b"]"
    assert api.put(f"{path}/groups", content=padded, headers=JSON).status_code == 200
    problem(api.put(f"{path}/groups", content=b" " * 50_000_001, headers=JSON), 413)


def test_patching_leaves_nothing_half_done(api: Api) -> None:
    path = api.project()
    before = api.get(f"{path}/groups/A").json()
    for change, pointer in [
        ({"weight": 3, "target": 7.0}, "/target"),
        ({"weight": 3, "key": None}, "/key"),
        ({"initial_count": 5, "unit_cost": None}, "/unit_cost"),
        ({"unknown": 1}, "/unknown"),
    ]:
        assert problem(api.patch(f"{path}/groups/A", json=change), 422)["errors"][0]["pointer"] == pointer
    api.patch(f"{path}/groups/B", json={"weight": 0})
    assert problem(api.patch(f"{path}/groups/A", json={"weight": 0}), 422)["errors"][0]["pointer"] == "/weight"
    problem(api.delete(f"{path}/groups/A"), 422)
    assert api.get(f"{path}/groups/A").json() == before


@one_database
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"group": "none"}, "/group"),
        ({"kind": "shop"}, "/kind"),
        ({"unit_cost": "0"}, "/unit_cost"),
        ({"unit_cost": None}, "/unit_cost"),
        ({"min_order": -1}, "/min_order"),
        ({"min_order": 10, "max_order": 5}, "/max_order"),
        ({"lot_size": 0}, "/lot_size"),
        ({"lot_size": 10, "min_order": 5, "max_order": 9}, "/max_order"),
        ({"yields": {"A": 1}}, "/yields"),
        ({"fixed_cost": "-3"}, "/fixed_cost"),
        ({"billed": "shipped"}, "/billed"),
        ({"tier_scope": "year"}, "/tier_scope"),
        ({"price_tiers": [{"from": 10, "unit_cost": "1"}, {"from": 10, "unit_cost": "2"}]}, "/price_tiers/1/from"),
        ({"price_tiers": [{"from": 20, "unit_cost": "1"}, {"from": 10, "unit_cost": "2"}]}, "/price_tiers/1/from"),
        ({"price_tiers": [{"from": 0, "unit_cost": "2"}]}, "/price_tiers/0/unit_cost"),
        ({"price_tiers": [{"from": 10, "unit_cost": "0"}]}, "/price_tiers/0/unit_cost"),
        ({"price_tiers": [{"from": 10}]}, "/price_tiers/0/unit_cost"),
        ({"price_tiers": [{"start": 10, "unit_cost": "1"}]}, "/price_tiers/0/from"),
        ({"price_tiers": {"from": 10, "unit_cost": "1"}}, "/price_tiers"),
        ({"max_total": -1}, "/max_total"),
        ({"max_total": 50, "min_order": 60}, "/max_total"),
        ({"labels_per_item": 0}, "/labels_per_item"),
        ({"labels_per_item": 4, "lot_size": 6, "max_order": 11}, "/max_order"),
        ({"acceptance_rate": 0}, "/acceptance_rate"),
        ({"acceptance_rate": 1.01}, "/acceptance_rate"),
        ({"acceptance_rate": 1e-300}, "/acceptance_rate"),
        ({"quality": -0.5}, "/quality"),
        ({"quality": "1"}, "/quality"),
        ({"lead_time_days": 1.5}, "/lead_time_days"),
        ({"lead_time_days": -1}, "/lead_time_days"),
    ],
)
def test_a_bad_source_is_refused(api: Api, change: dict[str, Any], pointer: str) -> None:
    path = api.project()
    body = {"key": "s", "group": "A", "unit_cost": "1"} | change
    assert problem(api.post(f"{path}/sources", json=body), 422)["errors"][0]["pointer"] == pointer
    changed = {name: value for name, value in change.items() if name != "yields"}
    if changed:
        problem(api.patch(f"{path}/sources/A", json=changed), 422)
    assert len(api.get(f"{path}/sources").json()["items"]) == 2


@one_database
@pytest.mark.parametrize(
    ("delivers", "pointer"),
    [
        ({}, "/group"),
        ({"group": None}, "/group"),
        ({"group": "A", "yields": {"A": 1.0}}, "/yields"),
        ({"yields": {}}, "/yields"),
        ({"yields": {"A": 0}}, "/yields/A"),
        ({"yields": {"A": -0.1}}, "/yields/A"),
        ({"yields": {"A": 1.5}}, "/yields/A"),
        ({"yields": {"A": "0.5"}}, "/yields/A"),
        ({"yields": {"A": True}}, "/yields/A"),
        ({"yields": {"A": 0.6, "B": 0.5}}, "/yields"),
        ({"yields": {"A": 0.5, "none": 0.5}}, "/yields/none"),
        ({"yields": {"A": 0.5, "no/~ne": 0.5}}, "/yields/no~1~0ne"),
        ({"yields": ["A"]}, "/yields"),
    ],
)
def test_what_a_source_delivers_must_be_groups_and_shares(api: Api, delivers: dict[str, Any], pointer: str) -> None:
    path = api.project()
    body = {"key": "s", "unit_cost": "1"} | delivers
    assert problem(api.post(f"{path}/sources", json=body), 422)["errors"][0]["pointer"] == pointer
    listed = problem(api.put(f"{path}/sources?archive_missing=true", json=[body]), 422)
    assert listed["errors"][0]["pointer"] == f"/0{pointer}"
    assert len(api.get(f"{path}/sources").json()["items"]) == 2


def test_every_fault_of_every_source_is_listed(api: Api) -> None:
    path = api.project()
    items = [
        {"key": "A", "yields": {"A": 0.5, "X": 0.1}, "unit_cost": "1", "max_order": 5, "lot_size": 10},
        {"key": "B", "group": "Y", "unit_cost": "1", "price_tiers": [{"from": 9, "unit_cost": 1}] * 2},
    ]
    body = problem(api.put(f"{path}/sources", json=items), 422)
    pointers = [fault["pointer"] for fault in body["errors"]]
    assert pointers == ["/0/yields/X", "/0/max_order", "/1/group", "/1/price_tiers/1/from"]
    assert api.get(path).json()["data_version"] == 1


@one_database
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("budget=-1", "?budget"), ("budget=1e", "?budget"), ("budget=500.01", "?budget"), ("budget=NaN", "?budget"),
        ("policy=best", "?policy"), ("draws=49", "?draws"), ("draws=2001", "?draws"), ("draws=x", "?draws"),
        ("seed=-1", "?seed"), ("seed=" + "9" * 5000, "?seed"), ("groups=some", "?groups"),
    ],
)  # fmt: skip
def test_a_bad_query_is_named(api: Api, query: str, pointer: str) -> None:
    path = api.project(budget={"total": "500", "rounds": 2})
    body = problem(api.get(f"{path}/allocations/next?{query}"), 422)
    assert body["errors"][0]["pointer"] == pointer


UNCHECKED = ("/healthz", "/readyz", "/v1/hooks/", "/v1/jobs/{job_id}/events")
"""Vendors choose what stands in the queries of their webhooks; a stream of events takes what its browser sends."""


def test_a_query_parameter_that_a_route_does_not_have_is_refused(api: Api) -> None:
    """A misspelt budget must not plan the purchase of another one."""
    project = api.project()
    contract = api.get("/openapi.json").json()
    asked = [
        (method, path)
        for path, item in contract["paths"].items()
        for method in item
        if not path.startswith(UNCHECKED) and method in ("get", "post", "put", "patch", "delete")
    ]
    assert len(asked) > 60
    before = api.get(project).json()
    for method, path in asked:
        where = path.replace("{project_id}", project.rsplit("/", 1)[1])
        kinds = list(contract["paths"][path][method].get("requestBody", {}).get("content", {"application/json": {}}))
        body: dict[str, Any] = (
            {"content": b"{}", "headers": {"Content-Type": kinds[0]}} if method in ("post", "put", "patch") else {}
        )
        found = problem(api.request(method.upper(), f"{where}?budgt=1&limit=2", **body), 422)
        assert found["errors"][0]["pointer"] == "?budgt", (method, path)
    assert api.get(project).json() == before
    known = problem(api.get(f"{project}/allocations/next?budgt=5"), 422)["detail"]
    assert known.startswith("?budgt: is no parameter here; the parameters are budget, draws, exploration, groups, ")


@pytest.mark.parametrize("at", ["-1", "1.5", "a", "1,,2", "10000000000", "1,1000000001", ",".join(["1"] * 101)])
def test_bad_counts_of_a_curve_are_refused(api: Api, at: str) -> None:
    assert problem(api.get(f"{api.project()}/curves", params={"at": at}), 422)["errors"][0]["pointer"] == "?at"


@pytest.mark.parametrize("limit", ["0", "501", "x"])
def test_a_bad_limit_is_refused(api: Api, limit: str) -> None:
    assert problem(api.get("/v1/projects", params={"limit": limit}), 422)["errors"][0]["pointer"] == "?limit"


@pytest.mark.parametrize("cursor", ["x", "", "%%%", "AAAA", "ü", "/w==", "🙂"])
def test_a_bad_cursor_is_refused(api: Api, cursor: str) -> None:
    problem(api.get("/v1/projects", params={"cursor": cursor}), 422)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("name", ["nope", "0198c5a0-7e6b-7c3e-9d6a-5b1f0c2d3e4f", "%00", "a" * 3000])
def test_a_project_that_is_not_there_is_not_found(api: Api, method: str, name: str) -> None:
    options = {"json": {"name": "x"}} if method == "PATCH" else {}
    problem(api.request(method, f"/v1/projects/{name}", **options), 404)


@pytest.mark.parametrize("key", ["Z", "%00", "a" * 3000, "%F0%9F%98%80"])
def test_a_group_that_is_not_there_is_not_found(api: Api, key: str) -> None:
    path = api.project()
    for place in (f"{path}/groups/{key}", f"{path}/sources/{key}", f"{path}/curves/{key}"):
        problem(api.get(place), 404)


def test_other_paths_and_methods_are_problems_too(api: Api) -> None:
    problem(api.get("/v1/nothing"), 404)
    problem(api.put("/v1/projects", json={}), 405)


# Observations.

FIRST = RUNS[0]


def changed(**changes: Any) -> dict[str, Any]:
    return {**FIRST, **changes}


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        (changed(counts={"A": 1}), "/observations/1/counts"),
        (changed(counts={"A": 1, "B": 2, "C": 3}), "/observations/1/counts/C"),
        (changed(counts={"A": -1, "B": 2}), "/observations/1/counts/A"),
        (changed(counts={"A": 1.5, "B": 2}), "/observations/1/counts/A"),
        (changed(counts={"A": 1.25, "B": 2}), "/observations/1/counts/A"),
        (changed(counts={"A": True, "B": 2}), "/observations/1/counts/A"),
        (changed(counts={"A": 10**10, "B": 2}), "/observations/1/counts/A"),
        (changed(counts=[1, 2]), "/observations/1/counts"),
        (changed(metrics={}), "/observations/1/metrics"),
        (changed(metrics={"C": {"value": 0.5}}), "/observations/1/metrics/C"),
        (changed(metrics={"A/~": {"value": 0.5}}), "/observations/1/metrics/A~1~0"),
        (changed(metrics={"A": {"value": 1.1}}), "/observations/1/metrics/A"),
        (changed(metrics={"A": {"value": "0.5"}}), "/observations/1/metrics/A/value"),
        (changed(metrics={"A": {"value": None}}), "/observations/1/metrics/A/value"),
        (changed(metrics={"A": "0.5"}), "/observations/1/metrics/A"),
        (changed(metrics={"A": {"value": 0.5, "stderr": -0.1}}), "/observations/1/metrics/A/stderr"),
        (changed(metrics={"A": {"value": 0.5, "eval_size": 0}}), "/observations/1/metrics/A/eval_size"),
        (changed(metrics={"A": {"value": 0.5, "error": 1}}), "/observations/1/metrics/A/error"),
        (changed(observed_at="yesterday"), "/observations/1/observed_at"),
        (changed(external_id=""), "/observations/1/external_id"),
        (changed(holdout="h\x00"), "/observations/1/holdout"),
        (changed(extra=1), "/observations/1/extra"),
        ("run", "/observations/1"),
    ],
)
def test_one_bad_observation_refuses_all(api: Api, item: Any, pointer: str) -> None:
    path = api.project()
    good = {**FIRST, "external_id": "good"}
    body = problem(api.post(f"{path}/observations", json={"observations": [good, item]}), 422)
    assert pointer in [fault["pointer"] for fault in body["errors"]]
    lines = json.dumps(good) + "\n\n" + json.dumps(item)
    refused = api.post(f"{path}/observations", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert problem(refused, 422)["errors"][0]["pointer"].startswith("line 3")
    assert api.get(f"{path}/observations").json()["items"] == []
    assert api.get(path).json()["data_version"] == 1


def test_every_bad_observation_is_named(api: Api) -> None:
    path = api.project()
    items = [changed(external_id=f"r{index}", metrics={"A": {"value": 2.0}}) for index in range(5)]
    body = problem(api.post(f"{path}/observations", json={"observations": items}), 422)
    assert [fault["pointer"] for fault in body["errors"]] == [f"/observations/{index}/metrics/A" for index in range(5)]


def test_more_than_ten_thousand_observations_are_refused(api: Api) -> None:
    path = api.project(groups=[{"key": "A"}])
    lines = ["external_id,group,n,value", *(f"r{index},A,{index},0.5" for index in range(10_001))]
    csv = {"Content-Type": "text/csv"}
    assert "10,001" in problem(api.post(f"{path}/observations", content="\n".join(lines), headers=csv), 422)["detail"]
    assert api.post(f"{path}/observations", content="\n".join(lines[:-1]), headers=csv).json()["accepted"] == 10_000
    items = [{"counts": {"A": 1}, "metrics": {"A": {"value": 0.5}}}] * 10_001
    problem(api.post(f"{path}/observations", json={"observations": items}), 422)


HEADER = "external_id,group,n,value,stderr,eval_size,holdout,observed_at\n"


@one_database
@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("", 400, "Line 1"),
        ("external_id,group,n\nr,A,1\n", 400, "Line 1"),
        ("external_id,group,n,value,colour\n", 400, "colour"),
        (HEADER + "r,A,1\n", 400, "Line 2 has 3 cells"),
        (HEADER + 'r,A,1,"0.5,,,,\nr,B,1,0.5,,,,\n', 400, "Line"),
        (HEADER + "r,A,1,0.5,,,,\nr,A,1,0.5,,,,\n", 422, "line 3"),
        (HEADER + "r,A,1,0.5,,,,\nr,B,one,0.5,,,,\n", 422, "line 3"),
        (HEADER + "r,A,1,0.5,,,,\nr,B,1,nan,,,,\n", 422, "line 3"),
        (HEADER + "r,A,1,0.5,,,,\nr,B,1,1.5,,,,\n", 422, "line 3"),
        (HEADER + "r,A,1,0.5,,,,\nr,C,1,0.5,,,,\n", 422, "line 3"),
        (HEADER + "r,A,1,0.5,,,,\n", 422, "line 2"),
        (HEADER + "r,A,1,0.5,,,h1,\nr,B,1,0.5,,,h2,\n", 422, "line 3"),
        (HEADER + "r,A,1,,0.1,,,\nr,B,1,0.5,,,,\n", 422, "line 2"),
        (HEADER + ",A,1,0.5,,,,\n", 422, "line 2"),
        (HEADER + "r,A,1,0.5,,,,yesterday\n", 422, "line 2"),
    ],
)
def test_a_bad_line_of_csv_is_named_by_its_number(api: Api, text: str, status: int, says: str) -> None:
    path = api.project()
    answer = api.post(f"{path}/observations", content=text, headers={"Content-Type": "text/csv"})
    body = problem(answer, status)
    named = [body["detail"], *(fault["pointer"] for fault in body.get("errors", []))]
    assert any(says in words for words in named), body
    assert api.get(f"{path}/observations").json()["items"] == []


def test_csv_that_is_not_utf8_is_malformed(api: Api) -> None:
    body = HEADER.encode() + b"r,\xff\xfe,1,0.5,,,,\n"
    answer = api.post(f"{api.project()}/observations", content=body, headers={"Content-Type": "text/csv"})
    assert "UTF-8" in problem(answer, 400)["detail"]


def test_observations_of_another_content_type_are_refused(api: Api) -> None:
    path = api.project()
    problem(api.post(f"{path}/observations", content=b"x", headers={"Content-Type": "application/xml"}), 415)
    problem(api.post(f"{path}/observations", content=b"x"), 415)
