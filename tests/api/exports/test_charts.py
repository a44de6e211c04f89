"""Charts over HTTP: as specifications, drawn, cached, and only for those who may read the project."""

from typing import Any

import pytest

from app.store.db import Database
from tests.api.purchases.test_rounds import accept, propose
from tests.api_client import RUNS, Api
from tests.conftest import new_key, one_database

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def project(api: Api) -> str:
    path = api.project(name=HOSTILE)
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    assert propose(api, path).status_code == 201
    assert accept(api, path).status_code == 200
    return path


def deliver(api: Api, project: str) -> dict[str, Any]:
    order = next(one for one in api.get(f"{project}/rounds/1").json()["orders"] if one["source"] == "A")
    body = {"external_id": "box", "groups": {"A": {"accepted": 7, "rejected": 2}}}
    answer = api.post(f"{project}/rounds/1/orders/{order['id']}/deliveries", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["order"]
    return found


def test_progress_shows_what_was_delivered(api: Api, project: str) -> None:
    deliver(api, project)
    spec = api.get(f"{project}/charts/progress.json").json()
    samples = {(row["group"], row["state"]): row["samples"] for row in spec["layer"][0]["data"]["values"]}
    assert samples == {("A", "accepted"): 7, ("A", "rejected"): 2}
    assert spec["title"]["text"][0].startswith("Round 1: 7 of ")


def test_spending_shows_what_the_ledger_says(api: Api, project: str) -> None:
    spent = deliver(api, project)["spent"]
    spec = api.get(f"{project}/charts/spending.json").json()
    amounts = {row["state"]: row["amount"] for row in spec["layer"][0]["data"]["values"]}
    there = api.get(f"{project}/rounds/1").json()
    assert amounts == {"spent": float(spent), "committed": float(there["committed"])}


@one_database
@pytest.mark.parametrize("name", ["progress", "spending"])
@pytest.mark.parametrize(
    ("format", "media_type", "start"),
    [("json", "application/json", b"{"), ("svg", "image/svg+xml", b"<svg"), ("png", "image/png", b"\x89PNG")],
)
def test_every_chart_comes_in_every_format(
    api: Api, project: str, name: str, format: str, media_type: str, start: bytes
) -> None:
    answer = api.get(f"{project}/charts/{name}.{format}", params={"theme": "dark"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].split(";")[0] == media_type
    assert answer.content.startswith(start)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert b"<script" not in answer.content or format == "json"


@one_database
def test_a_png_has_as_many_pixels_as_are_asked_for(api: Api, project: str) -> None:
    wide = [
        int.from_bytes(api.get(f"{project}/charts/progress.png{query}").content[16:20], "big")
        for query in ("", "?scale=2")
    ]
    assert wide[1] == pytest.approx(2 * wide[0], abs=1)
    assert api.get(f"{project}/charts/progress.png?scale=9").status_code == 422


def test_an_unchanged_chart_is_not_sent_again(api: Api, project: str) -> None:
    path = f"{project}/charts/progress.svg"
    first = api.get(path)
    again = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert api.get(path, params={"theme": "dark"}).headers["ETag"] != first.headers["ETag"]
    deliver(api, project)
    assert api.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_an_edited_proposal_has_another_chart(api: Api, project: str) -> None:
    assert propose(api, project, "r2").status_code == 201
    path = f"{project}/charts/progress.json"
    tag = api.get(path, params={"round": 2}).headers["ETag"]
    edited = api.patch(f"{project}/rounds/2", json={"orders": {"A": 3}}, headers={"If-Match": "*"})
    assert edited.status_code == 200, edited.text
    assert api.get(path, params={"round": 2}, headers={"If-None-Match": tag}).status_code == 200


def test_what_is_not_there_is_named(api: Api, project: str) -> None:
    unknown = api.get(f"{project}/charts/pie.json")
    assert unknown.status_code == 404
    assert "progress, spending" in unknown.json()["detail"]
    assert api.get(f"{project}/charts/progress.json", params={"round": 9}).status_code == 404
    for path, query in (("progress.gif", {}), ("progress.svg", {"theme": "sepia"}), ("progress.svg", {"round": 0})):
        refused = api.get(f"{project}/charts/{path}", params=query)
        assert refused.status_code == 422
        assert refused.headers["Content-Type"] == "application/problem+json"


def test_a_chart_is_for_those_who_may_read_the_project(api: Api, project: str, database: Database) -> None:
    assert api.as_key(None).get(f"{project}/charts/progress.svg").status_code == 401
    elsewhere = new_key(database, "admin", workspace_name="other")
    assert api.as_key(elsewhere).get(f"{project}/charts/progress.svg").status_code == 404
    assert api.as_key(new_key(database, "deliver")).get(f"{project}/charts/progress.svg").status_code == 403


@one_database
@pytest.mark.parametrize(
    "name", ["curve", "curves", "marginal-utility", "budget-utility", "budget-targets", "standing"]
)
def test_charts_of_the_plan_are_served_drawn_and_remembered(api: Api, name: str) -> None:
    hostile = "<script>alert(1)</script>"
    project = api.project(groups=[
        {"key": "A", "name": hostile, "initial_count": 200, "unit_cost": "1", "target": 0.8},
        {"key": "B", "name": hostile, "initial_count": 100, "unit_cost": "2.00"},
    ])  # fmt: skip
    assert api.post(f"{project}/observations", json={"observations": RUNS}).status_code == 201
    query = {"group": "A"} if name == "curve" else {}
    spec = api.get(f"{project}/charts/{name}.json", params=query)
    assert spec.status_code == 200, spec.text
    tag = spec.headers["ETag"]
    again = api.get(f"{project}/charts/{name}.json", params=query, headers={"If-None-Match": tag})
    assert again.status_code == 304
    drawn = api.get(f"{project}/charts/{name}.svg", params=query | {"narrow": "true", "theme": "dark"})
    assert drawn.status_code == 200
    assert "<script>" not in drawn.text
    assert api.get(f"{project}/charts/{name}.png", params=query).content.startswith(b"\x89PNG")
    if name == "marginal-utility":
        assert {one["name"] for one in spec.json()["data"]["values"]} == {f"{hostile} (A)", f"{hostile} (B)"}
    api.patch(f"{project}/groups/A", json={"weight": 2.0})
    assert api.get(f"{project}/charts/{name}.json", params=query, headers={"If-None-Match": tag}).status_code == 200
