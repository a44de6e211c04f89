"""Signing on pages: what waits for whom, the second look before money moves, declining, and other orders."""

import re

import httpx
import pytest

from tests.api_client import RUNS, Api
from tests.conftest import new_key, one_database
from tests.web.browser_client import Pages, text_of
from tests.web.test_rounds_page import page_of, tag_in

pytestmark = one_database


@pytest.fixture
def project(api: Api) -> str:
    made = api.project(approval_threshold="10")
    assert api.post(f"{made}/observations", json={"observations": RUNS}).status_code == 201
    return made


def propose(api: Api, project: str, name: str = "r") -> str:
    version = api.get(project).json()["data_version"]
    body = {"external_id": name, "data_version": version, "note": "for the audit"}
    made = api.post(f"{project}/rounds", json=body)
    assert made.status_code == 201, made.text
    return f"{project}/rounds/{made.json()['number']}"


def visitor(api: Api, database: object, name: str, scopes: str = "read,write,buy") -> Pages:
    pages = Pages(api)
    pages.sign_in(new_key(database, scopes, name=name))
    return pages


def waits(pages: Pages) -> int:
    found = re.search(r"Waits for you \((\d+)\)", text_of(pages.get("/")))
    return int(found[1]) if found else 0


def send(pages: Pages, path: str, verb: str, **fields: str) -> httpx.Response:
    return pages.post(f"{page_of(path)}/{verb}", {"tag": tag_in(pages.get(page_of(path))), **fields})


def test_a_proposal_waits_for_others_until_enough_have_approved(
    api: Api, pages: Pages, database: object, project: str
) -> None:
    path = propose(api, project)
    ana, ben = visitor(api, database, "Ana"), visitor(api, database, "Ben")
    reader = visitor(api, database, "Eve", "read,write")
    assert [waits(one) for one in (pages, ana, ben, reader)] == [0, 1, 1, 0], "not for who proposed it"
    assert reader.get("/waiting").status_code == 403
    assert "for the audit" in text_of(ana.get("/waiting"))
    assert send(ana, path, "accept", note="fine", confirmed="yes").status_code == 303
    assert [waits(one) for one in (pages, ana, ben)] == [0, 0, 1]
    mine, theirs = (one.get(page_of(path)) for one in (ana, ben))
    assert "it waits for a second approval" in text_of(mine)
    assert f'{page_of(path)}/accept"' not in mine.text
    assert f'{page_of(path)}/accept"' in theirs.text
    assert "Approved by Ana" in text_of(theirs)
    timeline = text_of(reader.get(f"{page_of(project)}/rounds"))
    assert "1 of 2 approvals given: it waits for a second approval." in timeline
    assert "Round 1 waits for a second approval" in text_of(ana.get("/"))
    assert "Approve or decline round 1" in text_of(ben.get("/"))
    assert send(ben, path, "accept", note="go", confirmed="yes").status_code == 303
    assert [waits(one) for one in (pages, ana, ben)] == [0, 0, 0]
    assert api.get(path).json()["state"] == "accepted"


def test_projects_with_a_proposal_that_waits_stand_first(api: Api, database: object, project: str) -> None:
    names = [api.project(name="Same name", external_id=one) for one in ("first", "second")]
    api.patch(project, json={"name": "Waiting"})
    assert names[0] != names[1]
    propose(api, project)
    page = text_of(visitor(api, database, "Ana").get("/"))
    assert page.index("Waiting") < page.index("Same name")
    assert re.search(r"Same name made 2026-11-20 10:00 UTC, first .* Same name made 2026-11-20 10:00 UTC, second", page)


def test_money_moves_only_after_a_second_look(api: Api, pages: Pages, project: str) -> None:
    api.patch(project, json={"approval_threshold": None})
    api.patch(f"{project}/sources/A", json={"lead_time_days": 11})
    path = propose(api, project)
    now = api.get(path).json()
    asked = send(pages, path, "accept", note="fine", reference="PO-9")
    assert asked.status_code == 200
    text = text_of(asked)
    assert f"Approve {now['cost'].split('.')[0]}" in text
    for line in now["lines"]:
        assert f"{line['source']} by hand {line['quantity']:,}" in text
    assert "today, 2026-11-20" in text
    assert "2026-12-01" in text, "eleven days on"
    assert api.get(path).json() == now, "nothing is done yet"
    fields = dict(re.findall(r'type="hidden" name="(note|reference)" value="([^"]*)"', asked.text))
    assert fields == {"note": "fine", "reference": "PO-9"}
    assert send(pages, path, "accept", **fields, confirmed="yes").status_code == 303
    accepted = api.get(path).json()
    assert (accepted["state"], accepted["reference"], accepted["steps"][-1]["note"]) == ("accepted", "PO-9", "fine")
    for verb in ("close", "cancel"):
        asked = send(pages, path, verb)
        assert (asked.status_code, f"{verb.capitalize()} and release" in text_of(asked)) == (200, True)
        assert api.get(path).json() == accepted
    assert send(pages, path, "cancel", confirmed="yes").status_code == 303
    assert api.get(path).json()["state"] == "cancelled"


def test_a_declined_proposal_is_changed_and_proposed_again(api: Api, pages: Pages, project: str) -> None:
    path = propose(api, project)
    assert send(pages, path, "decline").status_code == 422
    assert send(pages, path, "decline", reason="too dear").status_code == 303
    shown = pages.get(page_of(path))
    assert "too dear" in text_of(shown)
    assert "Propose again" in text_of(shown)
    assert send(pages, path, "orders", **{"order:A": "12", "order:B": ""}, note="less").status_code == 303
    second = api.get(f"{project}/rounds/2").json()
    assert (second["state"], second["note"]) == ("proposed", "less")
    assert [(one["source"], one["quantity"]) for one in second["lines"]] == [("A", 12)]


def test_other_orders_are_forecast_before_they_are_kept(api: Api, pages: Pages, project: str) -> None:
    path = propose(api, project)
    before = api.get(path).json()
    looked = send(pages, path, "orders", **{"order:A": "12", "order:B": "7"}, look="yes")
    assert looked.status_code == 200
    assert "Nothing is changed yet" in text_of(looked)
    assert 'name="order:A" inputmode="numeric" value="12"' in looked.text
    assert "All 2 orders 26.00" in text_of(looked), "12 of A at 1 and 7 of B at 2"
    assert api.get(path).json() == before
    refused = send(pages, path, "orders", **{"order:A": "many"})
    assert refused.status_code == 422
    assert api.get(path).json() == before
    assert send(pages, path, "orders", **{"order:A": "12", "order:B": "7"}).status_code == 303
    after = api.get(path).json()
    assert {one["source"]: one["quantity"] for one in after["lines"]} == {"A": 12, "B": 7}


def test_what_the_plan_advises_against_is_approved_with_a_reason_alone(api: Api, pages: Pages, project: str) -> None:
    api.patch(project, json={"smallest_gain": 1e6, "approval_threshold": None})
    path = propose(api, project)
    assert "Why to buy it all the same" in text_of(pages.get(page_of(path)))
    refused = send(pages, path, "accept", confirmed="yes")
    assert refused.status_code == 422
    assert "say why to buy all the same" in text_of(refused)
    assert send(pages, path, "accept", note="the law asks for it", confirmed="yes").status_code == 303


def test_a_key_is_made_and_shown_once(api: Api, pages: Pages, project: str) -> None:
    pages.get("/keys")
    fields = {"name": "Ana", "scope": ["read", "buy"], "project": [project.rpartition("/")[2]], "until": "2026-12-24"}
    made = pages.post("/keys", fields)
    assert made.status_code == 200, text_of(made)
    token = re.search(r'id="token">([^<]+)<', made.text)
    assert token
    assert token[1] not in pages.get("/keys").text
    assert Pages(api).sign_in(token[1]).status_code == 303
    found = next(one for one in api.get("/v1/api-keys").json()["items"] if one["name"] == "Ana")
    assert (found["scopes"], found["project_ids"]) == (["buy", "read"], fields["project"])
    assert found["expires_at"] == "2026-12-25T00:00:00Z"
    assert pages.post(f"/keys/{found['id']}/rename", {"name": "Ana B."}).status_code == 303
    assert api.get(f"/v1/api-keys/{found['id']}").json()["name"] == "Ana B."
    for wrong in ({"name": ""}, {"scope": []}, {"until": "tomorrow"}, {"until": "2020-01-01"}):
        assert pages.post("/keys", {**fields, **wrong}).status_code == 422, wrong
