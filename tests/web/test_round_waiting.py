"""What of a round waits to be mapped: named on its page, and mapped from there."""

from collections.abc import Callable, Iterator

import pytest

from app.settings import Settings
from app.store.db import Database
from tests.api_client import Api
from tests.conftest import new_key
from tests.jobs.worker import job_context
from tests.vendors.world import World
from tests.web.browser_client import Pages, text_of

HOSTILE = "<script>alert(1)</script> women"


@pytest.fixture
def make_world(settings: Settings, api: Api) -> Iterator[Callable[[], World]]:
    with job_context(settings, api.clock) as context:
        yield lambda: World(api, context)


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    made = make_world()
    made.send({"id": "1", "group": HOSTILE, "state": "accepted"}, {"id": "2", "group": "A", "state": "accepted"})
    assert made.counts() == {"A": {"accepted": 1}, "": {"unmapped": 1}}
    return made


def round_of(world: World) -> str:
    return world.project.removeprefix("/v1") + "/rounds/1"


def test_unmapped_samples_are_named_and_mapped_from_the_round(pages: Pages, world: World) -> None:
    page = pages.get(round_of(world))
    assert "<script>alert" not in page.text
    assert f"{HOSTILE} vendor 1 Its group." in text_of(page)
    form = {"word": [HOSTILE], "group": ["B"], "next": round_of(world)}
    answer = pages.post(f"/connections/{world.connection_id}/map", form)
    assert (answer.status_code, answer.headers["location"]) == (303, round_of(world))
    world.map()
    assert world.counts() == {"A": {"accepted": 1}, "B": {"accepted": 1}}
    assert 'id="waiting"' not in pages.get(round_of(world)).text


def test_a_group_that_is_not_there_is_refused_and_one_of_another_project_says_so(pages: Pages, world: World) -> None:
    pages.get(round_of(world))
    refused = pages.post(f"/connections/{world.connection_id}/map", {"word": [HOSTILE], "group": ["C"]})
    assert refused.status_code == 422
    assert "there is no group 'C'" in text_of(refused)
    other = world.api.project(groups=[{"key": "C", "initial_count": 0}])
    source = {"key": "s", "group": "C", "unit_cost": "2", "connection": world.connection_id}
    assert world.api.post(f"{other}/sources", json=source).status_code == 201
    assert pages.post(f"/connections/{world.connection_id}/map", {"word": [HOSTILE], "group": ["C"]}).status_code == 303
    world.map()
    page = pages.get(round_of(world))
    assert "Mapped to C, which is no group of this project" in text_of(page)
    assert f'action="/connections/{world.connection_id}/map"' in page.text


def test_mapping_leads_back_to_no_other_host(pages: Pages, world: World) -> None:
    pages.get(round_of(world))
    form = {"word": [HOSTILE], "group": ["B"], "next": "//elsewhere.example"}
    assert pages.post(f"/connections/{world.connection_id}/map", form).headers["location"] == "/"


def test_who_may_not_map_sees_the_words_and_a_limited_key_the_number_alone(
    api: Api, database: Database, world: World
) -> None:
    reader = Pages(api)
    reader.sign_in(new_key(database, "read"))
    page = reader.get(round_of(world))
    assert HOSTILE in text_of(page)
    assert "/map" not in page.text
    limited = Pages(api)
    limited.sign_in(new_key(database, "admin", project_ids=[world.project.rsplit("/", 1)[1]]))
    page = limited.get(round_of(world))
    assert "1 delivered sample counts for no group yet" in text_of(page)
    assert HOSTILE not in text_of(page)


def test_each_group_of_a_source_has_its_row(pages: Pages, world: World) -> None:
    world.send({"id": "3", "group": "B", "state": "rejected"}, {"id": "4", "group": "B", "state": "submitted"})
    shown = text_of(pages.get(round_of(world)))
    assert "of A 1 0 0" in shown
    assert "of B 0 1 1" in shown
    assert "All sources 100 1 1 1 1" in shown
