"""Twenty tabs of rounds that collect: all of them load, and a hidden one asks nothing."""

from playwright.sync_api import expect

from tests.api_client import RUNS
from tests.web.browser.conftest import Visitor

TABS = 20
HIDE = "Object.defineProperty(document, 'hidden', {get: () => true}); document.dispatchEvent(new Event('%s'))"


def test_twenty_tabs_of_collecting_rounds_load_and_move(visitor: Visitor) -> None:
    path = visitor.api.project()
    assert visitor.api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    version = visitor.api.get(path).json()["data_version"]
    made = visitor.api.post(f"{path}/rounds", json={"external_id": "r", "data_version": version})
    assert visitor.api.post(f"{path}/rounds/1/accept", headers={"If-Match": made.headers["ETag"]}).status_code == 200
    place = f"{path.removeprefix('/v1')}/rounds/1"
    first = visitor.sign_in(path=place)
    tabs = [first, *(first.context.new_page() for _ in range(TABS - 1))]
    for tab in tabs[1:]:
        tab.goto(visitor.url + place, wait_until="commit")
    for tab in tabs:
        expect(tab.locator("#round-finding")).to_contain_text("0 of")
    tabs[-1].evaluate(HIDE % "visibilitychange")
    asked: list[str] = []
    tabs[-1].on("request", lambda request: asked.append(request.url))
    order = visitor.api.get(f"{path}/rounds/1").json()["orders"][0]
    body = {"external_id": "d1", "groups": {order["source"]: {"accepted": 3}}}
    assert visitor.api.post(f"{path}/rounds/1/orders/{order['id']}/deliveries", json=body).status_code == 201
    for tab in tabs[:-1]:
        expect(tab.locator("#round-finding")).to_contain_text("3 of")
    assert [one for one in asked if one.endswith("/progress")] == []
