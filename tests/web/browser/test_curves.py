"""The curves of a project of 20 groups in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.web.browser.conftest import Visitor
from tests.web.twenty import twenty_groups


@pytest.fixture
def project(visitor: Visitor) -> str:
    return twenty_groups(visitor.api).removeprefix("/v1")


def test_curves_are_drawn_twelve_at_a_time_and_hovering_shows_numbers(visitor: Visitor, project: str) -> None:
    page = visitor.sign_in(path=f"{project}/curves")
    figures = page.locator("figure.chart")
    names = [" ".join(str(one.get_attribute("aria-label")).split()[:5]) for one in figures.all()]
    assert names == [f"Learning curve of Clinic {at}" for at in range(1, 13)]
    first = figures.first.locator(".chart-drawing svg")
    expect(first).to_be_visible()
    expect(figures.first).to_have_attribute("aria-label", re.compile("^Clinic 1: "))
    assert figures.last.locator("svg").count() == 0, "what is far below is not asked for"
    first.locator("g.mark-symbol path[opacity='0']").nth(12).hover(force=True)
    tip = figures.first.locator(".chart-tip")
    expect(tip).to_be_visible()
    said: Any = dict(line.split("\n") for line in tip.locator("> div").all_inner_texts())
    assert set(said) == {"samples", "expected", "5 %", "95 %"}
    assert float(said["5 %"]) < float(said["expected"]) < float(said["95 %"])
    assert visitor.violations() == []
    visitor.pictures("curves")
    page.get_by_role("link", name="Next groups").first.click()
    expect(page.get_by_text("Groups 13 to 20 of 20").first).to_be_visible()
    expect(page.locator("figure.chart .chart-drawing svg").first).to_be_visible()
    assert visitor.violations() == []


def test_without_scripts_the_curves_are_a_picture_and_a_table(visitor: Visitor, project: str) -> None:
    page = visitor.open_context(java_script_enabled=False)
    visitor.sign_in(path=f"{project}/curves")
    picture = page.locator("figure.chart img").last
    expect(picture).to_be_visible()
    assert page.locator("table tbody tr").count() == 12
    sent = page.request.get(visitor.url + str(picture.get_attribute("src")))
    assert sent.headers["content-type"] == "image/svg+xml"
    assert re.search('aria-label="Clinic 12: ', sent.text())


def test_a_plan_of_twenty_groups_is_drawn_and_hovering_a_curve_shows_its_numbers(
    visitor: Visitor, project: str
) -> None:
    page = visitor.sign_in(path=project)
    assert page.locator("#plan table", has_text="The next allocation").locator("tbody tr").count() == 20
    for figure in page.locator("figure.chart:visible").all():
        figure.scroll_into_view_if_needed()
        expect(figure.locator(".chart-drawing svg")).to_be_visible()
    curves = page.locator("figure.chart[data-spec*='/charts/curve.']").first
    curves.locator("g.mark-symbol path[opacity='0']").nth(12).hover(force=True)
    expect(curves.locator(".chart-tip")).to_contain_text("expected")
    visitor.pictures("plan-twenty")
    assert visitor.violations() == []


def test_scenarios_are_drawn_beside_each_other(visitor: Visitor, project: str) -> None:
    page = visitor.sign_in(path=f"{project}/scenarios")
    for at, (name, budget) in enumerate([("as planned", "3000"), ("half of it", "1500"), ("twice", "6000")], 1):
        page.locator(f"#name-{at}").fill(name)
        page.locator(f"#budget-{at}").fill(budget)
    page.get_by_role("button", name="Compare").click()
    page.locator("figure.chart").scroll_into_view_if_needed()
    expect(page.locator("figure.chart .chart-drawing svg")).to_contain_text("twice does better than as planned")
    visitor.pictures("scenarios-compared")
    assert visitor.violations() == []
