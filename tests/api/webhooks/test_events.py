"""Events: one for every change that matters, in an order that no reader can miss one of."""

import threading
from typing import Any

import pytest
from sqlalchemy import text

from app.services.ids import new_id
from app.services.webhooks.events import record
from app.store.db import Database
from app.store.models.access import Workspace
from app.store.webhooks import last_sequence
from tests.api_client import NOW, RUNS, Api, run
from tests.conftest import new_key


def events(api: Api, query: str = "") -> dict[str, Any]:
    answer = api.get(f"/v1/events{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def enqueue_nothing(*_: object, **__: object) -> None:
    pass


def test_posting_observations_leaves_one_event_that_names_where_to_look(api: Api) -> None:
    project = api.project()
    answer = api.post(f"{project}/observations", json={"observations": RUNS})
    [event] = events(api)["items"]
    assert event["type"] == "observations.accepted"
    assert event["sequence"] == 1
    assert event["version"] == 1
    assert event["project_id"] == project.rpartition("/")[2]
    assert event["data"] == {
        "url": f"{project}/observations",
        "accepted": 3,
        "data_version": answer.json()["data_version"],
    }
    assert len(api.get(event["data"]["url"]).json()["items"]) == 3


def test_what_changes_nothing_leaves_no_event(api: Api) -> None:
    project = api.project()
    api.post(f"{project}/observations", json={"observations": RUNS})
    assert api.post(f"{project}/observations", json={"observations": RUNS}).json()["duplicates"] == 3
    assert api.post(f"{project}/observations", json={"observations": [run(9, {"A": 1}, A=0.5)]}).status_code == 422
    assert len(events(api)["items"]) == 1


def test_a_reader_catches_up_page_by_page(api: Api) -> None:
    project = api.project()
    for number in range(5):
        api.post(f"{project}/observations", json={"observations": [run(number, {"A": 50, "B": 25}, A=0.7)]})
    seen, after = [], 0
    while page := events(api, f"?after={after}&limit=2")["items"]:
        seen += [event["sequence"] for event in page]
        after = page[-1]["sequence"]
    assert seen == [1, 2, 3, 4, 5]


def test_next_after_leads_past_events_that_were_not_asked_for(api: Api) -> None:
    project = api.project()
    api.post(f"{project}/observations", json={"observations": RUNS})
    assert events(api, "?type=round.accepted") == {"items": [], "next_after": 1}
    assert events(api, "?after=7") == {"items": [], "next_after": 7}
    assert len(events(api, "?type=round.accepted&type=observations.accepted")["items"]) == 1


@pytest.mark.parametrize("query", ["?after=-1", "?after=x", "?limit=0", "?limit=501", "?type=nothing.happened"])
def test_bad_questions_are_refused(api: Api, query: str) -> None:
    assert api.get(f"/v1/events{query}").status_code == 422


def test_workspaces_count_and_read_their_own_events(api: Api, database: Database) -> None:
    other = api.as_key(new_key(database, workspace_name="other"))
    for one in (api, other):
        one.post(f"{one.project()}/observations", json={"observations": RUNS})
    assert [event["sequence"] for event in events(api)["items"]] == [1]
    assert [event["sequence"] for event in events(other)["items"]] == [1]
    assert events(api)["items"] != events(other)["items"]


def test_a_key_limited_to_a_project_reads_its_events_alone(api: Api, database: Database) -> None:
    mine, others = api.project(), api.project()
    for project in (others, mine, others):
        runs = [{**run, "external_id": None} for run in RUNS]
        assert api.post(f"{project}/observations", json={"observations": runs}).status_code == 201
    limited = api.as_key(new_key(database, "read", project_ids=[mine.rpartition("/")[2]]))
    assert events(limited)["next_after"] == 3
    assert [event["sequence"] for event in events(limited)["items"]] == [2]


def test_sequences_become_visible_in_their_order_and_without_gaps(database: Database) -> None:
    """Six writers, of whom every third rolls back, and a reader that asks all the while."""
    workspace = Workspace(id=new_id(), name="busy", created_at=NOW)
    with database.writing() as session:
        session.add(workspace)

    def write(number: int) -> None:
        for turn in range(8):
            with database.writing() as session:
                record(session, workspace.id, "round.closed", None, {"url": "/"}, NOW, enqueue_nothing)
                if (number + turn) % 3 == 0:
                    session.rollback()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    numbers = text("SELECT sequence FROM events ORDER BY sequence")
    while True:
        ended = not any(thread.is_alive() for thread in threads)
        with database.reading() as session:
            seen = list(session.scalars(numbers))
            assert seen == list(range(1, len(seen) + 1))
            assert last_sequence(session, workspace.id) == len(seen)
        if ended:
            break
    assert len(seen) == 32
