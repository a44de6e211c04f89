"""What workers do hour by hour: delete what is due, and take up erasures that somebody left."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from app.jobs.client import JobClient
from app.jobs.upkeep import ENGINE, due, keep_up, purge
from app.services.retention import erasing
from app.settings import Settings
from app.store.db import Database
from app.store.models.erasures import Erasure
from app.store.models.jobs import Job
from app.store.models.projects import Project
from tests.api_client import Api
from tests.jobs.worker import job_context, run_waiting, working
from tests.services.retention.rows import fill
from tests.waiting import until


def test_old_jobs_and_what_the_engine_kept_of_them_go_and_a_dry_run_says_so(
    api: Api, settings: Settings, database: Database
) -> None:
    path = api.project()
    assert (
        api.post(f"{path}/simulations", json={"policies": ["equal"], "replicates": 2, "rounds": 1}).status_code == 202
    )
    with working(settings) as context:
        until(lambda: api.get("/v1/jobs?state=succeeded").json()["items"])
        client = JobClient(context.database)
        until(lambda: all(one.status == "SUCCESS" for one in client.engine.list_workflows()))
        number = len(client.engine.list_workflows())
        assert ENGINE not in due(context.database, client, settings)
        soon = settings.model_copy(update={"job_retention_days": 1e-9, "simulation_retention_days": 0})
        said = due(context.database, client, soon)
        assert said[ENGINE] == number
        assert keep_up(context.database, client, soon)
        assert client.engine.list_workflows() == []
        assert due(context.database, client, soon) == {}
        # A simulation's job says what became of it.
        assert len(api.get("/v1/jobs").json()["items"]) == 1
        client.close()


def test_an_erasure_whose_job_was_lost_is_taken_up_after_an_hour(settings: Settings, database: Database) -> None:
    with database.writing() as session:
        project = session.get_one(Project, fill(session, "old")["projects"])
        row = erasing.ask_to_erase(session, project, project.name, True, None, datetime.now(UTC) - timedelta(hours=2))
        session.execute(update(Job).values(state="succeeded"))
    with job_context(settings) as context:
        client = JobClient(context.database)
        for _ in range(2):
            keep_up(context.database, client, settings)
        assert run_waiting(context) == [erasing.ERASE]
        client.close()
    with database.reading() as session:
        assert session.get_one(Erasure, row.id).ended_at is not None


def test_a_turn_ends_in_time_and_says_that_more_is_left(settings: Settings, database: Database) -> None:
    with database.writing() as session:
        fill(session, "old")
    client = JobClient(database)
    assert not keep_up(database, client, settings, turn_s=0)
    assert purge(database, client, settings)[1]
    client.close()
