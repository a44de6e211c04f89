"""Subscribing by the vendors' own APIs, played on loopback by their documentation."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.jobs.worker import run_waiting
from tests.vendors.fake_label_studio import FakeLabelStudio
from tests.vendors.fake_prolific import FakeProlific
from tests.vendors.serving import served
from tests.vendors.world import World


@pytest.fixture
def prolific() -> FakeProlific:
    return FakeProlific()


@pytest.fixture
def recruiting(make_world: Callable[..., World], prolific: FakeProlific) -> Iterator[World]:
    with served(prolific.handle) as url:
        yield make_world(kind="prolific", config={"base_url": url, "workspace_id": "w"}, api_token=prolific.token)


def subscribe(world: World, **body: Any) -> dict[str, Any]:
    asked = world.api.post(f"{world.connection}/subscription", json=body)
    assert asked.status_code == 202, asked.text
    assert asked.json()["subscription"]["state"] == "asked"
    assert "vendors.subscribe" in run_waiting(world.context)
    found: dict[str, Any] = world.api.get(world.connection).json()["subscription"]
    return found


@pytest.mark.parametrize("listed", [False, True])
def test_prolific_is_subscribed_to_and_its_secret_verifies_what_it_sends(
    recruiting: World, prolific: FakeProlific, listed: bool
) -> None:
    prolific.lists_subscriptions = listed
    made = subscribe(recruiting)
    assert (made["state"], made["ids"], made["detail"]) == ("made", ["hook-1", "hook-2"], None)
    assert {(one["event_type"], one["is_enabled"], one["workspace_id"]) for one in prolific.subscriptions.values()} == {
        ("submission.status.change", True, "w"), ("study.status.change", True, "w")}  # fmt: skip
    assert all(httpx.URL(one["target_url"]).path == recruiting.hook for one in prolific.subscriptions.values())
    prolific.secret = prolific.secrets["w"]
    sent, body = prolific.signed({"event_type": "study.status.change", "resource_id": "s"}, recruiting.now, "e1")
    assert recruiting.post(body, sent).status_code == 202
    assert subscribe(recruiting)["ids"] == ["hook-1", "hook-2"]
    assert len(prolific.subscriptions) == 2
    assert prolific.secrets == {"w": prolific.secret}


def test_a_secret_that_the_workspace_has_is_taken_over_and_not_replaced(
    recruiting: World, prolific: FakeProlific
) -> None:
    prolific.secrets["w"] = prolific.secret
    subscribe(recruiting)
    assert prolific.secrets == {"w": prolific.secret}
    assert ("POST", "/api/v1/hooks/secrets/") not in prolific.calls
    answer = recruiting.api.get(recruiting.connection)
    assert prolific.secret not in answer.text
    assert answer.json()["old_secret_until"] is not None


def test_a_refusal_is_told_and_asked_again_with_another_token(
    make_world: Callable[..., World], prolific: FakeProlific
) -> None:
    with served(prolific.handle) as url:
        config = {"base_url": url, "workspace_id": "w"}
        world = make_world(kind="prolific", config=config, api_token="a wrong token")
        refused = subscribe(world)
        assert (refused["state"], refused["made_at"]) == ("refused", None)
        assert "was answered 401" in refused["detail"]
        prolific.failures = [503]
        assert subscribe(world, api_token=prolific.token)["detail"] == "the vendor answered 503"
        assert subscribe(world)["state"] == "made"


def test_label_studio_gets_one_webhook_a_project_with_the_present_secret(make_world: Callable[..., World]) -> None:
    studio = FakeLabelStudio()
    with served(studio.handle) as url:
        world = make_world(kind="label_studio", config={"base_url": url}, api_token=studio.token)
        nothing = world.api.post(f"{world.connection}/subscription", json={})
        assert nothing.json()["errors"][0]["pointer"] == "/orders"
        made = subscribe(world, orders=["12", "13"])
        assert (made["state"], made["orders"]) == ("made", ["12", "13"])
        assert made["ids"] == [str(one["id"]) for one in studio.hooks]
        world.api.post(f"{world.connection}/orders/12", json={"order_id": world.order_id})
        fresh = world.api.post(f"{world.connection}/rotate", json={}).json()["secret"]
        assert subscribe(world)["orders"] == ["12"]
        assert {one["project"]: one["headers"]["X-Tranche-Token"] for one in studio.hooks} == {
            12: fresh, 13: world.secret}  # fmt: skip
        assert {httpx.URL(one["url"]).path for one in studio.hooks} == {world.hook}


def test_what_cannot_be_subscribed_to_is_refused_at_once(make_world: Callable[..., World], world: World) -> None:
    assert world.api.post(f"{world.connection}/subscription", json={}).status_code == 409
    tokenless = make_world(kind="prolific", config={"workspace_id": "w"})
    answer = tokenless.api.post(f"{tokenless.connection}/subscription", json={})
    assert answer.status_code == 409
    assert "api_token" in answer.json()["detail"]
    named = tokenless.api.post(f"{tokenless.connection}/subscription", json={"orders": ["1"], "api_token": "12345678"})
    assert named.json()["errors"][0]["pointer"] == "/orders"
    assert tokenless.api.get(tokenless.connection).json()["has_api_token"] is False
