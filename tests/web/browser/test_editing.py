"""A project is set up in a real browser: by hand without scripts, and every page of it readable and narrow enough."""

from tests.api_client import RUNS
from tests.web.browser.conftest import Visitor

PAGES = ("settings", "groups", "groups/A", "sources", "new-source", "sources-file", "limits", "objective", "runs",
         "new-runs", "requirements")  # fmt: skip


def test_a_price_is_raised_without_scripts_and_the_pages_can_be_read(visitor: Visitor) -> None:
    api = visitor.api
    path = api.project(name="set up <b>by hand</b>")
    api.patch(f"{path}/groups/A", json={"name": "the first", "target": 0.85})
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    here = path.removeprefix("/v1")
    page = visitor.open_context(java_script_enabled=False)
    visitor.sign_in("admin", f"{here}/sources")
    page.get_by_role("link", name="A", exact=True).click()
    page.get_by_label("Price of a sample, USD").fill("$1,250.5")
    page.get_by_label("Cheaper from").fill("1,000: many")
    page.get_by_role("button", name="Save").click()
    assert "line 1" in page.locator("#fault-price_tiers").inner_text()
    assert page.get_by_label("Price of a sample, USD").input_value() == "$1,250.5"
    page.get_by_label("Cheaper from").fill("1,000: 900")
    page.get_by_role("button", name="Save").click()
    assert "1.00 → 1,250.50" in page.get_by_role("status").inner_text()
    assert api.get(f"{path}/sources/A").json()["unit_cost"] == "1250.50"

    page = visitor.open_context(viewport={"width": 360, "height": 740}, color_scheme="dark")
    visitor.sign_in("admin", f"{here}/settings")
    for name in PAGES:
        visitor.goto(f"{here}/{name}")
        assert visitor.accessibility() == [], name
        assert visitor.overflow() <= 0, name
        page.screenshot(path=visitor.folder / f"setup-{name.replace('/', '-')}.png", full_page=True)
    assert visitor.problems == []
