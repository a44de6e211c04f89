"""Groups by page."""

import pytest

from tests.api_client import RUNS, Api
from tests.conftest import one_database
from tests.web.browser_client import Pages, text_of
from tests.web.editing.forms import faults, seen, value

pytestmark = one_database


@pytest.fixture
def path(api: Api) -> str:
    return api.project().removeprefix("/v1")


def test_a_group_is_added_with_its_price(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/new-group")
    typed = {"key": "C", "name": "the third", "target": "90 %", "initial_count": "1,200", "unit_cost": "€ 2",
             "attributes": "age: 65 and over\r\nsex: f"}  # fmt: skip
    refused = pages.post(f"{path}/new-group", {"seen": seen(page), **typed})
    assert faults(refused) == {"unit_cost": "is in €; give it in USD"}
    answer = pages.post(f"{path}/new-group", {"seen": seen(refused), **typed, "unit_cost": "2,5"})
    assert answer.status_code == 303, text_of(answer)
    group = api.get(f"/v1{path}/groups/C").json()
    assert (group["name"], group["target"], group["initial_count"]) == ("the third", 0.9, 1200)
    assert group["attributes"] == {"age": "65 and over", "sex": "f"}
    assert api.get(f"/v1{path}/sources/C").json()["unit_cost"] == "2.50"
    listed = pages.get(f"{path}/groups")
    assert "the third" in text_of(listed)
    assert "90 %" in text_of(listed)


def test_a_group_is_changed_field_by_field(api: Api, pages: Pages, path: str) -> None:
    api.patch(
        f"/v1{path}/groups/A", json={"target": 0.07, "assumed_curve": {"asymptote": 0.1, "scale": 1, "exponent": 0.5}}
    )
    page = pages.get(f"{path}/groups/A")
    assert value(page, "target") == "7 %"
    assert value(page, "unit_cost") == "1.00"
    before = api.get(f"/v1{path}/groups/A").json()
    answer = pages.post(f"{path}/groups/A", {"seen": seen(page), "weight": "0,25", "unit_cost": "1.75"})
    assert answer.status_code == 303, text_of(answer)
    after = api.get(f"/v1{path}/groups/A").json()
    assert after == {**before, "weight": 0.25, "updated_at": after["updated_at"]}
    assert api.get(f"/v1{path}/sources/A").json()["unit_cost"] == "1.75"
    emptied = pages.post(f"{path}/groups/A", {"target": "", "weight": ""})
    assert emptied.status_code == 303
    assert (api.get(f"/v1{path}/groups/A").json()["target"], api.get(f"/v1{path}/groups/A").json()["weight"]) == (
        None,
        1,
    )


def test_another_key_leads_to_another_page(api: Api, pages: Pages, path: str) -> None:
    answer = pages.post(f"{path}/groups/A", {"key": "a/b"})
    assert answer.headers["location"] == f"{path}/groups/a%2Fb"
    assert pages.get(f"{path}/groups/a%2Fb").status_code == 200
    api.post(f"/v1{path}/observations", json={"observations": [{**RUNS[0], "counts": {"a/b": 5, "B": 5},
             "metrics": {"B": {"value": 0.7, "stderr": 0.1}}}]})  # fmt: skip
    frozen = pages.post(f"{path}/groups/a%2Fb", {"key": "A"})
    assert frozen.status_code == 409
    assert value(frozen, "key") == "A"


@pytest.mark.parametrize(("typed", "field"), [
    ({"target": "900 %"}, "target"),
    ({"min_count": "9", "max_count": "3"}, "min_count"),
    ({"parent": "nobody"}, "parent"),
    ({"weight": "-1"}, "weight"),
    ({"initial_count": "1.5"}, "initial_count"),
    ({"attributes": "age"}, "attributes"),
    ({"unit_cost": ""}, "unit_cost"),
    ({"key": ""}, "key"),
])  # fmt: skip
def test_faults_stand_beside_their_fields(api: Api, pages: Pages, path: str, typed: dict[str, str], field: str) -> None:
    before = api.get(f"/v1{path}/groups").json()
    answer = pages.post(f"{path}/groups/A", typed)
    assert answer.status_code == 422, text_of(answer)
    assert list(faults(answer)) == [field]
    assert {name: value(answer, name) for name in typed} == typed
    assert api.get(f"/v1{path}/groups").json() == before


def test_what_another_changed_meanwhile_is_not_overwritten(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/groups/A")
    api.patch(f"/v1{path}/sources/A", json={"unit_cost": "9"})
    for form in ("", "/archive"):
        answer = pages.post(f"{path}/groups/A{form}", {"seen": seen(page), "unit_cost": "1.50"})
        assert answer.status_code == 412
    assert faults(answer) == {"unit_cost": "is now 9.00"}
    assert api.get(f"/v1{path}/sources/A").json()["unit_cost"] == "9.00"


def test_a_group_is_archived_and_brought_back(api: Api, pages: Pages, path: str) -> None:
    pages.get(f"{path}/groups/A")
    assert pages.post(f"{path}/groups/A/archive").status_code == 303
    assert pages.get(f"{path}/groups/A").status_code == 404
    assert f"{path}/groups/A/restore" in pages.get(f"{path}/groups?archived=true").text
    assert pages.post(f"{path}/groups/A/restore").status_code == 303
    assert pages.post(f"{path}/sources/A/restore").status_code == 303
    assert [one["archived_at"] for one in api.get(f"/v1{path}/groups").json()["items"]] == [None, None]
    limit = {"name": "few", "measure": "cost", "sources": ["A"], "max": "5"}
    api.patch(f"/v1{path}", json={"set_limits": [limit]})
    kept = pages.post(f"{path}/groups/A/archive")
    assert kept.status_code == 409
    assert "few" in text_of(kept)


def test_who_did_it_is_written_down(api: Api, pages: Pages, path: str) -> None:
    pages.post(f"{path}/groups/A", {"weight": "3", "unit_cost": "4"})
    pages.post(f"{path}/new-group", {"key": "C"})
    told = {one["action"] for one in api.get(f"/v1{path}/audit").json()["items"]}
    assert {"group.changed", "source.changed", "group.made"} <= told
