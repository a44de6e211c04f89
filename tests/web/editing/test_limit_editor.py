"""Limits by page."""

import pytest

from tests.api_client import Api
from tests.conftest import one_database
from tests.web.browser_client import Pages, text_of
from tests.web.editing.forms import faults, seen, value

pytestmark = one_database
COST = {"name": "little", "sources": ["A"], "measure": "cost", "max": "500.00"}
SHARE = {"name": "half", "groups": ["B"], "measure": "count_share", "share_of": ["A", "B"], "min": 0.5}


@pytest.fixture
def path(api: Api) -> str:
    return api.project(set_limits=[COST, SHARE]).removeprefix("/v1")


def stored(api: Api, path: str) -> list[dict[str, object]]:
    limits = api.get(f"/v1{path}").json()["set_limits"]
    return [{name: one for name, one in limit.items() if one is not None} for limit in limits]


def test_what_is_shown_sent_again_changes_nothing(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/limits")
    assert (value(page, "0.max"), value(page, "1.min"), value(page, "1.keys")) == ("500.00", "50 %", "B")
    assert pages.post(f"{path}/limits", {"seen": seen(page)}).status_code == 303
    assert stored(api, path) == [COST, SHARE]


def test_a_limit_is_added_changed_and_taken_away(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/limits")
    sent = {
        "0.name": "",
        "1.min": "60%",
        "2.name": "few orders",
        "2.measure": "orders",
        "2.max": "1",
        "2.keys": "A\r\nB",
    }
    answer = pages.post(f"{path}/limits", {"seen": seen(page), **sent})
    assert answer.status_code == 303, text_of(answer)
    orders = {"name": "few orders", "sources": ["A", "B"], "measure": "orders", "max": 1}
    assert stored(api, path) == [{**SHARE, "min": 0.6}, orders]


def test_a_limit_over_all_groups_of_a_level_stays_one(api: Api, pages: Pages, path: str) -> None:
    for key, sex in (("A", "M"), ("B", "F")):
        assert api.patch(f"/v1{path}/groups/{key}", json={"attributes": {"sex": sex}}).status_code == 200
    women = {"name": "women", "where": {"sex": "F"}, "measure": "count", "min": 500}
    assert api.patch(f"/v1{path}", json={"set_limits": [women]}).status_code == 200
    page = pages.get(f"{path}/limits")
    assert (value(page, "0.of"), value(page, "0.keys")) == ("where", "sex: F")
    assert pages.post(f"{path}/limits", {"seen": seen(page)}).status_code == 303
    assert stored(api, path) == [women]
    for typed in ("sex: X", "age", "age: old"):
        answer = pages.post(f"{path}/limits", {"seen": seen(page), "0.keys": typed})
        assert (answer.status_code, list(faults(answer))) == (422, ["0.keys"])
    assert stored(api, path) == [women]


@pytest.mark.parametrize(("typed", "field"), [
    ({"2.max": "5"}, "2.name"),
    ({"2.name": "x", "2.max": "much", "2.keys": "A"}, "2.max"),
    ({"0.name": "", "2.name": "x", "2.max": "5", "2.keys": "A\nnobody"}, "2.keys"),
    ({"2.name": "x", "2.max": "5"}, "2.keys"),
])  # fmt: skip
def test_faults_stand_beside_their_fields(api: Api, pages: Pages, path: str, typed: dict[str, str], field: str) -> None:
    answer = pages.post(f"{path}/limits", typed)
    assert answer.status_code == 422, text_of(answer)
    assert list(faults(answer)) == [field]
    assert {name: value(answer, name) for name in typed} == typed
    assert stored(api, path) == [COST, SHARE]


def test_limits_that_another_changed_are_not_overwritten(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(f"{path}/limits")
    api.patch(f"/v1{path}", json={"set_limits": [SHARE]})
    assert pages.post(f"{path}/limits", {"seen": seen(page), "0.max": "1"}).status_code == 412
    assert stored(api, path) == [SHARE]
