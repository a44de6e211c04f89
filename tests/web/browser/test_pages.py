"""The pages in a real browser: they can be reached, read and used, and load nothing that is not ours."""

from typing import Any

import pytest

from tests.api_client import RUNS
from tests.web.browser.conftest import Visitor
from tests.web.test_create import GROUPS
from tests.web.test_create import RUNS as RUNS_CSV

LONG = "A name without a break " + "x" * 150


def filled(visitor: Visitor) -> tuple[str, str]:
    """A service with something on every page. The paths of its connection and of its endpoint."""
    api = visitor.api
    path = api.project(name="<script>alert(1)</script>")
    api.post(f"{path}/observations", json={"observations": RUNS})
    api.project(name=LONG, groups=[])
    vendor = {"name": "Voices & <b>faces</b>", "kind": "standard"}
    connection = api.post("/v1/vendor-connections", json=vendor).json()
    endpoint = api.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/hooks/" + "y" * 100}).json()
    return f"/connections/{connection['id']}", f"/endpoints/{endpoint['id']}"


def test_every_page_is_accessible_fits_its_window_and_breaks_no_policy(visitor: Visitor) -> None:
    connection, endpoint = filled(visitor)
    visitor.goto("/")
    visitor.pictures("sign-in")
    visitor.sign_in()
    pages = {
        "projects": "/",
        "archived": "/?archived=true",
        "new": "/projects/new",
        "connections": "/connections",
        "connection": connection,
        "endpoints": "/endpoints",
        "endpoint": endpoint,
        "keys": "/keys",
        "missing": "/nowhere",
    }
    for name, path in pages.items():
        visitor.goto(path)
        assert visitor.page.evaluate("window.violations") == [], name
        visitor.pictures(name)
    assert visitor.violations() == []


def test_a_project_is_made_from_two_files(visitor: Visitor) -> None:
    page = visitor.sign_in("admin", "/projects/new")
    page.get_by_label("Name", exact=True).fill("from files")
    page.get_by_label("Budget for all rounds").fill("1000")
    groups: Any = {"name": "groups.csv", "mimeType": "text/csv", "buffer": b"key,initial_count\nA,many\n"}
    page.get_by_label("CSV of groups").set_input_files(groups)
    page.get_by_role("button", name="Check").click()
    assert page.get_by_text("line 2").first.is_visible()
    visitor.pictures("new-faults")
    page.get_by_label("CSV of groups").set_input_files({**groups, "buffer": GROUPS.encode()})
    page.get_by_label("CSV of observations").set_input_files(
        {"name": "runs.csv", "mimeType": "text/csv", "buffer": RUNS_CSV.encode()}
    )
    page.get_by_role("button", name="Check").click()
    assert page.get_by_text("Nothing is wrong with it").is_visible()
    assert page.get_by_text("<script>alert(1)</script>").first.is_visible()
    visitor.pictures("new-checked")
    assert visitor.api.get("/v1/projects").json()["items"] == []
    page.get_by_role("button", name="Create the project").click()
    page.wait_for_url("**/projects/*-*")
    (project,) = visitor.api.get("/v1/projects").json()["items"]
    assert project["name"] == "from files"
    assert visitor.problems == []


@pytest.mark.parametrize("scripts", [True, False])
def test_the_keyboard_alone_signs_in_and_out_with_and_without_scripts(visitor: Visitor, scripts: bool) -> None:
    page = visitor.open_context(java_script_enabled=scripts)
    visitor.goto("/")
    key = visitor.key()
    for _ in range(10):
        if page.locator("input[name=key]:focus").count():
            break
        page.keyboard.press("Tab")
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    page.wait_for_url(visitor.url + "/")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.locator(":focus").inner_text())
        if reached[-1] == "Sign out":
            break
    assert reached == ["Tranche", "Projects", "Connections", "Notifications", "Keys", "API", "Sign out"]
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")
    assert page.get_by_text("You are signed out.").is_visible()
