"""Rounds on pages: proposed, accepted as looked at, delivered, closed, by those who may."""

import re
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.api.exports.test_tables import table
from tests.api.planning.test_source_values import two_vendors
from tests.api_client import RUNS, Api
from tests.conftest import new_key, one_database
from tests.web.browser_client import Pages, text_of


@pytest.fixture
def round_path(api: Api) -> str:
    """A proposed round of a project whose group has a hostile name; pages leave the /v1 out."""
    made = api.project(groups=[
        {"key": "A", "name": "<script>alert(1)</script>", "initial_count": 200, "unit_cost": "1"},
        {"key": "B", "initial_count": 100, "unit_cost": "2.00"},
    ])  # fmt: skip
    assert api.post(f"{made}/observations", json={"observations": RUNS}).status_code == 201
    version = api.get(made).json()["data_version"]
    assert api.post(f"{made}/rounds", json={"external_id": "r", "data_version": version}).status_code == 201
    return f"{made}/rounds/1"


def page_of(path: str) -> str:
    return path.removeprefix("/v1")


def tag_in(answer: httpx.Response) -> str:
    found = re.search(r'name="tag" value="([^"]+)"', answer.text.replace("&#34;", "&quot;"))
    assert found, text_of(answer)
    return found.group(1).replace("&quot;", '"')


def act(pages: Pages, path: str, verb: str, **fields: Any) -> httpx.Response:
    """Send the form as it stands on the page, and what asks once more."""
    sent = {"tag": tag_in(pages.get(page_of(path))), "note": "the audit is in March", **fields}
    return pages.post(f"{page_of(path)}/{verb}", {**sent, "confirmed": "yes"})


def test_a_round_is_accepted_delivered_and_closed(api: Api, pages: Pages, round_path: str) -> None:
    listed = pages.get(page_of(round_path).rsplit("/", 1)[0])
    assert "Round 1" in text_of(listed)
    shown = pages.get(page_of(round_path))
    assert "<script>alert" not in shown.text
    assert act(pages, round_path, "accept").status_code == 303
    state = api.get(round_path).json()
    assert state["state"] == "accepted"
    order = next(one for one in state["orders"] if one["source"] == "A")
    sent = {"external_id": "box 1", "accepted:A": "40", "rejected:A": "10"}
    path = f"{page_of(round_path)}/orders/{order['id']}/deliveries"
    for _ in range(2):
        assert pages.post(path, sent).status_code == 303
    now = api.get(round_path).json()
    group = next(one for one in now["groups"] if one["group"] == "A")
    assert (group["accepted"], group["rejected"]) == (40, 10)
    shown = text_of(pages.get(page_of(round_path)))
    assert f"40 of {sum(one['planned'] for one in now['groups']):,} planned samples accepted" in shown
    assert act(pages, round_path, "close").status_code == 303
    assert api.get(round_path).json()["state"] == "closed"


def test_what_is_signed_stands_above_the_button_with_the_values_that_were_kept(
    api: Api, pages: Pages, round_path: str
) -> None:
    kept = api.get(f"{round_path}/allocation").json()
    later = {
        "external_id": "later",
        "counts": {"A": 200, "B": 100},
        "metrics": {"A": {"value": 0.3}, "B": {"value": 0.3}},
    }
    assert (
        api.post(f"{round_path.rpartition('/rounds')[0]}/observations", json={"observations": [later]}).status_code
        == 201
    )
    shown = text_of(pages.get(page_of(round_path)))
    assert kept["verdict"]["sentence"] in shown
    for one in kept["sources"]:
        if one["order"]:
            assert f"{one['source']} {one['order']:,} {one['accepted']:,}" in shown.replace(
                "<script>alert(1)</script>", "A"
            )
    assert shown.index(kept["verdict"]["sentence"]) < shown.index("Approve 5")
    spec = api.get(f"{round_path.rpartition('/rounds')[0]}/charts/standing.json", params={"round": 1}).json()
    drawn = {row["name"]: row["now"] for row in spec["data"]["values"]}
    assert drawn["B"] == kept["groups"][1]["metric_now"]["mean"]
    assert act(pages, round_path, "accept").status_code == 303
    assert kept["verdict"]["sentence"] not in text_of(pages.get(page_of(round_path)))


def test_a_round_that_changed_is_shown_again_and_not_accepted(api: Api, pages: Pages, round_path: str) -> None:
    tag = tag_in(pages.get(page_of(round_path)))
    etag = api.get(round_path).headers["ETag"]
    assert api.patch(round_path, json={"orders": {"A": 7}}, headers={"If-Match": etag}).status_code == 200
    answer = pages.post(f"{page_of(round_path)}/accept", {"tag": tag})
    assert answer.status_code == 412
    assert "changed since you looked" in text_of(answer)
    assert api.get(round_path).json()["state"] == "proposed"
    assert act(pages, round_path, "accept").status_code == 303
    assert [one["quantity"] for one in api.get(round_path).json()["orders"]] == [7]


def test_who_may_not_buy_sees_no_button_and_is_refused(api: Api, database: Any, round_path: str) -> None:
    writes, buys = ["orders", "reference", "cancel"], ["accept", "decline"]
    for scopes, forms in (("read", []), ("read,write", writes), ("buy,read", buys)):
        visitor = Pages(api)
        visitor.sign_in(new_key(database, scopes))
        page = visitor.get(page_of(round_path))
        actions = re.findall(r'action="[^"]*/rounds/1/(\w+)"', page.text)
        assert actions == forms, scopes
        if scopes != "buy,read":
            assert visitor.post(f"{page_of(round_path)}/accept", {"tag": "x"}).status_code == 403
            assert visitor.post(f"{page_of(round_path)}/close", {"tag": "x"}).status_code == 403
        if scopes == "read":
            tag = api.get(round_path).headers["ETag"]
            assert visitor.post(f"{page_of(round_path)}/cancel", {"tag": tag}).status_code == 403
    assert api.get(round_path).json()["state"] == "proposed"


def test_cancelling_says_why_and_nothing_else_can_follow(api: Api, pages: Pages, round_path: str) -> None:
    assert act(pages, round_path, "cancel", reason="too dear").status_code == 303
    assert (api.get(round_path).json()["state"], api.get(round_path).json()["reason"]) == ("cancelled", "too dear")
    assert re.search(r"Cancelled by .*: too dear", text_of(pages.get(page_of(round_path))))
    etag = api.get(round_path).headers["ETag"]
    refused = pages.post(f"{page_of(round_path)}/accept", {"tag": etag})
    assert refused.status_code == 409


@pytest.mark.parametrize(
    "fields",
    [
        {"accepted:A": "4"},
        {"external_id": "x", "accepted:A": "0"},
        {"external_id": "x", "accepted:A": "-1"},
        {"external_id": "x", "accepted:A": "1e9"},
        {"external_id": "x", "accepted:nobody": "1"},
    ],
)
def test_a_delivery_that_makes_no_sense_changes_nothing(
    api: Api, pages: Pages, round_path: str, fields: dict[str, str]
) -> None:
    act(pages, round_path, "accept")
    before = api.get(round_path).json()
    order = before["orders"][0]["id"]
    answer = pages.post(f"{page_of(round_path)}/orders/{order}/deliveries", fields)
    assert answer.status_code == 422, text_of(answer)
    assert api.get(round_path).json() == before
    stranger = pages.post(f"{page_of(round_path)}/orders/{api.get(round_path).json()['number']}/deliveries", fields)
    assert stranger.status_code in (404, 422)


def test_the_timeline_says_what_each_round_cost_and_left(api: Api, pages: Pages, round_path: str) -> None:
    """The second round starts from what the first one used."""
    assert act(pages, round_path, "accept").status_code == 303
    state = api.get(round_path).json()
    order = next(one for one in state["orders"] if one["source"] == "A")
    path = f"{page_of(round_path)}/orders/{order['id']}/deliveries"
    assert pages.post(path, {"external_id": "box", "accepted:A": "40", "rejected:A": "10"}).status_code == 303
    first = api.get(round_path).json()
    project = round_path.removesuffix("/rounds/1")
    version = api.get(project).json()["data_version"]
    assert api.post(f"{project}/rounds", json={"external_id": "s", "data_version": version}).status_code == 201
    assert act(pages, f"{project}/rounds/2", "accept").status_code == 303
    second = api.get(f"{project}/rounds/2").json()
    used = [Decimal(one["spent"]) + Decimal(one["committed"]) for one in (first, second)]
    text = text_of(pages.get(f"{page_of(project)}/rounds"))
    assert Decimal(first["spent"]) > 0 < Decimal(second["committed"])
    stage, other = text.split("Round 2", 1)
    assert f"{Decimal(first['spent']):,.2f}" in stage
    assert f"left of the budget {1000 - used[0]:,.2f}" in stage
    assert "40 samples accepted, 10 rejected." in stage
    assert f"{Decimal(second['committed']):,.2f}" in other
    assert f"left of the budget {1000 - sum(used):,.2f}" in other
    bars = re.findall(
        r'<rect class="(\w+)" x="([.\d]+)" width="([.\d]+)"', pages.get(f"{page_of(project)}/rounds").text
    )
    assert [name for name, _, _ in bars] == ["before", "spent", "committed"] * 2
    assert float(bars[3][2]) == pytest.approx(float(used[0]) / 1000, abs=1e-4)
    assert "style=" not in pages.get(f"{page_of(project)}/rounds").text


def test_a_recorded_purchase_is_shown_as_any_closed_round(api: Api, pages: Pages) -> None:
    made = api.project()
    api.post(f"{made}/observations", json={"observations": RUNS})
    said = {"external_id": "box <7>", "orders": {"A": 12}, "note": "invoice <b>4711</b>"}
    assert api.post(f"{made}/purchases", json=said).status_code == 201
    shown = pages.get(f"{page_of(made)}/rounds/1")
    words = text_of(shown)
    assert "12 of 12 planned samples accepted" in words
    assert "<b>4711" not in shown.text
    assert "box &lt;7&gt;" in shown.text
    assert "invoice &lt;b&gt;4711&lt;/b&gt;" in shown.text
    assert "Close the round" not in words
    assert "Round 1" in text_of(pages.get(f"{page_of(made)}/rounds"))


@one_database
def test_what_sources_have_been_worth_is_what_the_api_and_the_table_say(api: Api, pages: Pages) -> None:
    path = two_vendors(api)
    items = api.get(f"{path}/sources/value").json()["items"]
    rows = table(api, path, "source-values")
    assert [row["source"] for row in rows] == [one["source"] for one in items]
    assert [Decimal(row["spent"]) for row in rows] == [Decimal(one["spent"]) for one in items]
    assert [float(row["value_mean"]) for row in rows] == pytest.approx([one["value"]["mean"] for one in items])
    said = text_of(pages.get(path.removeprefix("/v1") + "/rounds"))
    assert "What each source has been worth" in said
    assert "50.0" in said


def test_a_manifest_is_told_rule_by_rule(api: Api, pages: Pages, round_path: str) -> None:
    act(pages, round_path, "accept")
    project = round_path.removesuffix("/rounds/1")
    rules = [
        {"kind": "range", "column": "age", "max": 120},
        {"kind": "required", "columns": ["<b>"], "severity": "note"},
    ]
    api.patch(project, json={"intake_rules": rules})
    order = next(one["id"] for one in api.get(round_path).json()["orders"] if one["source"] == "A")
    body = "item,group,age,<b>\none,A,33,x\ntwo,A,190,\n"
    sent = api.post(f"{project}/orders/{order}/manifests", content=body, headers={"Content-Type": "text/csv"})
    assert sent.status_code == 201, sent.text
    shown = pages.get(page_of(round_path))
    assert "<b> :" not in shown.text
    text = text_of(shown)
    assert re.search("What came from <bdi>.+</bdi>, rule by rule", shown.text)
    assert "2 rows, 1 accepted, 1 rejected." in text
    assert "rows rejected range age: 1 of 2 rows break it (rows 2)" in text
    assert "noted required <b>: 1 of 2 rows break it (rows 2)" in text
    assert "holds unique item: 0 of 2 rows repeat an earlier row" in text
