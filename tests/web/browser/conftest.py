"""A real browser on a real service. Skipped only where TEST_BROWSER names none."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from app.clock import utc_now
from app.settings import Settings
from app.store.db import Database
from tests.api_client import Api, Clock
from tests.conftest import new_key
from tests.waiting import PATIENCE_S, until

ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"]  # fmt: skip
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
SETTLED = """() => {
  const scheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const look = `${scheme} ${document.documentElement.clientWidth < 480 ? "narrow" : "wide"}`;
  return [...document.querySelectorAll("figure.chart-drawn")].every((figure) => figure.dataset.look === look);
}"""


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The app at a free port of this machine. Its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        until(lambda: server.started or not thread.is_alive())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("TEST_BROWSER")
    if not path:
        pytest.skip("TEST_BROWSER names no browser")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_S * 1000)
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Someone at a browser, who notes what the browser's security policy refused."""

    url: str
    api: Api
    database: Database
    browser: Browser
    folder: Path
    page: Page = field(init=False)
    contexts: list[BrowserContext] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def open_context(self, **options: Any) -> Page:
        """A browser of its own, without cookies. options: those of Playwright's new_context."""
        context = self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE_S * 1000)
        self.contexts.append(context)
        if options.get("java_script_enabled", True):
            context.add_init_script(LISTEN)
        page = context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", lambda said: self.problems.append(said.text) if "Content Security" in said.text else None)
        self.page = page
        return page

    def key(self, scopes: str = "admin") -> str:
        return new_key(self.database, scopes)

    def sign_in(self, scopes: str = "admin", path: str = "/") -> Page:
        self.page.goto(self.url + path)
        self.page.get_by_label("API key").fill(self.key(scopes))
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda address: "/sign-in" not in address)
        return self.page

    def goto(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def violations(self) -> list[str]:
        """What the policy refused: on the present page, and what the console told of all pages."""
        here: list[str] = self.page.evaluate("window.violations")
        return here + self.problems

    def accessibility(self) -> list[str]:
        """axe-core's findings on the present page."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
                for one in found for node in one["nodes"]]  # fmt: skip

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wide

    def settle(self) -> None:
        """Waits for charts that are on their way: a change of the scheme or the width draws them anew."""
        self.page.wait_for_load_state("networkidle")
        until(lambda: self.page.evaluate(SETTLED))

    def pictures(self, name: str) -> None:
        """Pictures of the whole page at 360 and 1,600 px, light and dark; no page may scroll sideways."""
        for width in (360, 1600):
            self.page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme)
                self.settle()
                self.page.screenshot(path=self.folder / f"{name}-{width}-{scheme}.png", full_page=True)
                assert self.accessibility() == [], f"{name} at {width} px, {scheme}"
            assert self.overflow() <= 0, f"{name} scrolls sideways at {width} px"
        self.page.emulate_media(color_scheme="light")


@pytest.fixture
def visitor(settings: Settings, database: Database, chromium: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """A visitor who is not signed in; `visitor.api` calls the same service with an admin key."""
    folder = Path(os.environ.get("TEST_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    clock = Clock()
    clock.now = utc_now()
    api = Api(settings, new_key(database), clock=clock)
    with served(api.app) as url:
        made = Visitor(url, api, database, chromium, folder)
        made.open_context()
        yield made
        for context in made.contexts:
            context.close()
    api.close()
