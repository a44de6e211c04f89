"""Sources, their prices and amounts by page."""

import pytest

from app.store.db import Database
from tests.api_client import Api
from tests.conftest import new_key, one_database
from tests.web.browser_client import Pages, text_of
from tests.web.editing.forms import faults, seen, value

pytestmark = one_database
PANEL = {
    "key": "panel", "name": "A panel", "yields": "A: 60 %\r\nB: 40 %", "unit_cost": "$2.40", "fixed_cost": "1,000",
    "price_tiers": "1,000: 2.10\r\n5,000: 1,80", "quality": "60 % to 95 %", "acceptance_rate": "92%", "lot_size": "10",
    "max_total": "30,000", "lead_time_days": "21", "license": "CC-BY-4.0", "terms.attribution": "true",
    "method": "human", "derived_from": "one\r\ntwo",
}  # fmt: skip


@pytest.fixture
def path(api: Api) -> str:
    return api.project().removeprefix("/v1")


def test_a_source_of_several_groups_is_added_with_its_prices(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/new-source")
    answer = pages.post(f"{path}/new-source", {"seen": seen(page), **PANEL})
    assert answer.status_code == 303, text_of(answer)
    source = api.get(f"/v1{path}/sources/panel").json()
    assert source["yields"] == {"A": 0.6, "B": 0.4}
    assert (source["unit_cost"], source["fixed_cost"]) == ("2.40", "1000.00")
    assert source["price_tiers"] == [{"from": 1000, "unit_cost": "2.10"}, {"from": 5000, "unit_cost": "1.80"}]
    assert source["quality"] == {"p05": 0.6, "p95": 0.95}
    assert (source["acceptance_rate"], source["lot_size"], source["max_total"]) == (0.92, 10, 30000)
    assert source["terms"]["attribution"] is True
    assert source["derived_from"] == ["one", "two"]
    assert "A panel" in text_of(pages.get(f"{path}/sources"))


def test_what_is_shown_sent_again_changes_nothing(api: Api, pages: Pages, path: str) -> None:
    pages.get(f"{path}/new-source")
    pages.post(f"{path}/new-source", PANEL)
    before = api.get(f"/v1{path}/sources/panel").json()
    page = pages.get(f"{path}/sources/panel")
    sent = {name: value(page, name).replace("\n", "\r\n") for name in PANEL}
    assert sent["price_tiers"] == "1,000: 2.10\r\n5,000: 1.80"
    assert pages.post(f"{path}/sources/panel", {"seen": seen(page), **sent}).status_code == 303
    assert api.get(f"/v1{path}/sources/panel").json() == before
    api.patch(f"/v1{path}/sources/panel", json={"price_tiers": [{"from": 7, "unit_cost": "12.125"}]})
    page = pages.get(f"{path}/sources/panel")
    again = f"{value(page, 'price_tiers')}\r\n9: 1"
    assert pages.post(f"{path}/sources/panel", {"seen": seen(page), "price_tiers": again}).status_code == 303
    tiers = api.get(f"/v1{path}/sources/panel").json()["price_tiers"]
    assert tiers == [{"from": 7, "unit_cost": "12.125"}, {"from": 9, "unit_cost": "1.00"}]


def test_a_price_is_raised_and_nothing_else(api: Api, pages: Pages, path: str) -> None:
    before = api.get(f"/v1{path}/sources/A").json()
    page = pages.get(f"{path}/sources/A")
    answer = pages.post(f"{path}/sources/A", {"seen": seen(page), "unit_cost": "1.10"})
    assert answer.status_code == 303, text_of(answer)
    after = api.get(f"/v1{path}/sources/A").json()
    assert after == {**before, "unit_cost": "1.10", "updated_at": after["updated_at"]}
    assert "1.00 → 1.10" in text_of(pages.get(f"{path}/sources"))


@pytest.mark.parametrize(("typed", "field", "words"), [
    ({"unit_cost": "free"}, "unit_cost", "no number"),
    ({"yields": "A: 60 %\nB: 60 %"}, "yields", "at most 1"),
    ({"yields": "A: 1\nnobody: 0"}, "yields", "nobody"),
    ({"yields": "A: 1\nA: 1"}, "yields", "twice"),
    ({"price_tiers": "10: 2\nten: 1"}, "price_tiers", "line 2"),
    ({"quality": "95 % to 60 %"}, "quality", "swap"),
    ({"min_order": "9", "max_order": "3"}, "max_order", ""),
    ({"collected_from": "yesterday"}, "collected_from", "2026-11-30"),
    ({"acceptance_rate": "90"}, "acceptance_rate", "less than or equal to 1"),
])  # fmt: skip
def test_faults_stand_beside_their_fields(
    api: Api, pages: Pages, path: str, typed: dict[str, str], field: str, words: str
) -> None:
    before = api.get(f"/v1{path}/sources").json()
    answer = pages.post(f"{path}/sources/A", typed)
    assert answer.status_code == 422, text_of(answer)
    assert words in faults(answer)[field]
    assert {name: value(answer, name) for name in typed} == typed
    assert api.get(f"/v1{path}/sources").json() == before


def test_connections_are_shown_to_who_may_see_them(api: Api, pages: Pages, database: Database, path: str) -> None:
    made = api.post("/v1/vendor-connections", json={"name": "the vendor", "kind": "standard"}).json()["id"]
    assert "the vendor" in text_of(pages.get(f"{path}/sources/A"))
    assert pages.post(f"{path}/sources/A", {"connection": made}).status_code == 303
    assert api.get(f"/v1{path}/sources/A").json()["connection"] == made
    writer = Pages(api)
    writer.sign_in(new_key(database, "read,write"))
    page = writer.get(f"{path}/sources/A")
    assert "the vendor" not in page.text
    assert writer.post(f"{path}/sources/A", {"seen": seen(page), "name": "x"}).status_code == 303
    assert api.get(f"/v1{path}/sources/A").json()["connection"] == made
