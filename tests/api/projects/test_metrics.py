"""Metrics and budgets in their short forms, and runs whose metrics are plain numbers."""

import json
from typing import Any

import pytest

from app.services.projects.metrics import KNOWN_METRICS
from tests.api.http.test_bad_input import problem
from tests.api_client import ACCURACY, Api
from tests.conftest import one_database

BODY: dict[str, Any] = {"name": "x", "budget": 100}
F1 = {"name": "f1", "kind": "other", "goal": "maximize", "lower": 0.0, "upper": 1.0}
WER = {"name": "wer", "kind": "other", "goal": "minimize", "lower": 0.0, "upper": None}


def made(api: Api, **fields: Any) -> str:
    answer = api.post("/v1/projects", json={**BODY, **fields})
    assert answer.status_code == 201, answer.text
    return f"/v1/projects/{answer.json()['id']}"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("accuracy", ACCURACY),
        (" Accuracy ", {**ACCURACY, "name": "Accuracy"}),
        ({"name": "accuracy"}, ACCURACY),
        ({"name": "accuracy", "kind": None, "goal": None, "lower": None, "upper": None}, ACCURACY),
        ({"name": "accuracy", "goal": "maximize", "upper": 1}, ACCURACY),
        ({"name": "accuracy", "upper": 100}, {**ACCURACY, "kind": "other", "upper": 100.0}),
        ({"name": "accuracy", "kind": "other"}, {**ACCURACY, "kind": "other"}),
        ({"name": "accuracy", "kind": "other", "goal": "maximize", "upper": 1},
         {**ACCURACY, "kind": "other", "lower": None}),
        ("f1", F1),
        ("WER", {**WER, "name": "WER"}),
        ({"name": "wer", "upper": 2}, {**WER, "upper": 2.0}),
        ({"name": "wer", "goal": "maximize", "upper": 1}, {**WER, "goal": "maximize", "lower": None, "upper": 1.0}),
        ("perplexity", {**WER, "name": "perplexity", "lower": 1.0}),
        ("r2", {**F1, "name": "r2", "lower": None}),
        ("BLEU", {**F1, "name": "BLEU", "upper": 100.0}),
        ({"name": "bleu", "upper": 1}, {**F1, "name": "bleu"}),
        ({"name": "share found", "kind": "proportion"}, {**ACCURACY, "name": "share found"}),
        ({"kind": "proportion", "goal": "minimize"}, {**ACCURACY, "name": "metric", "goal": "minimize"}),
        ({"goal": "minimize", "lower": 0}, {**WER, "name": "metric"}),
    ],
)  # fmt: skip
def test_what_is_left_out_of_a_metric_is_filled_in(api: Api, given: Any, stored: dict[str, Any]) -> None:
    path = made(api, metric=given)
    shown = api.get(path).json()["metric"]
    assert shown == stored
    assert api.patch(path, json={"metric": shown}).json()["metric"] == stored
    other = made(api, metric="mse")
    assert api.patch(other, json={"metric": given}).json()["metric"] == stored


@one_database
@pytest.mark.parametrize("metric", ["loss", "", {"name": "our score"}, {}, None, 3, ["accuracy"], {"name": None}])
def test_a_metric_that_is_not_known_says_which_are(api: Api, metric: Any) -> None:
    [fault] = problem(api.post("/v1/projects", json={**BODY, "metric": metric}), 422)["errors"]
    assert fault["pointer"] == "/metric"
    if isinstance(metric, str | dict):
        assert "say its goal" in fault["detail"]
        assert all(known.names[0] in fault["detail"] for known in KNOWN_METRICS)


@pytest.mark.parametrize(
    ("metric", "pointer"),
    [
        ({"name": "accuracy", "goal": "minimize"}, "/metric/lower"),
        ({"name": "accuracy", "goal": "most"}, "/metric/goal"),
        ({"name": "accuracy", "upper": "1"}, "/metric/upper"),
        ({"name": "accuracy", "colour": 1}, "/metric/colour"),
        ({"name": "accuracy", "kind": "proportion", "upper": 100}, "/metric/kind"),
        ({"name": "x", "goal": "minimize"}, "/metric/lower"),
        ({"name": ["accuracy"], "goal": "minimize"}, "/metric/name"),
    ],
)
def test_a_contradiction_in_a_metric_is_refused(api: Api, metric: Any, pointer: str) -> None:
    assert problem(api.post("/v1/projects", json={**BODY, "metric": metric}), 422)["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(("budget", "total"), [(6000, "6000.00"), ("6000.5", "6000.50"), (0.1, "0.10")])
def test_a_bare_budget_is_the_total_of_one_round(api: Api, budget: Any, total: str) -> None:
    path = made(api, metric="accuracy", budget=budget)
    assert api.get(path).json()["budget"] == {"total": total, "rounds": 1}
    other = made(api, metric="accuracy", budget={"total": 1, "rounds": 1})
    assert api.patch(other, json={"budget": budget}).json()["budget"] == {"total": total, "rounds": 1}


@one_database
@pytest.mark.parametrize("budget", ["much", "-1", -1, True, "NaN", "1e20", "1.0000001", None, []])
def test_a_bare_budget_that_is_no_amount_is_refused(api: Api, budget: Any) -> None:
    found = problem(api.post("/v1/projects", json={**BODY, "metric": "f1", "budget": budget}), 422)
    assert [fault["pointer"] for fault in found["errors"]] == ["/budget"]


# Runs with plain numbers.

COUNTS = {"A": 200, "B": 100}


def posted(api: Api, path: str, kind: str, run: dict[str, Any]) -> Any:
    body = {"application/json": {"observations": [run]}, "application/x-ndjson": run}[kind]
    return api.post(f"{path}/observations", content=json.dumps(body), headers={"Content-Type": kind})


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"metrics": {"A": 0.7, "B": 1}}, {"A": {"value": 0.7}, "B": {"value": 1.0}}),
        ({"metrics": {"A": 0.7, "B": 0.5}, "eval_size": 400.0},
         {"A": {"value": 0.7, "eval_size": 400}, "B": {"value": 0.5, "eval_size": 400}}),
        ({"metrics": {"A": 0.7, "B": 0.5}, "stderr": {"B": 0.01}},
         {"A": {"value": 0.7}, "B": {"value": 0.5, "stderr": 0.01}}),
        ({"metrics": {"A": 0.7, "B": {"value": 0.5, "eval_size": 9}}, "eval_size": {"A": 40, "B": 9}, "stderr": 0},
         {"A": {"value": 0.7, "eval_size": 40, "stderr": 0.0}, "B": {"value": 0.5, "eval_size": 9, "stderr": 0.0}}),
    ],
)  # fmt: skip
def test_a_plain_number_is_its_metric(api: Api, kind: str, short: Any, long: Any) -> None:
    path = api.project()
    assert posted(api, path, kind, {"external_id": "r", "counts": COUNTS, **short}).status_code == 201
    [run] = api.get(f"{path}/observations").json()["items"]
    named = ("value", "stderr", "eval_size")
    assert run["metrics"] == {key: {name: one.get(name) for name in named} for key, one in long.items()}
    repeat = posted(api, path, kind, {"external_id": "r", "counts": COUNTS, "metrics": long})
    assert repeat.json()["duplicates"] == 1


@one_database
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize(
    ("run", "pointer"),
    [
        ({"metrics": {"A": 0.7}, "eval_size": {"B": 5}}, "/eval_size/B"),
        ({"metrics": {"A": 0.7}, "stderr": {"A/~": 5}}, "/stderr/A~1~0"),
        ({"metrics": {"A": {"value": 0.7, "eval_size": 5}}, "eval_size": 6}, "/metrics/A/eval_size"),
        ({"metrics": {"A": {"value": 0.7, "stderr": 0.1}}, "stderr": {"A": 0.2}}, "/metrics/A/stderr"),
        ({"metrics": {"A": 0.7}, "eval_size": 0}, "/eval_size"),
        ({"metrics": {"A": 0.7}, "eval_size": {"A": 1.5}}, "/eval_size/A"),
        ({"metrics": {"A": 0.7}, "stderr": -1}, "/stderr"),
        ({"metrics": {"A": 0.7}, "stderr": "0.1"}, "/stderr"),
        ({"metrics": {"A": 0.7}, "stderr": []}, "/stderr"),
        ({"metrics": {"A": True}}, "/metrics/A"),
        ({"metrics": {"A": "0.7"}}, "/metrics/A"),
        ({"metrics": {"A": None}}, "/metrics/A"),
        ({"metrics": {"A": 7}}, "/metrics/A"),
        ({"metrics": 0.7}, "/metrics"),
    ],
)
def test_what_contradicts_itself_in_a_run_is_named(api: Api, kind: str, run: Any, pointer: str) -> None:
    path = api.project()
    place = "/observations/0" if kind == "application/json" else "line 1 "
    found = problem(posted(api, path, kind, {"counts": COUNTS, **run}), 422)
    assert found["errors"][0]["pointer"] == place + pointer
    assert api.get(f"{path}/observations").json()["items"] == []
