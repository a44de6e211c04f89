"""The page that says whom the samples are like."""

from tests.api_client import Api
from tests.conftest import one_database
from tests.web.browser_client import Pages

pytestmark = one_database

POPULATION = [{"attributes": ["sex"], "shares": {"F": 0.5, "M": 0.5}}]


def member(key: str, sex: str, count: int, name: str | None = None) -> dict[str, object]:
    return {"key": key, "name": name, "initial_count": count, "attributes": {"sex": sex}, "unit_cost": "1"}


def test_the_page_says_what_the_api_says(api: Api, pages: Pages) -> None:
    groups = [member("m", "M", 80), member("f", "F", 20, "<b>")]
    path = api.project(groups=groups, population=POPULATION).removeprefix("/v1")
    text = pages.get(f"{path}/representation").text
    assert "the 100 samples held tell as much as 64 drawn from it" in text
    assert "&lt;b&gt;" in text
    assert "2.50" in text
    assert f"{path}/representation" in pages.get(f"{path}/groups").text


def test_holes_stand_on_top(api: Api, pages: Pages) -> None:
    path = api.project(groups=[member("m", "M", 80), member("f", "F", 0)], population=POPULATION).removeprefix("/v1")
    text = pages.get(f"{path}/representation", params={"pairs": "true"}).text
    assert "no sample is held, and it is 50.0 % of the population" in text
    assert text.index("<h2>Holes</h2>") < text.index("<table")


def test_what_cannot_be_is_said_on_the_page(api: Api, pages: Pages) -> None:
    path = api.project(groups=[member("m", "M", 80)]).removeprefix("/v1")
    assert "no group has the attribute &#39;age&#39;" in pages.get(f"{path}/representation?attributes=age").text
    empty = api.project(name="none", groups=[]).removeprefix("/v1")
    assert "No group has attributes yet" in pages.get(f"{empty}/representation").text
