"""The default plan is made by a job before anyone looks, and the last one stands in for it meanwhile."""

from collections.abc import Iterator
from datetime import timedelta
from unittest.mock import patch

import pytest

from app.jobs.workflows import Context
from app.services.ids import new_id
from app.services.planning import looks
from app.settings import Settings
from app.store.models.jobs import KeptPlan, Worker
from tests.api_client import RUNS, Api, run
from tests.jobs.worker import job_context, run_waiting
from tests.web.browser_client import Pages, text_of


@pytest.fixture
def context(api: Api, settings: Settings) -> Iterator[Context]:
    with job_context(settings, api.clock) as made:
        yield made


@pytest.fixture
def path(api: Api, context: Context) -> str:
    """Of a measured project whose plan a job has made, in the API."""
    made = api.project()
    assert api.post(f"{made}/observations", json={"observations": RUNS}).status_code == 201
    run_waiting(context)
    return made


def page_of(path: str) -> str:
    return path.removeprefix("/v1")


def measured(api: Api, path: str) -> None:
    """Another run, whose refit waits."""
    more = run(4, {"A": 300, "B": 150}, A=0.79, B=0.74)
    assert api.post(f"{path}/observations", json={"observations": [more]}).status_code == 201


def worker_seen(context: Context, ago_s: float) -> None:
    with context.database.writing() as session:
        now = looks.store.shared_now(session) - timedelta(seconds=ago_s)
        one = {"life": new_id(), "host": "h", "pid": 1, "began": "b", "started_at": now, "seen_at": now}
        session.merge(Worker(id="w", **one))


def test_what_a_job_made_is_shown_without_planning(api: Api, pages: Pages, path: str) -> None:
    answer = api.get(f"{path}/allocations/next").json()
    with patch.object(looks, "allocating", side_effect=AssertionError("planned in the page's request")):
        page = pages.get(page_of(path))
    assert page.status_code == 200, page.text
    assert all(f"{one['add']:,}" in text_of(page) for one in answer["groups"])
    assert 'id="renewing"' not in page.text
    assert "Propose" in text_of(page)


def test_meanwhile_the_last_plan_is_shown_and_marked_and_cannot_be_proposed(
    api: Api, pages: Pages, path: str, context: Context
) -> None:
    before = pages.get(page_of(path))
    mark = pages.get(f"{page_of(path)}/progress").text
    measured(api, path)
    worker_seen(context, ago_s=1)
    with patch.object(looks, "allocating", side_effect=AssertionError("planned in the page's request")):
        page = pages.get(page_of(path))
    assert "being renewed" in text_of(page)
    assert "/propose" in before.text
    assert "/propose" not in page.text
    waiting = pages.get(f"{page_of(path)}/progress").text
    assert f'data-seen="{waiting}"' in page.text
    assert waiting != mark
    run_waiting(context)
    assert pages.get(f"{page_of(path)}/progress").text not in (waiting, mark)
    assert "being renewed" not in text_of(pages.get(page_of(path)))


@pytest.mark.parametrize("ago_s", [None, 120])
def test_without_a_worker_the_page_plans_by_itself(
    api: Api, pages: Pages, path: str, context: Context, ago_s: int | None
) -> None:
    measured(api, path)
    if ago_s is not None:
        worker_seen(context, ago_s)
    page = pages.get(page_of(path))
    assert "being renewed" not in text_of(page)
    version = api.get(path).json()["data_version"]
    assert f'name="data_version" value="{version}"' in page.text


def test_a_plan_of_another_release_is_made_anew(api: Api, pages: Pages, path: str, context: Context) -> None:
    with context.database.writing() as session:
        for row in session.query(KeptPlan):
            row.answer = {"shape": "of old"}
    assert pages.get(page_of(path)).status_code == 200


def test_another_question_is_not_answered_by_the_kept_plan(pages: Pages, path: str) -> None:
    page = pages.get(page_of(path), params={"budget": "100"})
    assert "budget 100.00 USD" in text_of(page)
