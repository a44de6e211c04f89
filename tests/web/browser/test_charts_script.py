"""Drawings become part of a page whose policy allows no inline script, no inline style and no `eval`."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from app.charts import render
from app.charts.theme import Spec, finished, narrowed, titled
from tests.waiting import PATIENCE_S, until

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'; font-src 'self'"
)
SCRIPT = Path(__file__).parents[3] / "app/web/static/charts.js"
STYLE = SCRIPT.with_name("style.css")
NAME = "<script>document.title='broken'</script><img src=x onerror=document.title='broken'>"
PAGE = """<!doctype html><html lang=en><head><meta charset=utf-8><title>charts</title>
<link rel="stylesheet" href="/style.css">
<script src="/listen.js"></script><script type=module src="/charts.js"></script></head>
<body><figure class="chart" data-spec="/chart.json" data-alt="A chart"></figure></body></html>"""
LISTEN = """window.violations = [];
function tryEval() { setTimeout(() => { try { new Function("1")(); } catch { window.refused = true; } }); }
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


def chart(request: Request) -> Spec:
    theme: Any = request.query_params["theme"]
    values = [{"group": NAME, "count": 3, "share": 0.5}, {"group": "b", "count": 5, "share": 0.25}]
    encoding = {
        "x": {"field": "count", "type": "quantitative", "axis": {"format": ",d"}},
        "y": {"field": "group", "type": "nominal"},
        "tooltip": [{"field": "group", "title": "group"}, {"field": "share", "title": "share", "format": ".0%"}],
    }
    bars: Any = {"mark": "bar", "encoding": encoding, "transform": [{"calculate": "datum.count * 2", "as": "twice"}]}
    words: Any = {"mark": {"type": "text", "dx": 20}, "encoding": {**encoding, "text": {"field": "twice"}}}
    spec = {"title": titled(NAME, "samples"), "data": {"values": values}, "width": "container"}
    made = finished({**spec, "layer": [bars, {**words, "transform": bars["transform"]}]}, theme, NAME)
    return narrowed(made) if "narrow" in request.query_params else made


def drawing(request: Request) -> Response:
    """Answered when it is asked for again: at first there is no time for it."""
    asked.append(request.url.path)
    if len(asked) == 1:
        return Response(status_code=503, headers={"Retry-After": "0"})
    return Response(render.svg(chart(request)), media_type="image/svg+xml")


asked: list[str] = []


def script(text: str | bytes) -> Any:
    return lambda _: Response(text, media_type="text/javascript")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    app = Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})),
            Route("/chart.json", lambda request: JSONResponse(chart(request))),
            Route("/chart.svg", drawing),
            Route("/listen.js", script(LISTEN)),
            Route("/charts.js", script(SCRIPT.read_text())),
            Route("/style.css", lambda _: Response(STYLE.read_text(), media_type="text/css")),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(params=["light", "dark"])
def page(chromium: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = chromium.new_context(color_scheme=request.param, viewport={"width": 800, "height": 600})
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("figure.chart-drawn svg")
    yield page
    context.close()


def violations(page: Page) -> list[str]:
    found: list[str] = page.evaluate("window.violations")
    return found


def eventually(page: Page, condition: str) -> None:
    """Waits for a condition from outside: Playwright's own waiting would evaluate text in the page."""
    until(lambda: page.evaluate(condition))


def test_a_chart_is_drawn_under_a_strict_policy_without_a_violation(page: Page) -> None:
    assert page.locator("figure.chart svg .mark-rect path, figure.chart svg .mark-rect rect").count() >= 2
    assert violations(page) == []


def test_the_policy_of_these_tests_does_forbid_inline_styles_and_eval(page: Page) -> None:
    """Otherwise the absence of violations would say nothing."""
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    eventually(page, "window.violations.length > 0")
    page.evaluate("tryEval()")
    eventually(page, "window.refused === true")


def test_a_screen_reader_hears_the_finding_and_none_of_the_marks(page: Page) -> None:
    assert page.locator("figure.chart").get_attribute("aria-label") == NAME
    assert page.locator("figure.chart svg").locator("xpath=ancestor::*[@aria-hidden='true']").count() == 1


def test_the_numbers_stand_in_a_table_too(page: Page) -> None:
    page.locator("figure.chart summary", has_text="Show as table").click()
    rows = page.locator("figure.chart details tr")
    rows.first.wait_for()
    assert [rows.nth(at).locator("th, td").all_inner_texts() for at in range(rows.count())] == [
        ["group", "share"], [NAME, "50%"], ["b", "25%"],
    ]  # fmt: skip
    assert page.locator("figure.chart details").locator("img, script").count() == 0
    assert violations(page) == []


def test_hovering_shows_numbers_as_text(page: Page) -> None:
    page.locator("figure.chart svg .mark-rect path").first.hover()
    tip = page.locator(".chart-tip")
    tip.wait_for(state="visible")
    assert tip.locator("div").all_inner_texts() == [f"group\n{NAME}", "share\n50%"]
    assert NAME in tip.inner_text()
    assert "50%" in tip.inner_text()
    assert tip.locator("img, script").count() == 0
    assert page.title() == "charts"
    assert violations(page) == []


def test_a_chart_follows_a_change_of_the_colour_scheme(page: Page) -> None:
    scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    inks = {"light": "#1b1f24", "dark": "#e9edf1"}
    page.wait_for_selector(f"figure.chart svg text[fill='{inks.pop(scheme)}']", state="attached")
    (other,) = inks
    page.emulate_media(color_scheme=other)
    page.wait_for_selector(f"figure.chart svg text[fill='{inks[other]}']", state="attached")
    assert violations(page) == []


def test_a_chart_fills_a_narrow_page_and_is_not_wider(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    eventually(page, "document.querySelector('figure.chart svg').getBoundingClientRect().right <= innerWidth")
    assert violations(page) == []
