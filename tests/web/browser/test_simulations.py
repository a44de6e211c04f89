"""A simulation in a real browser: asked by form, followed as it is played, its charts drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
from playwright.sync_api import Page, expect

from app.settings import Settings
from tests.jobs.worker import working
from tests.waiting import PATIENCE_S, until
from tests.web.browser.conftest import Visitor
from tests.web.twenty import twenty_groups


@contextmanager
def worker(settings: Settings) -> Iterator[None]:
    """Runs jobs in a thread of its own: the browser's loop runs in this one."""
    begun, ended = Event(), Event()

    def work() -> None:
        with working(settings):
            begun.set()
            ended.wait()

    thread = Thread(target=work)
    thread.start()
    try:
        assert begun.wait(PATIENCE_S)
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def project(visitor: Visitor) -> str:
    return twenty_groups(visitor.api).removeprefix("/v1")


def test_a_simulation_is_played_while_one_watches(visitor: Visitor, project: str, settings: Settings) -> None:
    page = visitor.sign_in(path=f"{project}/simulations")
    visitor.pictures("simulations-none")
    page.get_by_label("Games", exact=True).fill("20")
    page.get_by_label("Rounds", exact=True).fill("2")
    page.get_by_role("button", name="Play the games").click()
    expect(page.locator("#simulation-finding")).to_have_text("Waiting for a worker.")
    visitor.pictures("simulation-waiting")
    with worker(settings):
        expect(page.locator("#simulation-finding")).to_contain_text("ends above an equal split")
    for figure in page.locator("figure.chart").all():
        figure.scroll_into_view_if_needed()
        expect(figure.locator(".chart-drawing svg")).to_be_visible()
    assert page.locator("figure.chart").count() == 2
    visitor.pictures("simulation")
    assert visitor.violations() == []
    page.get_by_role("link", name="Simulations").last.click()
    expect(page.locator("table")).to_contain_text("% of games")
    visitor.pictures("simulations")
    assert visitor.violations() == []


def test_a_simulation_is_asked_and_read_without_scripts(visitor: Visitor, project: str, settings: Settings) -> None:
    page = visitor.open_context(java_script_enabled=False)
    visitor.sign_in(path=f"{project}/simulations")
    for box in page.locator("input[name=policy]").all():
        box.uncheck()
    page.locator("input[name=policy][value=optimal]").check()
    page.get_by_label("Games", exact=True).fill("2")
    page.get_by_label("Rounds", exact=True).fill("1")
    page.get_by_role("button", name="Play the games").click()
    with worker(settings):
        until(lambda: loaded_again(page).locator("figure.chart").count())
    expect(page.locator("figure.chart img").first).to_be_visible()
    expect(page.locator("table")).to_contain_text("Perfect knowledge")


def loaded_again(page: Page) -> Page:
    page.get_by_role("link", name="Load the page again").click()
    return page
