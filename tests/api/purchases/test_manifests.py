"""Manifests over HTTP: held against the rules, made a delivery, explained by row, and not kept."""

import json
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from app.store.db import Database
from tests.api.http.test_bad_input import problem
from tests.api.purchases.test_rounds import accept, propose
from tests.api_client import RUNS, Api
from tests.conftest import one_database

CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def path(api: Api) -> str:
    """Of a project with an accepted round."""
    made = api.project()
    api.post(f"{made}/observations", json={"observations": RUNS})
    propose(api, made)
    assert accept(api, made).status_code == 200
    return made


def order_of(api: Api, path: str, source: str = "A") -> str:
    orders = api.get(f"{path}/rounds/1").json()["orders"]
    return f"{path}/orders/{next(one['id'] for one in orders if one['source'] == source)}"


def send(api: Api, path: str, body: str | bytes, headers: dict[str, str] = CSV, **query: Any) -> Any:
    return api.post(f"{order_of(api, path)}/manifests", content=body, headers=headers, params=query)


def rules_by_kind(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in answer["rules"]}


def test_planted_duplicates_and_violations_are_named_and_nothing_else(api: Api, path: str) -> None:
    """20,000 rows, 12 repeated items and 3 wrong cities."""
    rng = np.random.default_rng(4)
    size = 20_000
    items = [f"i{at}" for at in range(size)]
    zips = [f"{8000 + at}" for at in rng.integers(200, size=size)]
    cities = [f"city{int(code) % 60}" for code in zips]
    groups = ["AB"[at] for at in rng.integers(2, size=size)]
    repeats = sorted(rng.choice(np.arange(100, size), 12, replace=False).tolist())
    for at, row in enumerate(repeats):
        items[row] = items[at]
    wrong = sorted(rng.choice(np.setdiff1d(np.arange(size), repeats), 3, replace=False).tolist())
    for row in wrong:
        cities[row] = "nowhere"
    rules = [
        {"kind": "determines", "columns": ["zip"], "column": "city"},
        {"kind": "mix", "column": "group", "shares": {"A": 0.5, "B": 0.5}, "tv_at_most": 0.01},
    ]
    assert api.patch(path, json={"intake_rules": rules}).status_code == 200
    lines = zip(items, groups, zips, cities, strict=True)
    body = "item,group,zip,city\n" + "".join(f"{','.join(line)}\n" for line in lines)
    answer = send(api, path, body)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    broken = rules_by_kind(found)
    assert [one["row"] for one in broken["unique"]["rows"]] == [row + 1 for row in repeats]
    assert [one["row"] for one in broken["determines"]["rows"]] == [row + 1 for row in wrong]
    assert [one["item"] for one in broken["determines"]["rows"]] == [items[row] for row in wrong]
    first = wrong[0]
    common = sum(code == zips[first] for code in zips) - sum(zips[row] == zips[first] for row in wrong)
    expected = f"'{zips[first]}' is 'city{int(zips[first]) % 60}' in {common} rows and 'nowhere' in row {first + 1}"
    assert broken["determines"]["example"] == f"zip → city: {expected}"
    assert broken["new"]["holds"]
    assert broken["mix"]["holds"]
    assert (found["rows"], found["accepted"], found["rejected"]) == (size, size - 15, 15)
    kept = [at for at in range(size) if at not in {*repeats, *wrong}]
    for key in "AB":
        assert found["groups"][key]["accepted"] == sum(groups[at] == key for at in kept)
    assert found["order"]["accepted"] == size - 15
    assert found["order"]["rejected"] == 15
    assert api.get(f"{path}/ledger/check").json()["entries_add_up"]
    assert api.get(f"{path}/provenance.json").json()["adds_up"]
    record = api.get(f"{path}/sources/A").json()["record"]
    assert (record["accepted"], record["rejected"]) == (size - 15, 15)


ROWS = "item,group\na,A\nb,A\nc,B\n"


def test_the_same_manifest_counts_once_and_its_items_never_again(api: Api, path: str, database: Database) -> None:
    first = send(api, path, ROWS)
    assert first.json()["accepted"] == 3, first.text
    again = send(api, path, ROWS)
    assert again.status_code == 200
    assert (again.json()["id"], again.json()["order"]["accepted"]) == (first.json()["id"], 3)
    more = send(api, path, "item;group\nd;A\nb;A\nx;nobody\n").json()
    assert (more["accepted"], more["rejected"], more["unmapped"]) == (1, 1, 1)
    assert rules_by_kind(more)["new"]["rows"] == [{"row": 2, "item": "b"}]
    assert rules_by_kind(more)["new"]["example"] == "'b' in row 2 came in an earlier lot"
    assert (more["order"]["accepted"], more["order"]["rejected"], more["order"]["unmapped"]) == (4, 1, 1)
    listed = api.get(f"{order_of(api, path)}/manifests").json()["items"]
    assert [one["rows"] for one in listed] == [3, 3]
    assert rules_by_kind(listed[1])["new"]["rows"] == [{"row": 2, "item": None}]
    assert api.get(f"{path}/ledger/check").json()["entries_add_up"]


def test_contents_are_nowhere_in_the_database(api: Api, path: str, database: Database) -> None:
    """Not in the manifest, nor in the answer that an Idempotency-Key gives again."""
    rules = [{"kind": "values", "column": "city", "values": ["Bern"], "severity": "note"}]
    api.patch(path, json={"intake_rules": rules})
    body = '{"item": "secret-item", "group": "A", "city": "secret-city"}\n{"item": "secret-item", "group": "A"}\n'
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "k"}
    first = send(api, path, body, headers)
    broken = rules_by_kind(first.json())
    assert broken["values"]["example"] == "row 1 has 'secret-city', none of the 1 values"
    assert broken["unique"]["example"] == "'secret-item' in row 2 stands in row 1 already"
    again = send(api, path, body, headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == {
        **first.json(),
        "rules": api.get(f"{order_of(api, path)}/manifests").json()["items"][0]["rules"],
    }
    with database.reading() as session:
        for table in ("manifests", "deliveries", "ledger_entries", "idempotent_calls", "audit_entries", "events"):
            rows = session.execute(text(f"SELECT * FROM {table}")).all()  # noqa: S608  # names of our own
            assert "secret-" not in repr(rows)


def test_a_broken_rule_of_the_lot_holds_all_of_it_back(api: Api, path: str) -> None:
    rules = [{"kind": "mix", "column": "sex", "shares": {"F": 0.5, "M": 0.5}, "tv_at_most": 0.05}]
    api.patch(path, json={"intake_rules": rules})
    before = api.get(order_of(api, path)).json()
    lot = "item,group,sex\n" + "".join(f"i{at},A,{'M' if at < 90 else 'F'}\n" for at in range(100))
    held = send(api, path, lot).json()
    assert (held["accepted"], held["held"], held["delivery"]) == (0, 100, None)
    mix = rules_by_kind(held)["mix"]
    # ½(|.9 − .5| + |.1 − .5|) = .4; chance: ½ · 2 √(2 · ¼ / 100π) = .0399.
    assert (mix["holds"], mix["share"], mix["violations"]) == (False, pytest.approx(0.4), 40)
    assert mix["says"] == "the shares lie 0.4 from those given; 0.05 and 0.04 for chance are taken"
    assert api.get(order_of(api, path)).json() == before
    mended = "item,group,sex\n" + "".join(f"i{at},A,{'MF'[at % 2]}\n" for at in range(100))
    assert send(api, path, mended).json()["accepted"] == 100
    api.patch(path, json={"intake_rules": []})
    assert send(api, path, lot).json()["rejected"] == 100


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "'item', which the manifest lacks; there are: none"),
        (b"item,group,age\n", 422, "the manifest has no rows"),
        (b"name,group\na,A\n", 422, "needs the column 'item', which the manifest lacks; there are: name, group"),
        (b"item,group\na,A\n", 422, "the intake rule 'range' of age needs the column 'age'"),
        (b"item,group,age\na,A,1\nb,A\n", 400, "Line 3 has 2 cells; the header has 3."),
        (b"item,group,age\na,A,1\n\xff\xfe,A,1\n", 400, "The text is not UTF-8 in line 3"),
        (b'item,group,age\n"a,A,1\nb,A,2\n', 400, "Is a quote left open?"),
        (b"item,item,group,age\na,a,A,1\n", 400, "The header names 'item' twice"),
    ],
)  # fmt: skip
@one_database
def test_what_cannot_be_read_says_so_and_changes_nothing(
    api: Api, path: str, body: bytes, status: int, words: str
) -> None:
    api.patch(path, json={"intake_rules": [{"kind": "range", "column": "age", "min": 0}]})
    before = api.get(order_of(api, path)).json(), api.get(path).json()
    refused = problem(send(api, path, body), status)
    assert words in json.dumps(refused, ensure_ascii=False)
    assert (api.get(order_of(api, path)).json(), api.get(path).json()) == before
    assert api.get(f"{order_of(api, path)}/manifests").json()["items"] == []


@one_database
def test_json_lines_that_cannot_be_read_say_so(api: Api, path: str) -> None:
    api.patch(path, json={"intake_rules": [{"kind": "required", "columns": ["zip"]}]})
    lines = {"Content-Type": "application/x-ndjson"}
    for body, status, words in (
        ('{"item": "a", "group": "A"}\n', 422, "the intake rule 'required' of zip needs the column 'zip'"),
        ('{"item": "a"}\n[1]\n', 400, "Line 2 is no JSON object"),
        ('{"item": ["a"]}\n', 400, "Line 1: 'item' is a list or an object"),
        ('{"item": "a"}\n{"item": \n', 400, "Line 2: "),
        ('{"item": "a", "group": "\\ud800", "zip": 1}\n', 400, "half of a character"),
        ('{"item": "a", "group": "A", "\\ud800": 1}\n', 422, "there are: item, group, ?"),
    ):
        assert words in json.dumps(problem(send(api, path, body, lines), status))
    assert problem(send(api, path, "x", {"Content-Type": "application/json"}), 415)
    reads = {"Content-Type": "application/x-ndjson"}
    taken = send(api, path, '{"item": 7, "group": "A", "zip": 3011}\n{"item": 7.50, "group": "A"}\n', reads).json()
    assert (taken["accepted"], taken["rejected"]) == (1, 1)
    assert [one["rows"] for one in taken["rules"] if one["columns"] == ["zip"]] == [[{"row": 2, "item": "7.50"}]]


@one_database
def test_rules_that_cannot_be_are_refused(api: Api, path: str) -> None:
    for rule, words in (
        ({"kind": "range", "column": "age"}, "a range needs 'min', 'max' or both"),
        ({"kind": "range", "column": "age", "min": 2, "max": 1}, "'min' must not be above 'max'"),
        ({"kind": "determines", "columns": ["a"], "column": "a"}, "stands among 'columns'"),
        ({"kind": "mix", "column": "a", "shares": {"x": 0.5}, "tv_at_most": 0.1}, "the shares sum to 0.5"),
        ({"kind": "mix", "column": "a", "shares": {"x": 1.0}, "tv_at_most": 0.1, "severity": "row"}, "severity"),
        ({"kind": "uniqe", "columns": ["a"]}, "unique"),
    ):
        refused = problem(api.patch(path, json={"intake_rules": [rule]}), 422)
        assert refused["errors"][0]["pointer"].startswith("/intake_rules/0")
        assert words in json.dumps(refused["errors"], ensure_ascii=False)
    assert api.get(path).json()["intake_rules"] == []


def test_a_lot_of_another_licence_waits_unmapped(api: Api, path: str) -> None:
    answer = send(api, path, ROWS, license="MIT").json()
    assert (answer["order"]["unmapped"], answer["order"]["accepted"]) == (3, 0)
    assert [one["code"] for one in answer["warnings"]] == ["licence_differs", "unmapped"]
