"""The page that says how to train on what is held."""

import html
import json
import re

from tests.api_client import Api
from tests.conftest import one_database
from tests.web.browser_client import Pages

pytestmark = one_database


def test_the_page_says_what_the_api_says(api: Api, pages: Pages) -> None:
    path = api.project(groups=[{"key": "a", "initial_count": 900}, {"key": "b", "name": "<b>", "initial_count": 100}])
    place = f"{path.removeprefix('/v1')}/training-mix"
    asked = {"temperature": 2, "late_share": 0.1}
    answer = pages.get(place, params=asked)
    assert answer.status_code == 200
    assert "&lt;b&gt;" in answer.text
    found = re.search(r'<pre id="mix"[^>]*>(.*?)</pre>', answer.text, re.DOTALL)
    assert found is not None
    copied = json.loads(html.unescape(found[1]))
    told = api.get(f"{path}/training-mix", params=asked).json()
    assert copied["samples"] == told["samples"]
    assert [one["shares"] for one in copied["phases"]] == [
        {one["group"]: one["share"] for one in phase["items"]} for phase in told["phases"]
    ]
    saved = pages.get(f"{place}.csv", params=asked)
    assert saved.text == api.get(f"{path}/training-mix.csv", params=asked).text


def test_what_cannot_be_is_said_on_the_page(api: Api, pages: Pages) -> None:
    path = api.project(groups=[{"key": "a", "initial_count": 10}]).removeprefix("/v1")
    answer = pages.get(f"{path}/training-mix", params={"samples": 100, "max_repeats": 2})
    assert answer.status_code == 422
    assert "allow at most 20 at 2 repeats" in answer.text
    empty = api.project(name="none", groups=[{"key": "a", "initial_count": 0}]).removeprefix("/v1")
    assert "No samples are held yet" in pages.get(f"{empty}/training-mix").text
