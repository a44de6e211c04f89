"""Purging and erasing at the command line."""

import json
from typing import Any

import pytest
from sqlalchemy import make_url
from tranche.command_line import main

from app.settings import Settings
from app.store.db import Database
from app.store.models.access import Workspace
from tests.api_client import RUNS, Api
from tests.conftest import new_key
from tests.services.retention.rows import counts, fill, naming


@pytest.fixture
def tranche(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command; its exit code, and what it said on both outputs."""
    url = make_url(settings.database_url)
    plain = url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)
    monkeypatch.setenv("TRANCHE_DATABASE_URL", plain)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_dry_run_says_what_goes_and_then_it_goes(
    tranche: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as session:
        fill(session, "old")
        before = counts(session)
    monkeypatch.setenv("TRANCHE_AUDIT_RETENTION_DAYS", "0.000001")
    code, said, _ = tranche("purge", "--dry-run")
    assert code == 0
    assert "1  audit_entries" in said
    with database.reading() as session:
        assert counts(session) == before
    assert tranche("purge", "--vacuum") == (0, said, "")
    with database.reading() as session:
        assert "audit_entries" not in counts(session)
    assert tranche("purge") == (0, "Nothing is kept longer than the settings say.\n", "")


def test_a_project_is_erased_and_its_receipt_printed(tranche: Any, api: Api, database: Database) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    project = path.rpartition("/")[2]
    code, _, said = tranche("project", "erase", project, "--name", "another")
    assert (code, "is not the project's name" in said) == (2, True)
    assert api.get(path).status_code == 200
    code, said, _ = tranche("project", "erase", project, "--name", "two groups")
    receipt = json.loads(said)
    assert (code, receipt["project_id"], receipt["rows"]["observations"]) == (0, project, 3)
    assert api.get(f"/v1/erasures/{receipt['id']}").json()["ended_at"] is not None
    assert tranche("project", "erase", project, "--name", "two groups")[0] == 2
    assert tranche("project", "erase", "x", "--name", "two groups")[0] == 2


def test_a_workspace_is_erased_with_its_keys(tranche: Any, api: Api, database: Database) -> None:
    other = api.as_key(new_key(database, workspace_name="other"))
    kept = other.project()
    api.project()
    assert tranche("workspace", "erase", "default", "--confirm", "defualt")[0] == 2
    assert api.get("/v1/projects").status_code == 200
    code, said, _ = tranche("workspace", "erase", "default", "--confirm", "default")
    receipt = json.loads(said)
    assert (code, receipt["project_id"], receipt["rows"]["api_keys"]) == (0, None, 1)
    assert api.get("/v1/projects").status_code == 401
    assert other.get(kept).status_code == 200
    with database.reading() as session:
        assert [row.name for row in session.query(Workspace)] == ["other"]
        assert naming(session, "default ") == {}
    assert tranche("workspace", "erase", "default", "--confirm", "default")[0] == 2
