"""Observations over HTTP."""

import json
from typing import Any

from tests.api_client import RUNS, Api, run

CSV = {"Content-Type": "text/csv"}


def test_the_three_forms_store_the_same(api: Api) -> None:
    lines = ["external_id,group,n,value,stderr"]
    for one in RUNS:
        for key, count in one["counts"].items():
            metric = one["metrics"][key]
            lines.append(f"{one['external_id']},{key},{count},{metric['value']},{metric['stderr']}")
    bodies: list[dict[str, Any]] = [
        {"json": {"observations": RUNS}},
        {"content": "\n".join(json.dumps(one) for one in RUNS), "headers": {"Content-Type": "application/x-ndjson"}},
        {"content": "\ufeff" + "\r\n".join(lines) + "\r\n", "headers": CSV},
    ]
    stored = []
    for body in bodies:
        path = api.project()
        answer = api.post(f"{path}/observations", **body).json()
        read_as = answer.pop("read_as")
        assert answer == {"accepted": 3, "duplicates": 0, "data_version": 2, "warnings": []}
        assert (read_as is not None) == (body.get("headers") == CSV)
        items = api.get(f"{path}/observations").json()["items"]
        stored.append([{name: value for name, value in item.items() if name != "id"} for item in items])
    assert stored[0] == stored[1] == stored[2]
    assert stored[0][0]["metrics"]["A"] == {"value": 0.7, "stderr": 0.01, "eval_size": None}
    assert stored[0][0]["holdout"] == "default"


def test_a_repeat_is_counted_and_other_content_refused(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    again = api.post(f"{path}/observations", json={"observations": [*RUNS, run(4, {"A": 1, "B": 1}, A=0.5)]})
    assert again.json()["accepted"] == 1
    assert again.json()["duplicates"] == 3
    version = api.get(path).json()["data_version"]
    assert api.post(f"{path}/observations", json={"observations": RUNS}).json()["data_version"] == version
    clash = [run(9, {"A": 1, "B": 1}, A=0.5), {**RUNS[0], "holdout": "h2"}]
    other = api.post(f"{path}/observations", json={"observations": clash})
    assert other.status_code == 409
    assert other.json()["errors"][0]["pointer"] == "/observations/1/external_id"
    assert len(api.get(f"{path}/observations").json()["items"]) == 4


def test_an_external_id_twice_in_one_request_is_one_run(api: Api) -> None:
    path = api.project()
    answer = api.post(f"{path}/observations", json={"observations": [RUNS[0], RUNS[0]]})
    assert (answer.json()["accepted"], answer.json()["duplicates"]) == (1, 1)
    clash = [run(7, {"A": 1, "B": 1}, A=0.5), run(7, {"A": 2, "B": 1}, A=0.5)]
    assert api.post(f"{path}/observations", json={"observations": clash}).status_code == 409


def test_missing_counts_can_be_taken_as_zero(api: Api) -> None:
    path = api.project()
    body = {"observations": [run(1, {"A": 5}, A=0.5)]}
    assert "B" in api.post(f"{path}/observations", json=body).json()["detail"]
    assert api.post(f"{path}/observations?missing=zero", json=body).json()["accepted"] == 1
    assert api.get(f"{path}/observations").json()["items"][0]["counts"] == {"A": 5, "B": 0}
    assert api.post(f"{path}/observations?missing=one", json=body).status_code == 422


def test_notices_name_what_deserves_a_second_look(api: Api) -> None:
    path = api.project()
    item = {"counts": {"A": 201, "B": 1}, "metrics": {"A": {"value": 0.5, "eval_size": 100}, "B": {"value": 0.5}}}
    answer = api.post(f"{path}/observations", json={"observations": [item]})
    assert {(one["code"], one["group"]) for one in answer.json()["warnings"]} == {
        ("counts_exceed_held", "A"), ("stderr_unknown", "B")}  # fmt: skip


def test_a_voided_run_leaves_the_fit_but_not_the_record(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    before = api.get(f"{path}/curves/A").json()
    one = api.get(f"{path}/observations").json()["items"][0]
    assert api.delete(f"{path}/observations/{one['id']}").status_code == 422
    voided = api.delete(f"{path}/observations/{one['id']}", params={"reason": "wrong split"}).json()
    assert voided["void_reason"] == "wrong split"
    assert len(api.get(f"{path}/observations").json()["items"]) == 2
    assert api.get(f"{path}/observations?voided=true").json()["items"] == [voided]
    after = api.get(f"{path}/curves/A").json()
    assert (before["diagnostics"]["points"], after["diagnostics"]["points"]) == (3, 2)


def test_runs_of_another_recipe_do_not_enter_the_fit(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": [{**one, "recipe": "old"} for one in RUNS]})
    assert api.get(f"{path}/curves/A").json()["diagnostics"]["points"] == 0
    api.patch(path, json={"recipe": "old"})
    assert api.get(f"{path}/curves/A").json()["diagnostics"]["points"] == 3


def test_an_observation_of_an_archived_group_is_refused(api: Api) -> None:
    path = api.project()
    api.delete(f"{path}/groups/B")
    answer = api.post(f"{path}/observations", json={"observations": RUNS})
    assert "archived" in answer.json()["detail"]


def test_an_empty_list_changes_nothing(api: Api) -> None:
    path = api.project()
    answer = api.post(f"{path}/observations", json={"observations": []})
    assert answer.json() == {"accepted": 0, "duplicates": 0, "data_version": 1, "warnings": [], "read_as": None}


def test_the_reference_loss_is_fixed_by_the_first_data_version(api: Api) -> None:
    path = api.project(
        metric={"name": "log loss", "goal": "minimize", "lower": 0.0},
        groups=[{"key": "A", "weight": 3, "initial_count": 200}, {"key": "B", "weight": 1, "initial_count": 200}],
    )
    assert api.get(path).json()["reference_loss"] is None
    first = [run(1, {"A": 50, "B": 50}, A=0.9, B=2.0), run(2, {"A": 100, "B": 100}, A=0.5, B=1.5)]
    api.post(f"{path}/observations", json={"observations": first})
    assert api.get(path).json()["reference_loss"] == (3 * 0.5 + 1.5) / 4
    api.post(f"{path}/observations", json={"observations": [run(3, {"A": 200, "B": 200}, A=0.1, B=0.1)]})
    assert api.get(path).json()["reference_loss"] == (3 * 0.5 + 1.5) / 4


def learnt(api: Api, path: str) -> list[Any]:
    """All that the fit says, without the runs."""
    curves = api.get(f"{path}/curves").json()["items"]
    plan = api.get(f"{path}/allocations/next").json()
    own = [[one["parameters"], one["bands"], one["diagnostics"]] for one in curves]
    return [own, plan["groups"], plan["utility"], api.get(f"{path}/measurement-plan").json()["runs"]]


def test_runs_posted_again_under_other_ids_add_nothing(api: Api) -> None:
    once, thrice = api.project(), api.project()
    api.post(f"{once}/observations", json={"observations": RUNS})
    again = [{**one, "external_id": f"{one['external_id']}-{copy}"} for copy in "bc" for one in RUNS]
    first = api.post(f"{thrice}/observations", json={"observations": [*RUNS, again[0]]}).json()
    assert (first["accepted"], [one["code"] for one in first["warnings"]]) == (4, ["repeated_runs"])
    second = api.post(f"{thrice}/observations", json={"observations": again[1:]}).json()
    [warning] = second["warnings"]
    assert warning["code"] == "repeated_runs"
    assert "'run-2-b' (as 'run-2')" in warning["detail"]
    assert learnt(api, thrice) == learnt(api, once)
    # What was measured before is no test of the curves: the record of forecasts stays empty.
    assert api.get(f"{thrice}/forecasts").json()["items"] == []
    plan = api.get(f"{thrice}/allocations/next").json()
    assert [one["code"] for one in plan["warnings"]].count("repeated_runs") == 1
    points = api.get(f"{thrice}/curves/A").json()["points"]
    assert len(points) == 9
    assert [one["residual"] for one in points[:3]] == [one["residual"] for one in points[6:]]


def test_a_run_trained_again_is_no_repeat(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    before = learnt(api, path)
    seeds = [run(9, {"A": 200, "B": 100}, A=0.771, B=0.71)]
    assert api.post(f"{path}/observations", json={"observations": seeds}).json()["warnings"] == []
    assert learnt(api, path) != before


def test_a_first_post_in_another_unit_is_doubted(api: Api) -> None:
    percent = {"name": "accuracy", "goal": "maximize", "lower": 0.0, "upper": 100.0}
    for values, says in ((RUNS, "lowest"), ([run(1, {"A": 1, "B": 1}, A=99.0, B=100.0)], "highest")):
        path = api.project(metric=percent)
        answer = api.post(f"{path}/observations", json={"observations": values}).json()
        [units] = [one for one in answer["warnings"] if one["code"] == "units"]
        assert says in units["detail"]
        later = [run(20, {"A": 2, "B": 1}, A=0.5)]
        answer = api.post(f"{path}/observations", json={"observations": later}).json()
        assert "units" not in {one["code"] for one in answer["warnings"]}


def test_values_across_the_bounds_are_not_doubted(api: Api) -> None:
    for metric, values in (
        ({"goal": "maximize", "lower": 0.0, "upper": 100.0}, {"A": 0.5, "B": 1.01}),
        ({"goal": "maximize", "lower": 0.0, "upper": 100.0}, {"A": 98.9, "B": 100.0}),
        ({"goal": "minimize", "lower": 0.0}, {"A": 1e-9, "B": 1e-9}),
    ):
        path = api.project(metric=metric)
        answer = api.post(f"{path}/observations", json={"observations": [run(1, {"A": 1, "B": 1}, **values)]}).json()
        assert answer["warnings"] == []


def test_a_test_that_gets_harder_from_run_to_run_is_named(api: Api) -> None:
    sizes, jitter = (25, 50, 100) * 3, (3, -2, 1, -3, 2, 0, 1, -1, -2)
    for step, says in ((0.0, []), (0.01, ["rose"]), (-0.01, ["fell"])):
        runs = []
        for number, size in enumerate(sizes):
            level = 0.9 - 2.0 * size**-0.5 - step * number + 0.001 * jitter[number]
            one = run(number, {"A": 2 * size, "B": size}, A=round(level, 4), B=round(level - 0.05, 4))
            # As they were observed, not as they are posted.
            runs.insert(0, {**one, "observed_at": f"2026-11-{number + 1:02d}T00:00:00Z"})
        path = api.project()
        for part in (runs[:4], runs[4:]):
            assert api.post(f"{path}/observations", json={"observations": part}).status_code == 201
        plan = api.get(f"{path}/allocations/next").json()
        drifts = [one for one in plan["warnings"] if one["code"] == "drifts"]
        assert [one["group"] for one in drifts] == [None] * len(says)
        assert all(word in one["detail"] for word, one in zip(says, drifts, strict=True))
