"""Health, documentation and the start of the service."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.services.jobs.workers import SILENT, Process, take_seat
from app.settings import Settings
from app.store.db import Database
from app.store.jobs import shared_now
from tests.api_client import Api


def test_the_process_is_alive_and_ready(api: Api) -> None:
    anyone = api.as_key(None)
    assert anyone.get("/healthz").json() == {"status": "ok"}
    assert anyone.get("/readyz").json() == {"status": "ok", "worker": "silent"}


def test_readiness_says_whether_a_worker_was_heard_of(api: Api, database: Database) -> None:
    said = []
    for late in (timedelta(0), SILENT * 1.1):
        with database.writing() as session:
            row = take_seat(session, "w", Process("one", 1, "", lambda *_: False), shared_now(session) - late)
        said.append(api.get("/readyz").json()["worker"])
    assert row.id == "w"
    assert said == ["heard", "silent"]


def test_a_database_without_the_newest_schema_is_not_ready(tmp_path: Path) -> None:
    bare = Api(Settings(database_url=f"sqlite:///{tmp_path}/bare.db"), None)
    assert bare.get("/healthz").status_code == 200
    answer = bare.get("/readyz")
    assert (answer.status_code, "tranche migrate" in answer.json()["detail"]) == (503, True)
    bare.close()


def test_a_database_that_is_away_is_not_ready() -> None:
    away = Api(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"), "tranche_0_0")
    assert away.get("/readyz").status_code == 503
    assert away.get("/v1/projects").status_code == 503
    away.close()


def test_the_root_leads_to_sign_in_and_the_documentation_fetches_nothing_from_elsewhere(api: Api) -> None:
    anyone = api.as_key(None)
    assert anyone.get("/").headers["Location"] == "/sign-in"
    page = anyone.get("/docs")
    assert page.status_code == 200
    links = [part.split('"')[0] for mark in ('src="', 'href="') for part in page.text.split(mark)[1:]]
    assert links
    assert all(link.startswith("/") for link in links)
    assert all(anyone.get(link).status_code == 200 for link in links)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/redoc"])
def test_the_contract_is_public(api: Api, path: str) -> None:
    assert api.as_key(None).get(path).status_code == 200
