"""The plan page in a real browser: the keyboard moves the budget, a button proposes, nobody is shut out."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.census import GROUPS, METRIC, measured_runs
from tests.waiting import PATIENCE_S
from tests.web.browser.conftest import Visitor


def service(visitor: Visitor) -> httpx.Client:
    """The API of the service that the browser looks at; the browser's own loop lets no other run in this thread."""
    headers = {"Authorization": f"Bearer {visitor.api.key}"}
    return httpx.Client(base_url=visitor.url, headers=headers, timeout=PATIENCE_S)


def read(visitor: Visitor, path: str, query: dict[str, str] | None = None) -> Any:
    with service(visitor) as api:
        return api.get(path, params=query).json()


@pytest.fixture
def census(visitor: Visitor) -> str:
    """The census project with all that was measured on it. Its page's path."""
    body = {"name": "census", "metric": METRIC, "budget": {"total": "2500", "rounds": 1}, "groups": GROUPS}
    with service(visitor) as api:
        answer = api.post("/v1/projects", json=body)
    assert answer.status_code == 201, answer.text
    path = f"/projects/{answer.json()['id']}"
    runs = [
        {
            "external_id": one.external_id,
            "counts": dict(one.counts),
            "holdout": one.holdout,
            "metrics": {key: {"value": metric.value, "stderr": metric.stderr} for key, metric in one.metrics.items()},
        }
        for one in measured_runs()
    ]
    with service(visitor) as api:
        assert api.post(f"/v1{path}/observations", json={"observations": runs}).status_code == 201
    return path


def groups_of(page: Page) -> Locator:
    """The rows of the groups' table."""
    return page.locator("#plan table", has_text="The next allocation").locator("tbody tr")


def test_the_keyboard_moves_the_budget_and_the_plan_follows(visitor: Visitor, census: str) -> None:
    page = visitor.sign_in(path=census)
    before = page.locator("#plan .lead").inner_text()
    slider = page.get_by_label("Move the budget")
    slider.focus()
    for _ in range(5):
        slider.press("PageDown")
    budget = page.get_by_label("Budget of this round").input_value()
    assert float(budget) < 2500
    expect(page.locator("#plan .lead")).not_to_have_text(before)
    expect(page.locator("#plan")).to_have_attribute("aria-busy", "false")
    plan = read(visitor, f"/v1{census}/allocations/next", {"budget": budget})
    most = max(plan["groups"], key=lambda one: float(one["cost"]))
    row = groups_of(page).first
    expect(row.locator("td").nth(1)).to_have_text(f"{most['add']:,}")
    assert f"budget={budget}" in page.url
    assert visitor.violations() == []


def test_a_chosen_policy_plans_again_at_once(visitor: Visitor, census: str) -> None:
    page = visitor.sign_in(path=census)
    page.get_by_label("Way of splitting").select_option("equal")
    expect(groups_of(page).first).to_contain_text("The policy gives every group")
    assert visitor.violations() == []


def test_a_budget_that_is_not_there_is_told_in_place(visitor: Visitor, census: str) -> None:
    page = visitor.sign_in(path=census)
    page.get_by_label("Budget of this round").fill("99999")
    expect(page.locator("#plan [role=alert]")).to_contain_text("is more than the")
    assert visitor.violations() == []


def test_the_plan_that_was_moved_to_is_proposed(visitor: Visitor, census: str) -> None:
    page = visitor.sign_in(path=census)
    page.get_by_label("Budget of this round").fill("500")
    expect(page.locator("#next")).to_contain_text(re.compile("[ :]500 USD"))
    page.get_by_role("button", name="Propose this round").click()
    page.wait_for_url("**/rounds/1")
    [made] = read(visitor, f"/v1{census}/rounds")["items"]
    assert made["query"]["budget"] == "500"


def test_without_scripts_the_form_plans_again_and_the_button_proposes(visitor: Visitor, census: str) -> None:
    page = visitor.open_context(java_script_enabled=False)
    visitor.sign_in(path=census)
    page.get_by_label("Budget of this round").fill("500")
    page.get_by_role("button", name="Plan again").click()
    expect(page.locator("#next")).to_contain_text(re.compile("[ :]500 USD"))
    page.get_by_role("button", name="Propose this round").click()
    assert len(read(visitor, f"/v1{census}/rounds")["items"]) == 1


def test_the_page_is_accessible_at_every_width_in_both_schemes(visitor: Visitor, census: str) -> None:
    judges = [
        {"name": "product & research", "objective": {"kind": "utilitarian"}},
        {"name": "audit", "objective": {"kind": "maximin"}},
    ]
    offers = [
        {"key": "web", "group": "Black_Male", "unit_cost": "1.50", "quality": None, "license": "CC-BY-4.0"},
        {"key": "archive", "group": "Black_Male", "unit_cost": "1", "license": "CC-BY-NC-4.0"},
    ]
    rule = {"require": ["commercial"], "unspecified": "warn"}
    with service(visitor) as api:
        for offer in offers:
            assert api.post(f"/v1{census}/sources", json=offer).status_code == 201
        tag = {"If-Match": api.get(f"/v1{census}").headers["etag"]}
        changed = api.patch(f"/v1{census}", json={"stakeholders": judges, "licence_rule": rule}, headers=tag)
        assert changed.status_code == 200, changed.text
    page = visitor.sign_in(path=census)
    for said in ("product & research", "What sources are worth", "left out by the licence rule"):
        expect(page.get_by_text(said).first).to_be_visible()
    visitor.pictures("plan")
    assert visitor.violations() == []


@pytest.mark.parametrize("place", ["scenarios", "measurement-plan", "curves"])
def test_scenarios_and_the_measurement_plan_are_accessible(visitor: Visitor, census: str, place: str) -> None:
    visitor.sign_in(path=f"{census}/{place}")
    visitor.pictures(place)
    assert visitor.violations() == []


def test_charts_are_drawn_under_the_policy_and_follow_the_plan(visitor: Visitor, census: str) -> None:
    page = visitor.sign_in(path=census)
    figures = page.locator("figure.chart:visible")
    for at in range(figures.count()):
        figures.nth(at).scroll_into_view_if_needed()
        expect(figures.nth(at).locator(".chart-drawing svg")).to_be_visible()
    assert figures.count() >= 3
    visitor.pictures("plan-with-charts")
    page.get_by_label("Budget of this round").fill("500")
    expect(page.locator("#next")).to_contain_text(re.compile("[ :]500 USD"))
    page.locator("figure.chart").first.scroll_into_view_if_needed()
    expect(page.locator("figure.chart").first.locator(".chart-drawing svg")).to_be_visible()
    assert "budget=500" in str(page.locator("figure.chart").first.get_attribute("data-spec"))
    assert visitor.violations() == []


@pytest.fixture
def clinics(visitor: Visitor) -> str:
    """Twelve groups and five sources, three of them mixed; all is held that was trained on, but for one group."""
    keys = [
        f"tone {tone}, age {age}" for tone in ("I-II", "III-IV", "V-VI") for age in ("0-17", "18-39", "40-64", "65+")
    ]
    groups: list[dict[str, Any]] = [
        {"key": key, "initial_count": 300 + 60 * at, "target": 0.9, "attributes": {"tone": key.split(",")[0]}}
        for at, key in enumerate(keys)
    ]
    sources: list[dict[str, Any]] = [
        {
            "key": "panel",
            "yields": dict.fromkeys(keys, 1 / 12),
            "unit_cost": "5",
            "max_order": 1500,
            "fixed_cost": "200",
        },
        {"key": "clinic", "yields": dict.fromkeys(keys[8:], 0.25), "unit_cost": "4", "max_order": 500},
        {"key": "school", "yields": dict.fromkeys(keys[::4], 1 / 3), "unit_cost": "4", "max_order": 400},
        {"key": "ward", "yields": {keys[3]: 1.0}, "unit_cost": "2", "max_order": 300, "lead_time_days": 21},
        {"key": "home", "yields": {keys[7]: 1.0}, "unit_cost": "2", "max_order": 300},
    ]
    body = {"name": "Skin lesions", "metric": METRIC, "budget": {"total": "24000", "rounds": 2}, "groups": groups}
    counts = {one["key"]: one["initial_count"] for one in groups}
    runs = [
        {
            "external_id": f"run-{number}",
            "counts": {key: int(share * count) for key, count in counts.items()},
            "metrics": {
                key: {"value": 0.95 - (1.0 + 0.2 * (at % 4)) * (share * count) ** -0.35, "stderr": 0.006}
                for at, (key, count) in enumerate(counts.items())
            },
        }
        for number, share in enumerate((0.2, 0.4, 0.6))
    ]
    with service(visitor) as api:
        answer = api.post("/v1/projects", json=body | {"sources": sources})
        assert answer.status_code == 201, answer.text
        path = f"/projects/{answer.json()['id']}"
        assert api.post(f"/v1{path}/observations", json={"observations": runs}).status_code == 201
    return path


SCREEN_ORDER = (".verdict", ".tiles", ".orders", ".standing", ".doubts", ".sign")


def test_what_is_signed_fits_one_screen_and_stands_in_its_order_on_a_phone(visitor: Visitor, clinics: str) -> None:
    visitor.page.set_viewport_size({"width": 1440, "height": 900})
    page = visitor.sign_in(path=clinics)
    expect(page.locator(".orders tbody tr:not(.why)")).to_have_count(5)
    expect(page.locator(".checks > li").first).to_be_visible()
    visitor.settle()
    page.screenshot(path=visitor.folder / "signing-1440.png")
    for button in page.locator(".sign button, .sign a.button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900
    page.set_viewport_size({"width": 360, "height": 740})
    visitor.settle()
    page.screenshot(path=visitor.folder / "signing-360.png", full_page=True)
    tops = [page.locator(f"#plan {part}").first.evaluate("part => part.offsetTop") for part in SCREEN_ORDER]
    assert tops == sorted(tops)
    assert visitor.overflow() <= 0
    # A card says what each of its figures is, which its column's head says no more.
    cost = page.locator("#plan table", has_text="The next allocation").locator("tbody td").nth(2)
    assert cost.evaluate("cell => getComputedStyle(cell, '::before').content") == '"Cost, USD"'
    assert visitor.accessibility() == []
