"""kill -9 of commands that change everything at once: all of it is done or nothing, and the same command ends it."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import text

from app.jobs.schema import migrate
from app.services.access.secrets import SecretBox, new_secret_key
from app.services.ids import new_id
from app.services.webhooks.endpoints import purpose
from app.settings import Settings
from app.store import schema
from app.store.db import Database, connect
from app.store.models.webhooks import WebhookEndpoint
from app.store.upkeep.backups import sqlite_revision
from tests.api_client import NOW
from tests.chaos.test_chaos import KILLS, SEED
from tests.conftest import new_workspace

pytestmark = pytest.mark.slow

KILLED = str(Path(__file__).with_name("killed.py"))
STEPS_BACK = 6
SECRETS = 100


def tranche(settings: Settings, *words: str, statements: int = 0, **environment: str) -> list[str]:
    """What the command prints, the number of its statements last; nothing where it was killed after so many."""
    ours = os.environ | {"TRANCHE_DATABASE_URL": settings.database_url} | environment
    done = subprocess.run(
        [sys.executable, KILLED, str(statements), *words], env=ours, capture_output=True, text=True, check=False
    )
    assert done.returncode == (-signal.SIGKILL if statements else 0), done.stderr
    return done.stdout.splitlines()


def moments(whole: str) -> list[int]:
    """After which statements to kill: any, and the last one always."""
    chance = random.Random(SEED)  # noqa: S311 -- moments to kill at, not secrets
    return [int(whole), *(chance.randint(1, int(whole)) for _ in range(max(KILLS // 4, 3)))]


def revision(settings: Settings) -> str:
    database = connect(settings)
    with database.reading() as session:
        found = str(session.scalar(text("SELECT version_num FROM alembic_version")))
    database.close()
    return found


def test_a_migration_is_whole_or_not_at_all(unmigrated_url: str, tmp_path: Path) -> None:
    settings = Settings(database_url=unmigrated_url)
    migrate(settings)
    database = connect(settings)
    with database.writing() as session:
        new_workspace(session, "kept")

    def go_back() -> None:
        database.close()
        command.downgrade(schema.migration_config(settings), f"-{STEPS_BACK}")
        for copy in tmp_path.glob("*.at-*"):
            copy.unlink()

    go_back()
    before = revision(settings)
    *_, whole = tranche(settings, "migrate")
    for moment in moments(whole):
        go_back()
        tranche(settings, "migrate", statements=moment)
        assert revision(settings) == before
        tranche(settings, "migrate")
        assert schema.drift(database) == []
        with database.reading() as session:
            assert session.scalars(text("SELECT name FROM workspaces")).all() == ["kept"]
        # On SQLite the copy of before is whole, and nothing else was left behind.
        assert {sqlite_revision(copy) for copy in tmp_path.glob("*.at-*")} <= {before}
        assert list(tmp_path.glob("*.part")) == []
    database.close()


def test_a_first_migration_is_whole_or_not_at_all(unmigrated_url: str) -> None:
    """No table of ours is there, or all are."""
    settings = Settings(database_url=unmigrated_url)
    database = connect(settings)
    for moment in (20, 60, 120):
        tranche(settings, "migrate", statements=moment)
        with database.reading() as session:
            assert not session.connection().dialect.has_table(session.connection(), "workspaces"), moment
        database.close()
    tranche(settings, "migrate")
    assert schema.drift(database) == []
    database.close()


def test_secrets_are_all_under_the_new_key_or_all_under_the_old(settings: Settings, database: Database) -> None:
    [old] = settings.secret_keys
    new = SecretStr(new_secret_key())
    both = ",".join(key.get_secret_value() for key in (new, old))
    with database.writing() as session:
        workspace = new_workspace(session)
        session.add_all(endpoint(workspace, SecretBox([old])) for _ in range(SECRETS))

    def opened_by(key: SecretStr) -> int:
        with database.reading() as session:
            found = session.query(WebhookEndpoint).all()
        box = SecretBox([key])
        return sum(not box.is_stale(one.secret) and box.open(one.secret, purpose(one.id)) == "hush" for one in found)

    _, whole = tranche(settings, "secret-key", "renew", TRANCHE_SECRET_KEY=both)
    assert opened_by(new) == SECRETS
    for moment in moments(whole):
        old, new = new, SecretStr(new_secret_key())
        both = ",".join(key.get_secret_value() for key in (new, old))
        tranche(settings, "secret-key", "renew", statements=moment, TRANCHE_SECRET_KEY=both)
        assert (opened_by(old), opened_by(new)) == (SECRETS, 0)
        assert (
            tranche(settings, "secret-key", "renew", TRANCHE_SECRET_KEY=both)[0] == f"{SECRETS} secrets encrypted anew"
        )
        assert opened_by(new) == SECRETS


def endpoint(workspace: UUID, box: SecretBox) -> WebhookEndpoint:
    name = new_id()
    return WebhookEndpoint(
        id=name, workspace_id=workspace, project_id=None, kind="webhook", url="https://hooks.example/",
        description=None, event_types=None, state="active", disabled_reason=None,
        secret=box.seal("hush", purpose(name)), previous_secret=None,
        previous_secret_expires_at=None, sequence=0, failing_since=None, lease_holder=None,
        lease_ends_at=None, created_at=NOW, updated_at=NOW, archived_at=None,
    )  # fmt: skip
