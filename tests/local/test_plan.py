"""A plan from files is the API's."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.api.planning.allocations import AllocationOut
from app.local.examples import NAMES
from app.local.plan import File, InputFaults, Inputs, plan_of
from tests.api_client import NOW, Api
from tests.census import BUDGET, GROUPS, METRIC, POINTS
from tests.test_docs import ROOT

ANSWER: TypeAdapter[AllocationOut] = TypeAdapter(AllocationOut)
EXAMPLE = {name: (ROOT / "app" / "local" / "example" / name).read_bytes() for name in NAMES}
CENSUS = {"name": "census income", "metric": METRIC, "budget": BUDGET, "groups": GROUPS}
README = {
    "name": "speech",
    "metric": METRIC,
    "budget": {"total": "6000", "rounds": 3},
    "groups": [
        {"key": "Bernese", "weight": 1, "initial_count": 400, "unit_cost": "1.50"},
        {"key": "Valais", "weight": 1, "initial_count": 200, "unit_cost": "2.50"},
    ],
}
SOURCES: dict[str, Any] = {
    **{name: README[name] for name in ("name", "metric", "budget")},
    "objective": {"kind": "isoelastic", "aversion": 0.5},
    "groups": [{"key": "Bernese", "initial_count": 400}, {"key": "Valais", "initial_count": 200, "target": 0.8}],
    "sources": [
        {"key": "radio", "group": "Bernese", "unit_cost": 1.75, "quality": 0.9},
        {"key": "field", "group": "Valais", "unit_cost": "3", "fixed_cost": "100", "min_order": 40,
         "price_tiers": [{"from": 200, "unit_cost": "2.2"}]},
    ],
    "set_limits": [{"name": "field work", "measure": "cost", "sources": ["field"], "max": "1500"}],
}  # fmt: skip


def census_runs() -> bytes:
    """The demo's points in the columns that the API reads."""
    columns = ("external_id", "group", "n", "value", "stderr", "holdout")
    out = io.StringIO()
    with POINTS.open(encoding="utf-8", newline="") as points:
        writer = csv.DictWriter(out, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(csv.DictReader(points))
    return out.getvalue().encode()


def files(project: dict[str, Any] | str, runs: bytes | str | None = None, **more: Any) -> Inputs:
    text = project if isinstance(project, str) else json.dumps(project)
    found = runs.encode() if isinstance(runs, str) else runs
    return Inputs(File("project.yaml", text.encode()), None if found is None else File("runs.csv", found), **more)


def answered(api: Api, project: dict[str, Any], runs: bytes | None, query: str = "") -> bytes:
    made = api.post("/v1/projects", json=project)
    assert made.status_code == 201, made.text
    url = f"/v1/projects/{made.json()['id']}"
    if runs is not None:
        posted = api.post(f"{url}/observations", content=runs, headers={"Content-Type": "text/csv"})
        assert posted.status_code == 201, posted.text
    answer = api.get(f"{url}/allocations/next{query}")
    assert answer.status_code == 200, answer.text
    return answer.content


def same(api: Api, project: dict[str, Any], runs: bytes | None, query: str = "", **asked: str) -> None:
    """Byte for byte."""
    local = plan_of(files(project, runs, **asked), NOW)
    assert ANSWER.dump_json(local.answer) == answered(api, project, runs, query)


def test_the_readmes_plan_is_the_apis(api: Api) -> None:
    same(api, README, EXAMPLE["runs.csv"])


def test_the_census_demos_plan_is_the_apis(api: Api) -> None:
    same(api, CENSUS, census_runs())


@pytest.mark.parametrize("policy", ["equal", "thompson"])
def test_the_plan_of_another_budget_and_policy_is_the_apis(api: Api, policy: str) -> None:
    query = f"?budget=777.77&policy={policy}"
    same(api, README, EXAMPLE["runs.csv"], query, budget="777.77", policy=policy)


def test_the_stop_advice_is_the_apis(api: Api) -> None:
    same(api, {**README, "value_per_utility": 20_000.5}, EXAMPLE["runs.csv"])


def test_the_plan_of_vendors_terms_is_the_apis(api: Api) -> None:
    same(api, SOURCES, EXAMPLE["runs.csv"])


def test_without_runs_the_plan_is_the_priors_and_says_so(api: Api) -> None:
    same(api, README, None)
    answer = plan_of(files(README)).answer
    assert {(warning.code, warning.group) for warning in answer.warnings} >= {
        ("no_observations", "Bernese"),
        ("no_observations", "Valais"),
    }
    header = EXAMPLE["runs.csv"].splitlines()[0]
    assert plan_of(files(README, header), NOW).answer == plan_of(files(README), NOW).answer


def test_the_example_is_the_readmes_project() -> None:
    groups = File("groups.csv", EXAMPLE["groups.csv"])
    example = Inputs(File("project.yaml", EXAMPLE["project.yaml"]), File("runs.csv", EXAMPLE["runs.csv"]), groups)
    assert plan_of(example, NOW) == plan_of(files(README, EXAMPLE["runs.csv"]), NOW)


def test_the_time_of_asking_changes_no_number() -> None:
    first, later = (plan_of(files(README, EXAMPLE["runs.csv"]), NOW + timedelta(days=n)).answer for n in (0, 400))
    assert first == later.model_copy(update={"data_at": first.data_at})


GOOD = """name: speech
metric: {name: accuracy, kind: proportion, goal: maximize, lower: 0, upper: 1}
budget: {total: "6000", rounds: 3}
groups:
  - {key: Bernese, initial_count: 400, unit_cost: 1.50}
  - {key: Valais, initial_count: 200, unit_cost: 2.50}
"""
UNBOUNDED = GOOD.replace("accuracy, kind: proportion", "score").replace(", upper: 1", "")


def limited(group: str, least: int) -> str:
    return f"{GOOD}set_limits: [{{name: a, measure: count, groups: [{group}], min: {least}}}]"


GROUPLESS = GOOD.partition("groups:")[0]
RUNS = EXAMPLE["runs.csv"].decode()


@pytest.mark.parametrize(
    ("project", "says"),
    [
        ("", "project.yaml: line 1, column 1: a project is a mapping with name"),
        ("- a\n- b\n", "this is a list"),
        ("speech", "this is a single value"),
        ("name: [", "project.yaml: line 2, column 1: this is not YAML"),
        (GOOD.replace("initial_count: 200", "count: 200"), "project.yaml: line 6, column 26: /groups/1/count: is"),
        (GOOD.replace("2.50", "0"), "line 6, column 50: /groups/1/unit_cost: a price must be above 0"),
        (GOOD.replace("2.50", "2.5000001"), "/groups/1/unit_cost: an amount has at most six decimals"),
        (GOOD.replace("Valais", "Bernese"), "project.yaml: line 6, column 11: /groups/1/key"),
        (UNBOUNDED, "line 2, column 9: /metric/upper"),
        (GOOD.replace("name: speech\n", ""), "line 1, column 1: /name: is required"),
        (GOOD.replace("200", "1_0"), "/groups/1/initial_count"),
        (limited("Uri", 1), "line 7, column "),
        (limited("Valais", 100_000), "line 3, column 9: /budget: Raise the budget"),
        (GROUPLESS, "project.yaml: line 1, column 1: /groups: name at least one, here or"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_project_is_told_by_line_and_column(project: str, says: str) -> None:
    with pytest.raises(InputFaults) as refused:
        plan_of(files(project, RUNS))
    assert any(says in line for line in refused.value.lines), refused.value.lines


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        (RUNS.replace("0.668", "many"), "runs.csv: line 5: value: "),
        (RUNS.replace("Valais", "Uri"), "runs.csv: line 3: 'Uri' is no group of this project"),
        (RUNS + "run-4,Bernese,100,0.8,,\n", "runs.csv: line 8: "),
        (RUNS.replace("eval_size", "size"), "runs.csv: Line 1 must be the header"),
        (b"\xff\xfe\x00", "runs.csv: The text says that it is UTF-16"),
        ("", "runs.csv: Line 1 must be the header"),
    ],
)
def test_what_is_wrong_in_the_runs_is_told_by_line(runs: bytes | str, says: str) -> None:
    with pytest.raises(InputFaults) as refused:
        plan_of(files(GOOD, runs))
    assert any(says in line for line in refused.value.lines), refused.value.lines


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (b"key,weight\nBernese,1\nVal ais,heavy\n", "groups.csv: line 3: weight: "),
        (b"key,weight\nBernese,1\n\nBernese,2\n", "groups.csv: line 4: key: "),
        (b"key,weight\nBernese\n", "groups.csv: Groups: Line 2 has 1 cells"),
        (b"key,wait\nBernese,1\n", "groups.csv: Groups: Line 1 must be the header"),
        ("key\nZürich\n".encode("cp850"), "groups.csv: Groups: "),
    ],
)
def test_what_is_wrong_in_the_groups_is_told_by_line(groups: bytes, says: str) -> None:
    with pytest.raises(InputFaults) as refused:
        plan_of(files(GROUPLESS, groups=File("groups.csv", groups)))
    assert any(says in line for line in refused.value.lines), refused.value.lines


def test_groups_in_two_places_are_refused() -> None:
    with pytest.raises(InputFaults, match=r"project.yaml: line 5, column 3: /groups: groups stand here and in groups"):
        plan_of(files(GOOD, groups=File("groups.csv", EXAMPLE["groups.csv"])))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"budget": "abc"}, "--budget: give an amount"),
        ({"budget": "-1"}, "--budget: an amount lies from 0"),
        ({"budget": "6000.01"}, "--budget: "),
        ({"policy": "best"}, "--policy: 'best' is none of optimal, "),
    ],
)
def test_what_is_wrong_with_an_option_is_told_by_its_name(asked: dict[str, str], says: str) -> None:
    with pytest.raises(InputFaults) as refused:
        plan_of(files(GOOD, RUNS, **asked))
    assert says in refused.value.lines[0]


def test_counts_that_a_run_leaves_out_may_be_0() -> None:
    runs = RUNS + "run-4,Bernese,100,0.8,,\n"
    assert plan_of(files(GOOD, runs, missing_is_zero=True)).answer.groups
