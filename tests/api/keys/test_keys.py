"""Keys of groups and sources are any printable text, wherever a key stands."""

import csv
import io
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from app.api.keys.keys import read_key
from app.api.keys.paths import part_of
from tests.api.http.test_bad_input import problem
from tests.api_client import ACCURACY, Api

ODD = [
    "White/Male", "<25", "65+", "Zürich", "('female', '<25')", "a:5", "a,b", "%2F", "%252F", "%", "it's \"so\"",
    "👨‍👩‍👧", "שלום", ".", "..", "a/../b", "/", "//", "?x=1#y", "&amp;", "=1+1", "-g", "+g", "@g", "'=1", "a;b",
    "\\", "~0/~1", "{key}",
    "<script>alert(1)</script>", "</script>", "${7*7}", "{{7*7}}", "null", "items", "by_group", "each", "all", "[key]",
    "a  b", "３", "Ⅳ", "𝒳", "a\u0301b\u0323", "next", "0", "198.0", "NaN", "x" * 100, "🙂" * 100,
    "%F0", "a+b", "*", "restore",
]  # fmt: skip
NOT_SEEN = ["", " ", "\u3000", "\u200b"]
BAD = [*NOT_SEEN, "a\nb", "a\x00b", "a\tb", "\x7f", "\x85x", "a\u2028b", "\u202egnp", "x" * 101, "x\uffff"]
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn"]), min_size=1, max_size=30)


def is_key(text: str) -> bool:
    try:
        read_key(text)
    except ValueError:
        return False
    return True


@given(st.text(st.characters(max_codepoint=0x17F), max_size=110))
@example(" a ")
@example("x" * 100 + " ")
@example("\x1cx")
def test_a_plain_key_is_read_as_sign_by_sign(text: str) -> None:
    key = nfc(text.strip()).strip()
    kinds = {unicodedata.category(sign) for sign in text}
    good = not kinds & {"Cc"} and not kinds <= {"Cf", "Zs", "Cn"} and len(key) <= 100
    assert is_key(text) == good
    assert not good or read_key(text) == key


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip()).strip()


def made(api: Api, keys: list[str]) -> str:
    groups = [{"key": key, "initial_count": 300, "unit_cost": "1", "weight": 1} for key in keys]
    body = {"name": "x", "model": "separate", "metric": "accuracy", "budget": 200, "groups": groups}
    answer = api.post("/v1/projects", json=body)
    assert answer.status_code == 201, answer.text
    return f"/v1/projects/{answer.json()['id']}"


def post_runs(api: Api, path: str, keys: list[str]) -> None:
    for count, value in ((100, 0.6), (300, 0.7)):
        run = {"counts": dict.fromkeys(keys, count), "metrics": dict.fromkeys(keys, value), "eval_size": 400}
        assert api.post(f"{path}/observations", json={"observations": [run]}).status_code == 201


def go_everywhere(api: Api, written: list[str], companions: list[str]) -> None:
    """The keys `written`, however they are written, through every place where a key stands, together; their
    `companions` through every place that names all groups."""
    keys = [nfc(key) for key in written]
    everyone = [*keys, *map(nfc, companions)]
    path = made(api, [*written, *companions])
    post_runs(api, path, [f" {unicodedata.normalize('NFD', key)} " for key in keys] + companions)
    text = io.StringIO()
    cells = [["c", guarded(key), 50, 0.5] for key in everyone]
    csv.writer(text).writerows([["external_id", "group", "n", "value"], *cells])
    by_csv = api.post(f"{path}/observations", content=text.getvalue(), headers={"Content-Type": "text/csv"})
    assert by_csv.status_code == 201, by_csv.text

    for first, key in zip(written, keys, strict=True):
        renamed(api, path, first, key)
    copy = {"key": "copy", "yields": dict.fromkeys(everyone, 0.9 / len(everyone)), "unit_cost": 9}
    assert api.post(f"{path}/sources", json=copy).json()["yields"].keys() == set(everyone)
    limits = [{"name": "l", "groups": keys, "measure": "count", "min": 0}]
    vectors = [{key: number for number, key in enumerate(everyone, 1)}]
    change = {"set_limits": limits, "objective": {"kind": "robust", "weight_vectors": vectors}}
    stored = api.patch(path, json=change).json()
    assert set(stored["set_limits"][0]["groups"]) == set(keys)
    assert stored["objective"]["weight_vectors"] == vectors
    assert api.patch(path, json={"objective": {"kind": "utilitarian"}, "set_limits": []}).status_code == 200

    for first, key in zip(written, keys, strict=True):
        curve = api.get(f"{path}/curves/{part_of(key)}", params={"draws": 50})
        assert curve.json()["group"] == key
        assert api.get(f"{path}/forecasts", params={"group": first}).status_code == 200, key
    held = {key: number for number, key in enumerate(everyone, 3)}
    hold = [f"{key}:{number}" for key, number in held.items()]
    plan = api.get(
        f"{path}/allocations/next", params={"budget": str(sum(held.values())), "draws": 50, "hold": hold}
    ).json()
    assert {one["group"] for one in plan["groups"]} == set(everyone)
    assert {one["source"]: one["order"] for one in plan["sources"] if one["order"]} == held
    targets = {"targets": dict.fromkeys(everyone, 0.71), "draws": 50}
    assert api.post(f"{path}/requirements", json=targets).status_code == 200
    # Reports with a source that feeds every group take three times as long.
    assert api.delete(f"{path}/sources/copy").status_code == 204
    read_back(api, path, keys, everyone)
    ordered(api, path, keys)


def renamed(api: Api, path: str, first: str, key: str) -> None:
    """The group, its source and a child of it, each at the address that its key makes."""
    for room in ("groups", "sources"):
        place = f"{path}/{room}/{part_of(first)}"
        assert api.patch(place, json={"name": "renamed"}).json()["key"] == key
        assert api.patch(place, json={"name": None}).json()["name"] is None
        assert api.get(place).json()["key"] == key
    child = nfc(f"{key[:98]} 2")
    answer = api.post(f"{path}/groups", json={"key": child, "parent": key, "weight": 0})
    assert answer.status_code == 201, answer.text
    found = api.get(answer.headers["Location"]).json()
    assert (found["key"], found["parent"]) == (child, key)
    assert api.delete(answer.headers["Location"]).status_code == 204


def read_back(api: Api, path: str, keys: list[str], everyone: list[str]) -> None:
    table = api.get(f"{path}/tables/groups.csv").content.decode("utf-8-sig")
    listed = {unguarded(row["group"]) for row in csv.DictReader(io.StringIO(table, newline=""))}
    assert listed == set(everyone)
    book = load_workbook(io.BytesIO(api.get(f"{path}/tables/groups.xlsx").content))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert set(everyone) <= {cell.value for cell in cells}
    assert not any(cell.data_type == "f" for cell in cells)
    report = api.get(f"{path}/report", params={"draws": 50, "policy": "equal"})
    assert report.status_code == 200
    assert "<script" not in report.text
    for key in keys:
        drawn = api.get(f"{path}/charts/curves.json", params={"group": [key], "draws": 50})
        assert drawn.status_code == 200, drawn.text
        assert json.dumps(key, ensure_ascii=False)[1:-1] in drawn.text or json.dumps(key)[1:-1] in drawn.text


def guarded(key: str) -> str:
    """The key as a table's cell."""
    return f"'{key}" if key.lstrip("'").startswith(tuple("=+-@＝＋－＠")) else key


def unguarded(cell: str) -> str:
    """What a table's cell says, without the apostrophe that keeps it from being run."""
    was = cell.startswith("'") and cell.lstrip("'").startswith(tuple("=+-@＝＋－＠"))
    return cell[1:] if was else cell


def ordered(api: Api, path: str, keys: list[str]) -> None:
    held = {key: number for number, key in enumerate(keys, 5)}
    asked = {"budget": str(sum(held.values())), "draws": 50, "hold": held}
    version = api.get(path).json()["data_version"]
    bought = api.post(f"{path}/rounds", json={"external_id": "1", "data_version": version, "query": asked})
    assert bought.status_code == 201, bought.text
    place = bought.headers["Location"]
    assert {line["source"]: line["quantity"] for line in bought.json()["lines"]} == held
    accepted = api.post(f"{place}/accept", headers={"If-Match": bought.headers["ETag"]}, json={"note": "wanted"})
    assert accepted.status_code == 200, accepted.text
    orders = {one["source"]: one["id"] for one in accepted.json()["orders"]}
    for number, key in enumerate(keys, 3):
        arrived = {"external_id": f"d{number}", "groups": {key: {"accepted": number}}}
        assert api.post(f"{place}/orders/{orders[key]}/deliveries", json=arrived).status_code == 201, key
        assert api.get(f"{path}/groups/{part_of(key)}").json()["collected_count"] == number, key


# Many go together: what costs time is planning and reporting, and a project of thirteen keys costs that but once.
@pytest.mark.parametrize("keys", [ODD[start::4] for start in range(4)])
def test_odd_keys_go_everywhere(api: Api, keys: list[str]) -> None:
    go_everywhere(api, keys, [f"{keys[0][:97]} /%"])


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PRINTABLE.filter(is_key), min_size=6, max_size=9, unique_by=nfc))
@example(["Ａ", "A", "a", "é", "é."])
def test_any_printable_keys_go_everywhere(api: Api, keys: list[str]) -> None:
    go_everywhere(api, keys[:-1], keys[-1:])


@pytest.mark.parametrize("key", BAD)
def test_what_is_no_key_is_refused_in_one_sentence(api: Api, key: str) -> None:
    body: dict[str, Any] = {"name": "x", "metric": ACCURACY, "budget": 1, "groups": [{"key": key}]}
    [fault] = problem(api.post("/v1/projects", json=body), 422)["errors"]
    assert fault["pointer"] == "/groups/0/key"
    assert fault["detail"].startswith("a key ")
    assert api.get("/v1/projects").json()["items"] == []
    path = api.project()
    run = {"counts": {"A": 1, "B": 1, key: 1}, "metrics": {"A": 0.5}}
    [fault] = problem(api.post(f"{path}/observations", json={"observations": [run]}), 422)["errors"]
    assert fault["detail"].startswith("a key ")
    assert fault["pointer"] == f"/observations/0/counts/{key}"


def test_half_a_surrogate_pair_is_no_key(api: Api) -> None:
    body = b'{"name":"x","metric":"f1","budget":1,"groups":[{"key":"a\\ud800"}]}'
    found = problem(api.post("/v1/projects", content=body, headers={"Content-Type": "application/json"}), 422)
    assert found["errors"][0]["pointer"] == "/groups/0/key"


@pytest.mark.parametrize("again", ["é", " é", "e\u0301", "\u00e9\u3000"])
def test_keys_are_compared_in_their_normal_form(api: Api, again: str) -> None:
    body = {"name": "x", "metric": "f1", "budget": 1, "groups": [{"key": "é"}, {"key": again}]}
    found = problem(api.post("/v1/projects", json=body), 422)
    assert found["errors"] == [{"pointer": "/groups/1/key", "detail": found["errors"][0]["detail"]}]
    path = made(api, ["é", "É"])
    problem(api.post(f"{path}/groups", json={"key": again}), 409)
    run = {"counts": {"é": 1, "É": 1, f"{again} ": 2}, "metrics": {"é": 0.5}}
    [fault] = problem(api.post(f"{path}/observations", json={"observations": [run]}), 422)["errors"]
    assert (fault["pointer"], "is named twice" in fault["detail"]) == ("/observations/0/counts", True)


def test_a_slash_that_is_not_encoded_is_another_path(api: Api) -> None:
    path = made(api, ["a/b", "a"])
    problem(api.get(f"{path}/groups/a/b"), 404)
    assert api.get(f"{path}/groups/a%2fb").json()["key"] == "a/b"
    problem(api.get(f"{path}/groups/a%252Fb"), 404)


def test_answers_to_idempotency_keys_are_kept_by_the_whole_key(api: Api) -> None:
    path = made(api, ["a?b", "a?c", "a"])
    for key in ("a?b", "a?c"):
        api.delete(f"{path}/groups/{part_of(key)}")
        answer = api.post(f"{path}/groups/{part_of(key)}/restore", headers={"Idempotency-Key": "1"})
        assert answer.json()["key"] == key
