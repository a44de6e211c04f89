"""The report in a real browser: saved, opened from disk without a network, printed, read aloud."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from tests.census import GROUPS, METRIC, measured_runs
from tests.waiting import PATIENCE_S
from tests.web.browser.conftest import Visitor

SCRIPT, FORMULA = "<script>alert(1)</script>", '=HYPERLINK("x")'
WIDE, NARROW = 1200, 360
MANY = 1_000


def service(visitor: Visitor) -> httpx.Client:
    """The API of the service that the browser looks at; the browser's own loop lets no other run in this thread."""
    headers = {"Authorization": f"Bearer {visitor.api.key}"}
    return httpx.Client(base_url=visitor.url, headers=headers, timeout=PATIENCE_S)


def project(visitor: Visitor, body: dict[str, Any], runs: list[dict[str, Any]]) -> str:
    """The path of its page."""
    with service(visitor) as api:
        made = api.post("/v1/projects", json=body)
        assert made.status_code == 201, made.text
        path = f"/projects/{made.json()['id']}"
        posted = api.post(f"/v1{path}/observations", json={"observations": runs})
        assert posted.status_code == 201, posted.text
    return path


@pytest.fixture
def census(visitor: Visitor) -> str:
    """The census project, two groups and the project named as nobody should; a round of it is bought."""
    names = [SCRIPT, FORMULA]
    groups = [{**group, "target": 0.85} | ({"name": name} if name else {})
              for group, name in zip(GROUPS, [*names, *[""] * len(GROUPS)], strict=False)]  # fmt: skip
    runs = [
        {
            "external_id": one.external_id,
            "counts": dict(one.counts),
            "holdout": one.holdout,
            "metrics": {key: {"value": metric.value, "stderr": metric.stderr} for key, metric in one.metrics.items()},
        }
        for one in measured_runs()
    ]
    body = {"name": SCRIPT, "metric": METRIC, "budget": {"total": "2500", "rounds": 2}, "groups": groups}
    path = project(visitor, body, runs)
    with service(visitor) as api:
        seen = api.get(f"/v1{path}/allocations/next", params={"budget": "600"}).json()
        asked = {"external_id": "r1", "data_version": seen["data_version"], "query": {"budget": "600"}}
        proposed = api.post(f"/v1{path}/rounds", json=asked)
        assert proposed.status_code == 201, proposed.text
        tag = api.get(f"/v1{path}/rounds/1").headers["ETag"]
        accepted = api.post(f"/v1{path}/rounds/1/accept", headers={"If-Match": tag}, json={"note": "wanted"})
        assert accepted.status_code == 200, accepted.text
    return path


@pytest.fixture
def many(visitor: Visitor) -> str:
    """A thousand groups, three runs."""
    groups = [
        {"key": f"g{place}", "name": f"District {place} of the northern region", "unit_cost": f"{1 + place % 4}.50",
         "initial_count": 40 + 37 * place % 900, "target": 0.8}
        for place in range(MANY)
    ]  # fmt: skip
    groups[0]["name"], groups[1]["name"] = SCRIPT, FORMULA
    runs = []
    for number, share in enumerate((0.25, 0.5, 1.0)):
        counts = {str(group["key"]): int(share * int(str(group["initial_count"]))) for group in groups}
        values = {key: {"value": 1 - 0.7 * count ** -(0.1 + 0.15 * (place % 7) / 7), "stderr": 0.01}
                  for place, (key, count) in enumerate(counts.items())}  # fmt: skip
        runs.append({"external_id": f"run-{number}", "counts": counts, "metrics": values})
    metric = {"name": "accuracy", "kind": "proportion", "goal": "maximize", "lower": 0.0, "upper": 1.0}
    body = {"name": "Districts", "metric": metric, "budget": {"total": "20000", "rounds": 2}, "groups": groups}
    return project(visitor, body, runs)


def save(visitor: Visitor, path: str) -> Path:
    """From the project's rounds, which leave the charts of its plan undrawn, to the file of its report."""
    page = visitor.sign_in(path=f"{path}/rounds")
    page.get_by_role("link", name="Report and tables").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the report").click()
    assert visitor.violations() == []
    file = visitor.folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def open_alone(visitor: Visitor, file: Path, said: list[str]) -> Page:
    """The file from disk, without a network. Whatever goes wrong or asks for anything is noted in `said`."""
    page = visitor.open_context(offline=True, java_script_enabled=True)
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: None if request.url == file.as_uri() else said.append(request.url))
    page.set_viewport_size({"width": WIDE, "height": 900})
    page.goto(file.as_uri())
    return page


def pictures(visitor: Visitor, page: Page, name: str) -> int:
    """Pictures at both widths, and the printed pages. How many these are."""
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": 900})
        assert visitor.overflow() <= 0, f"the report scrolls sideways at {width} px"
        assert visitor.accessibility() == []
        page.screenshot(path=visitor.folder / f"{name}-{width}.png", full_page=True)
    printed = page.pdf(path=visitor.folder / f"{name}.pdf", prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page[^s]", printed))


def test_the_report_is_saved_and_opens_without_the_service(visitor: Visitor, census: str) -> None:
    file = save(visitor, census)
    assert re.fullmatch(r"script-alert-1-script-report-v\d+\.html", file.name)
    said: list[str] = []
    page = open_alone(visitor, file, said)
    assert page.get_by_role("heading", level=1).inner_text() == SCRIPT
    assert page.locator("h2").count() == 8
    rows = page.locator("section[aria-labelledby=stand] tbody th").all_inner_texts()
    assert {SCRIPT, FORMULA} <= set(rows)
    drawings = page.locator("figure svg")
    assert drawings.count() >= 6
    drawn = drawings.locator("text").all_text_contents()
    assert any(SCRIPT in text for text in drawn)
    assert any(FORMULA in text for text in drawn)
    assert 4 <= pictures(visitor, page, "report") <= 12
    assert visitor.violations() == []
    assert said == []


def test_the_report_is_read_in_its_place_too(visitor: Visitor, census: str) -> None:
    page = visitor.sign_in(path=f"{census}/exports")
    visitor.pictures("exports")
    page.get_by_role("link", name="Read it here").click()
    assert page.locator("h2").count() == 8
    assert page.locator("figure svg").first.is_visible()
    page.get_by_role("link", name="7. Rounds").click()
    assert page.url.endswith("#rounds")
    # Its style came through the policy, which lets nothing else in.
    assert page.evaluate("getComputedStyle(document.querySelector('h2')).borderTopStyle") == "solid"


def test_of_a_thousand_groups_the_report_shows_those_that_matter(visitor: Visitor, many: str) -> None:
    said: list[str] = []
    page = open_alone(visitor, save(visitor, many), said)
    assert page.locator("section[aria-labelledby=stand] tbody tr").count() == 30
    assert "groups that stand better than these, 970;" in page.locator("section[aria-labelledby=stand]").inner_text()
    assert page.locator("figure.wide svg").get_by_text("now", exact=True).count() == 6
    assert "The 6 groups that get the most money" in page.locator("figure.wide figcaption").inner_text()
    assert pictures(visitor, page, "report-thousand") <= 20
    assert said == []
