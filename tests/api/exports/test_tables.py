"""Tables to be saved: the numbers of the API's answers, whole, safe to open, and named after their project."""

import csv
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from app.api.http import downloads
from app.api.http.downloads import disposition
from app.api.http.runtime import SOFTWARE_VERSION
from app.errors import Conflict
from app.services.exports import paging
from app.services.exports.tables import TABLES
from app.store.db import Database
from tests.api.purchases.test_rounds import accept, deliver, propose
from tests.api_client import RUNS, Api, run
from tests.conftest import new_key
from tests.workbooks import sheet_of

SCRIPT, FORMULA = "<script>alert(1)</script>", '=HYPERLINK("x")'
RIGHT_TO_LEFT = chr(0x202E)


@pytest.fixture
def path(api: Api) -> str:
    made = api.project(
        name=FORMULA,
        groups=[
            {"key": "A", "name": SCRIPT, "initial_count": 200, "unit_cost": "1", "target": 0.8},
            {"key": "B", "name": FORMULA, "initial_count": 100, "unit_cost": "2.00"},
        ],
    )
    assert api.post(f"{made}/observations", json={"observations": RUNS}).status_code == 201
    return made


@pytest.fixture
def bought(api: Api, path: str) -> str:
    """A round that was accepted, of which something came, and another that is proposed."""
    assert propose(api, path, budget="100").status_code == 201
    assert accept(api, path).status_code == 200
    [order, *_] = api.get(f"{path}/rounds/1").json()["orders"]
    body = {"groups": {order["source"]: {"accepted": 5, "rejected": 2}}, "note": "+1"}
    assert deliver(api, path, order["id"], body).status_code == 201
    api.clock.now += timedelta(hours=1)
    more = [run(4, {"A": 205, "B": 100}, A=0.78, B=0.72)]
    assert api.post(f"{path}/observations", json={"observations": more}).status_code == 201
    assert propose(api, path, "r2", budget="50").status_code == 201
    return path


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    rows = list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert not [row for row in rows if None in row or None in row.values()], "every row is as long as the header"
    return rows


def table(api: Api, path: str, name: str, **query: Any) -> list[dict[str, str]]:
    return rows_of(api.get(f"{path}/tables/{name}.csv", params=query))


def sheets(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return load_workbook(BytesIO(answer.content))


def test_the_allocation_is_that_of_the_api(api: Api, path: str) -> None:
    query = {"budget": "120", "policy": "equal", "seed": 5}
    plan = api.get(f"{path}/allocations/next", params=query).json()
    rows = table(api, path, "allocation", **query)
    assert [row["group"] for row in rows] == [one["group"] for one in plan["groups"]]
    for row, one in zip(rows, plan["groups"], strict=True):
        assert (int(row["count"]), int(row["add"]), float(row["cost"])) == (
            one["count"],
            one["add"],
            float(one["cost"]),
        )
        assert float(row["metric_after_p05"]) == one["metric_after"]["p05"]
        assert float(row["marginal_utility_per_cost_now"]) == one["marginal_utility_per_cost"]["now"]
        assert row["reason"] == one["reason"]
        assert (row["data_version"], row["seed"], row["software_version"]) == (
            str(plan["data_version"]),
            "5",
            SOFTWARE_VERSION,
        )
    orders = {row["source"]: (int(row["order"]), float(row["cost"])) for row in table(api, path, "sources", **query)}
    assert orders == {one["source"]: (one["order"], float(one["cost"])) for one in plan["sources"]}


def test_the_curves_are_those_of_the_api(api: Api, path: str) -> None:
    counts = {row["group"]: float(row["count"]) for row in table(api, path, "allocation")}
    for row in table(api, path, "groups"):
        assert float(row["count"]) == counts[row["group"]]
        curve = api.get(f"{path}/curves/{row['group']}", params={"at": row["raw_count"]}).json()
        [band] = curve["bands"]
        for part in ("mean", "p05", "p95"):
            assert float(row[f"metric_now_{part}"]) == pytest.approx(band[part], rel=1e-12)
            assert float(row[f"exponent_{part}"]) == pytest.approx(curve["parameters"]["exponent"][part], rel=1e-12)
            assert float(row[f"floor_{part}"]) == pytest.approx(curve["parameters"]["asymptote"][part], rel=1e-12)
        if "samples_to_target" in curve["parameters"]:
            said = curve["parameters"]["samples_to_target"]["p50"]
            assert row["samples_to_target_p50"] == ("" if said is None else str(said))
        newest = max(curve["points"], key=lambda one: one["count"])
        assert (float(row["measured"]), int(row["measured_at_count"])) == (newest["value"], newest["count"])
        assert int(row["points"]) == curve["diagnostics"]["points"] == 3


def test_money_and_rounds_are_those_of_the_api(api: Api, bought: str) -> None:
    rounds = api.get(f"{bought}/rounds").json()["items"]
    rows = table(api, bought, "rounds")
    assert [(row["round"], row["state"], float(row["cost"])) for row in rows] == [
        (str(one["number"]), one["state"], float(one["cost"])) for one in rounds
    ]
    first = api.get(f"{bought}/rounds/1").json()
    orders = table(api, bought, "orders")
    placed = [row for row in orders if row["round"] == "1"]
    assert [(row["source"], row["accepted"], row["rejected"], float(row["spent"])) for row in placed] == [
        (one["source"], str(one["accepted"]), str(one["rejected"]), float(one["spent"])) for one in first["orders"]
    ]
    proposed = api.get(f"{bought}/rounds/2").json()["lines"]
    assert [(row["source"], int(row["quantity"]), row["state"]) for row in orders if row["round"] == "2"] == [
        (one["source"], one["quantity"], "proposed") for one in proposed
    ]
    groups = {row["group"]: row for row in table(api, bought, "round-groups") if row["round"] == "1"}
    for one in first["groups"]:
        row = groups[one["group"]]
        assert (row["planned"], row["accepted"]) == (str(one["planned"]), str(one["accepted"]))
        assert float(row["metric_forecast"]) == one["metric_forecast"]["mean"]
        assert float(row["measured"]) == one["measured"]["value"]


def test_the_ledger_adds_up_to_what_was_spent(api: Api, bought: str) -> None:
    entries = table(api, bought, "ledger")
    [spending] = table(api, bought, "spending")
    first = api.get(f"{bought}/rounds/1").json()
    assert sum(float(row["spent"]) for row in entries) == float(spending["spent"]) == float(first["spent"]) > 0
    assert sum(float(row["committed"]) for row in entries) == float(spending["committed"])
    assert float(spending["left"]) == 1000 - float(spending["spent"]) - float(spending["committed"])
    assert {row["round"] for row in entries} == {"1"}
    assert [row["note"] for row in entries if row["state"] == "accepted"] == ["'+1"]


def test_runs_and_forecasts_are_all_there_voided_ones_marked(api: Api, bought: str) -> None:
    [first, *_] = api.get(f"{bought}/observations").json()["items"]
    assert api.delete(f"{bought}/observations/{first['id']}", params={"reason": "=1+1"}).status_code in (200, 204)
    rows = table(api, bought, "observations")
    assert len(rows) == 8
    voided = [row for row in rows if row["voided_at"]]
    assert {(row["observation"], row["void_reason"]) for row in voided} == {(first["id"], "'=1+1")}
    forecasts = api.forecasts(bought).json()["items"]
    assert forecasts
    assert [(row["group"], float(row["crps"])) for row in table(api, bought, "forecasts")] == [
        (one["group"], one["crps"]) for one in forecasts
    ]


def test_scenarios_budgets_and_runs_answer_the_same_question(api: Api, path: str) -> None:
    plan = api.get(f"{path}/allocations/next", params={"budget": "120"}).json()
    scenarios = table(api, path, "scenarios", budget="120")
    assert [row["scenario"] for row in scenarios] == [
        "this plan", "half the money", "half as much again", "twice the money", "equal counts", "equal money",
        "by weight",
    ]  # fmt: skip
    assert float(scenarios[0]["spend"]) == float(plan["budget"]["spend"])
    assert float(scenarios[0]["utility_mean"]) == plan["utility"]["after"]["mean"]
    assert float(scenarios[4]["utility_mean"]) == plan["utility"]["equal"]["mean"]
    assert [float(row["budget"]) for row in scenarios[1:4]] == [60, 180, 240]
    added = {row["group"]: int(row["add"]) for row in table(api, path, "scenario-groups", budget="120")[:2]}
    assert added == {one["group"]: one["add"] for one in plan["groups"]}
    [chosen] = [row for row in table(api, path, "budgets", budget="120") if row["chosen"] == "1"]
    assert float(chosen["budget"]) == 120
    assert float(chosen["utility_mean"]) == plan["utility"]["after"]["mean"]
    runs = api.get(f"{path}/measurement-plan", params={"runs": 2}).json()["runs"]
    assert [
        (row["run"], row["group"], int(row["samples"])) for row in table(api, path, "measurement-plan", runs=2)
    ] == [(str(number), key, count) for number, one in enumerate(runs, 1) for key, count in one["counts"].items()]


def test_the_workbook_holds_every_table_of_one_data_version(api: Api, bought: str) -> None:
    answer = api.get(f"{bought}/tables.xlsx", params={"seed": 3, "budget": "70"})
    book = sheets(answer)
    assert book.sheetnames == ["About", *TABLES]
    facts = {row[0].value: row[1].value for row in book["About"].iter_rows() if row[0].value}
    assert (facts["seed"], facts["software"]) == (3, f"Tranche {SOFTWARE_VERSION}")
    assert facts["data version"] == api.get(bought).json()["data_version"]
    assert facts["project"] == FORMULA
    for name in TABLES:
        if name in ("simulations", "hindsight"):
            continue
        rows = table(api, bought, name, seed=3, budget="70")
        header, found = sheet_of(book, name)
        assert header == list(rows[0])[:-3] if rows else header
        assert len(found) == len(rows), name
    plan = api.get(f"{bought}/allocations/next", params={"seed": 3, "budget": "70"}).json()
    header, rows = sheet_of(book, "allocation")
    assert [row[header.index("add")] for row in rows] == [one["add"] for one in plan["groups"]]


def test_no_cell_is_run_wherever_a_name_stands(api: Api, bought: str) -> None:
    book = sheets(api.get(f"{bought}/tables.xlsx"))
    texts = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in texts} <= {"s", "n", "d"}
    assert [cell for cell in texts if cell.hyperlink] == []
    named = {unescape(cell.value) for cell in texts if cell.data_type == "s"}
    assert {SCRIPT, FORMULA} <= named
    for name in TABLES.keys() - {"hindsight"}:
        for row in table(api, bought, name):
            assert not [value for value in row.values() if value.startswith(("=", "@", "+", "\t"))]
    assert {row["name"] for row in table(api, bought, "allocation")} == {SCRIPT, f"'{FORMULA}"}


def test_a_single_table_as_xlsx_has_the_same_rows(api: Api, path: str) -> None:
    book = sheets(api.get(f"{path}/tables/allocation.xlsx", params={"budget": "120"}))
    assert book.sheetnames == ["About", "allocation"]
    header, rows = sheet_of(book, "allocation")
    for row, one in zip(rows, table(api, path, "allocation", budget="120"), strict=True):
        found = dict(zip(header, row, strict=True))
        assert (found["add"], found["metric_now_mean"]) == (int(one["add"]), float(one["metric_now_mean"]))


def test_a_project_of_which_nothing_is_known_has_its_tables_too(api: Api) -> None:
    log_loss = {"name": "log loss", "kind": "other", "goal": "minimize", "lower": 0.0, "upper": None}
    path = api.project(metric=log_loss, model="separate")
    for row in table(api, path, "allocation"):
        assert row["metric_now_mean"] == row["marginal_utility_per_cost_now"] == ""
    assert [row["exponent_mean"] for row in table(api, path, "groups")] == ["", ""]
    refused = api.get(f"{path}/tables/measurement-plan.csv")
    assert (refused.status_code, "Nothing is known" in refused.text) == (409, True)
    book = sheets(api.get(f"{path}/tables.xlsx"))
    assert "Nothing is known of the metric yet" in book["measurement-plan"]["A1"].value
    assert len(sheet_of(book, "allocation")[1]) == 2
    api.patch(path, json={"model": "joint"})
    usual = table(api, path, "measurement-plan")
    assert {(row["variance_before"], row["variance_after"]) for row in usual} == {("", "")}
    assert len(usual) == 5 * 2


def test_an_empty_table_still_names_its_columns(api: Api, path: str) -> None:
    answer = api.get(f"{path}/tables/ledger.csv")
    assert answer.content.decode("utf-8-sig").startswith('"entry","round","order"')
    assert rows_of(answer) == []


@pytest.mark.parametrize(("place", "status", "said"), [
    ("tables/nonsense.csv", 404, "There are: summary, allocation"),
    ("tables/allocation.pdf", 422, "csv"),
    ("tables/allocation.csv?budget=99999", 422, "is more than the"),
    ("tables/allocation.csv?policy=nonsense", 422, "policy"),
    ("tables/measurement-plan.csv?runs=0", 422, "runs"),
    ("tables.xlsx?budget=much", 422, "give an amount"),
])  # fmt: skip
def test_what_cannot_be_asked_is_told(api: Api, path: str, place: str, status: int, said: str) -> None:
    answer = api.get(f"{path}/{place}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert said in answer.text


def test_reading_is_enough_and_other_scopes_are_not(api: Api, database: Database, path: str) -> None:
    for scope, status in (("read", 200), ("observe", 403)):
        other = api.as_key(new_key(database, scope))
        for place in ("tables/groups.csv", "tables/groups.xlsx", "tables.xlsx"):
            assert other.get(f"{path}/{place}").status_code == status, (scope, place)


@pytest.mark.parametrize(("name", "header"), [
    ("census", 'attachment; filename="census-x-v1.csv"'),
    (FORMULA, 'attachment; filename="HYPERLINK-x-x-v1.csv"'),
    (SCRIPT, 'attachment; filename="script-alert-1-script-x-v1.csv"'),
    ("../../etc/passwd", 'attachment; filename="etc-passwd-x-v1.csv"'),
    ('a"; filename="evil.exe', 'attachment; filename="a-filename-evil-exe-x-v1.csv"'),
    ("a\r\nSet-Cookie: b", 'attachment; filename="a-Set-Cookie-b-x-v1.csv"'),
    (f"gpj{RIGHT_TO_LEFT}exe", 'attachment; filename="gpj-exe-x-v1.csv"'),
    ("…", 'attachment; filename="project-x-v1.csv"'),
    ("São Paulo", "attachment; filename=\"Sao-Paulo-x-v1.csv\"; filename*=UTF-8''S%C3%A3o-Paulo-x-v1.csv"),
    ("数据", "attachment; filename=\"project-x-v1.csv\"; filename*=UTF-8''%E6%95%B0%E6%8D%AE-x-v1.csv"),
    ("x" * 200, f'attachment; filename="{"x" * 60}-x-v1.csv"'),
])  # fmt: skip
def test_a_file_is_named_after_its_project_and_its_name_means_nothing_else(name: str, header: str) -> None:
    assert disposition("attachment", name, "x-v1", "csv") == header


def test_files_are_sent_to_be_saved_and_kept_by_no_cache(api: Api, path: str) -> None:
    version = api.get(path).json()["data_version"]
    answer = api.get(f"{path}/tables/groups.csv", headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == f'attachment; filename="HYPERLINK-x-groups-v{version}.csv"'
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert int(answer.headers["content-length"]) == len(answer.content)
    book = api.get(f"{path}/tables.xlsx")
    assert book.headers["content-disposition"] == f'attachment; filename="HYPERLINK-x-tables-v{version}.xlsx"'


def test_a_file_too_large_for_memory_is_the_same(api: Api, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = api.get(f"{path}/tables/scenario-groups.csv").content
    monkeypatch.setattr(downloads, "IN_MEMORY", 10)
    monkeypatch.setattr(downloads, "CHUNK", 7)
    assert api.get(f"{path}/tables/scenario-groups.csv").content == whole


def test_an_error_while_rows_are_written_is_the_answer(api: Api, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> None:
        raise Conflict("too late")

    monkeypatch.setattr("app.store.reading.Listing.part", late)
    refused = api.get(f"{path}/tables/ledger.csv")
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")


def test_a_long_list_is_read_in_parts_and_whole(api: Api, bought: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("ledger", "observations", "forecasts", "rounds", "orders")
    whole = {name: table(api, bought, name) for name in names}
    monkeypatch.setattr(paging, "PAGE", 1)
    assert {name: table(api, bought, name) for name in names} == whole
    assert len(whole["ledger"]) > 2
