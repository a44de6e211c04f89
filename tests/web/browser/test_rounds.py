"""A round in a real browser: accepted by its button, its bars moving as deliveries come, without loading it again."""

import pytest
from playwright.sync_api import expect

from app.settings import Settings
from tests.api_client import RUNS
from tests.jobs.worker import job_context
from tests.vendors.world import World
from tests.web.browser.conftest import Visitor


@pytest.fixture
def project(visitor: Visitor) -> str:
    path = visitor.api.project(groups=[
        {"key": "A", "name": "<b>Group</b> of A", "initial_count": 200, "unit_cost": "1"},
        {"key": "B", "initial_count": 100, "unit_cost": "2.00"},
    ])  # fmt: skip
    assert visitor.api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path.removeprefix("/v1")


def test_a_round_is_signed_off_and_its_progress_moves_by_itself(visitor: Visitor, project: str) -> None:
    page = visitor.sign_in(path=project)
    page.get_by_role("button", name="Propose this round").click()
    page.wait_for_url("**/rounds/1")
    visitor.pictures("round-proposed")
    page.get_by_label("In your words").or_(page.get_by_label("Why to buy it all the same")).fill("for the audit")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="Approve")).to_contain_text("USD?")
    visitor.pictures("round-confirm")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="Round 1")).to_contain_text("accepted")
    order = next(one for one in visitor.api.get(f"/v1{project}/rounds/1").json()["orders"] if one["source"] == "A")
    half = order["quantity"] // 2
    body = {"external_id": "d1", "groups": {"A": {"accepted": half, "rejected": 1}}}
    answer = visitor.api.post(f"/v1{project}/rounds/1/orders/{order['id']}/deliveries", json=body)
    assert answer.status_code == 201, answer.text
    expect(page.locator("#round-finding")).to_contain_text(f"{half:,} of")
    expect(page.get_by_role("heading", name="Round 1")).to_contain_text("collecting")
    body = {"external_id": "d2", "groups": {"A": {"accepted": 1}}}
    assert visitor.api.post(f"/v1{project}/rounds/1/orders/{order['id']}/deliveries", json=body).status_code == 201
    expect(page.locator("#round-said")).to_contain_text(f"{half + 1:,} of")
    bar = page.locator("#round tbody tr").first.locator("progress")
    expect(bar).to_have_attribute("value", str(half + 1))
    visitor.pictures("round-collecting")
    page.get_by_role("link", name="Rounds", exact=True).click()
    expect(page.locator("figure.chart .chart-drawing svg")).to_be_visible()
    expect(page.locator(".timeline .stage")).to_contain_text(f"{half + 1:,} samples accepted, 1 rejected")
    visitor.pictures("rounds")
    assert visitor.violations() == []


def test_rounds_read_and_move_on_without_scripts(visitor: Visitor, project: str) -> None:
    version = visitor.api.get(f"/v1{project}").json()["data_version"]
    visitor.api.post(f"/v1{project}/rounds", json={"external_id": "r", "data_version": version})
    page = visitor.open_context(java_script_enabled=False)
    visitor.sign_in(path=f"{project}/rounds")
    page.get_by_role("link", name="Round 1").click()
    page.get_by_label("Why not").fill("too dear")
    page.get_by_role("button", name="Decline").click()
    page.get_by_text("Propose again").click()
    page.locator('[name="order:A"]').fill("20")
    page.get_by_role("button", name="Propose these orders").click()
    page.get_by_label("In your words").or_(page.get_by_label("Why to buy it all the same")).fill("for the audit")
    for name in ("Approve", "Approve", "Close the round", "Close and release"):
        page.get_by_role("button", name=name).click()
    states = [one["state"] for one in visitor.api.get(f"/v1{project}/rounds").json()["items"]]
    assert states == ["declined", "closed"]


def test_a_webhook_moves_the_round_and_what_it_does_not_know_is_mapped_there(
    visitor: Visitor, settings: Settings
) -> None:
    with job_context(settings, visitor.api.clock) as context:
        world = World(visitor.api, context)
        page = visitor.sign_in(path=world.project.removeprefix("/v1") + "/rounds/1")
        finding = page.locator("#round-finding")
        expect(finding).to_contain_text("0 of 0 planned samples accepted")
        world.send({"id": "1", "group": "A", "state": "accepted"})
        expect(finding).to_contain_text("1 of 0 planned samples accepted")
        word = "women <b>of colour</b>"
        world.send({"id": "2", "group": word, "state": "accepted"}, {"id": "3", "group": "B", "state": "rejected"})
        page.get_by_label(word).wait_for()
        visitor.pictures("round-waiting")
        page.get_by_label(word).select_option("B")
        page.get_by_role("button", name="Map").click()
        expect(page.get_by_text("1 word mapped.")).to_be_visible()
        world.map()
        expect(page.locator("#waiting")).to_have_count(0)
        cells = page.locator("#round tr.part", has_text="of B").locator("td")
        expect(cells).to_have_text(["", "", "1", "1", "0", "", "", "", ""])
        assert visitor.violations() == []
