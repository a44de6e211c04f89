"""Large answers are compressed for who takes it; pages, streams and what is compressed already are not."""

from tests.api_client import RUNS, Api
from tests.conftest import one_database
from tests.web.browser_client import Pages
from tests.web.conftest import pages as pages

pytestmark = one_database
GZIP = {"Accept-Encoding": "gzip"}
WHOLE = {"Accept-Encoding": "identity"}


def large(api: Api) -> str:
    groups = [{"key": f"group-{at}", "initial_count": 100, "unit_cost": "1"} for at in range(60)]
    return api.project(groups=groups)


def test_a_large_answer_is_compressed_for_who_takes_it(api: Api) -> None:
    path = large(api)
    packed = api.get(f"{path}/groups", headers=GZIP)
    plain = api.get(f"{path}/groups", headers=WHOLE)
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    assert "Accept-Encoding" in plain.headers["vary"]
    assert packed.headers["etag"] == plain.headers["etag"]


def test_a_small_answer_is_sent_as_it_is(api: Api) -> None:
    assert "content-encoding" not in api.get(api.project(), headers=GZIP).headers


def test_what_is_not_changed_stays_empty(api: Api) -> None:
    path = large(api)
    tag = api.get(f"{path}/allocations/next", headers=GZIP).headers["etag"]
    again = api.get(f"{path}/allocations/next", headers=GZIP | {"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_pages_are_not_compressed_but_their_scripts_are(pages: Pages) -> None:
    page = pages.get("/", headers=GZIP)
    assert page.headers["content-type"].startswith("text/html")
    assert "content-encoding" not in page.headers
    [vega] = [part for part in page.text.split('"') if part.endswith("style.css")]
    assert pages.get(vega, headers=GZIP).headers["content-encoding"] == "gzip"


def test_a_workbook_is_compressed_already(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    answer = api.get(f"{path}/tables.xlsx", headers=GZIP)
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers
