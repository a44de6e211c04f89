"""Jobs over HTTP: read, watched, cancelled, each by its own workspace."""

import json
from collections.abc import Iterator

import pytest

from app.api import jobs as routes
from app.jobs.workflows import Context
from app.settings import Settings
from app.store.db import Database
from tests.api_client import RUNS, Api
from tests.conftest import new_key
from tests.jobs.worker import job_context, run_waiting


@pytest.fixture
def context(api: Api, settings: Settings) -> Iterator[Context]:
    with job_context(settings, api.clock) as made:
        yield made


def started(api: Api) -> str:
    """The path of a job that waits."""
    api.post(f"{api.project()}/observations", json={"observations": RUNS})
    return f"/v1/jobs/{api.get('/v1/jobs').json()['items'][0]['id']}"


def test_a_job_is_read_before_and_after_it_ran(api: Api, context: Context) -> None:
    path = started(api)
    waiting = api.get(path).json()
    assert (waiting["kind"], waiting["state"], waiting["progress"]) == ("refit", "queued", 0)
    assert waiting["started_at"] is None
    run_waiting(context)
    done = api.get(path).json()
    assert (done["state"], done["progress"], done["result"]["data_version"]) == ("succeeded", 1, 2)
    assert done["started_at"] <= done["ended_at"]


def test_jobs_are_listed_newest_first_by_state_and_project(api: Api, context: Context) -> None:
    first = started(api)
    run_waiting(context)
    second = started(api)
    ids = [f"/v1/jobs/{job['id']}" for job in api.get("/v1/jobs").json()["items"]]
    assert ids == [second, first]
    page = api.get("/v1/jobs?limit=1").json()
    rest = api.get(f"/v1/jobs?limit=1&cursor={page['next_cursor']}").json()
    assert [job["id"] for job in page["items"] + rest["items"]] == [path.rpartition("/")[2] for path in ids]
    assert len(api.get("/v1/jobs?state=queued").json()["items"]) == 1
    project = api.get(first).json()["project_id"]
    assert len(api.get(f"/v1/jobs?project={project}").json()["items"]) == 1
    assert api.get("/v1/jobs?project=x").status_code == 422
    assert api.get("/v1/jobs?state=lost").status_code == 422


def test_a_waiting_job_is_cancelled_once(api: Api, context: Context) -> None:
    path = started(api)
    assert api.post(f"{path}/cancel").json()["state"] == "cancelled"
    assert api.post(f"{path}/cancel").status_code == 409
    run_waiting(context)
    assert api.get(path).json()["state"] == "cancelled"


def test_others_cannot_tell_that_a_job_is_there(api: Api, database: Database) -> None:
    path = started(api)
    other = api.as_key(new_key(database, workspace_name="other"))
    limited = api.as_key(new_key(database, project_ids=[api.project().rpartition("/")[2]]))
    for stranger in (other, limited):
        assert stranger.get("/v1/jobs").json()["items"] == []
        assert stranger.get(path).status_code == 404
        assert stranger.get(f"{path}/events").status_code == 404
        assert stranger.post(f"{path}/cancel").status_code == 404
    reader = api.as_key(new_key(database, "read"))
    assert reader.get(path).status_code == 200
    assert reader.post(f"{path}/cancel").status_code == 403
    assert api.as_key(None).get(f"{path}/events").status_code == 401
    assert api.get("/v1/jobs/none").status_code == 404


def messages(body: str) -> list[tuple[str, dict[str, object]]]:
    found = []
    for block in body.strip().split("\n\n"):
        event, data = block.split("\n")
        found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_watcher_is_told_every_state_to_the_end(api: Api, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks the stream waits: there the job goes on."""
    path = started(api)

    async def meanwhile(_: float) -> None:
        run_waiting(context)

    monkeypatch.setattr(routes.anyio, "sleep", meanwhile)
    answer = api.get(f"{path}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = messages(answer.text)
    assert [(event, job["state"]) for event, job in told] == [("progress", "queued"), ("end", "succeeded")]
    assert told[-1][1] == api.get(path).json()


def test_a_stream_without_news_shows_that_it_lives_and_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = started(api)

    async def at_once(_: float) -> None:
        pass

    monkeypatch.setattr(routes.anyio, "sleep", at_once)
    monkeypatch.setattr(routes, "LONGEST_S", 40.0)
    body = api.get(f"{path}/events").text
    assert body.count("event: ") == 1
    assert body.count(": still here") == 2
