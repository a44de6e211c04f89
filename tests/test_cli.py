"""The command line."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from tranche.command_line import main

from app.services.access.keys import authenticate, peppers
from app.services.access.secrets import new_secret_key
from app.settings import Settings
from app.store.db import connect
from app.store.schema import migrate
from tests.api_client import NOW, Api
from tests.test_docs import free_port
from tests.waiting import PATIENCE_S, until

SECRET = "qI8o0Zf4b1c6Hk3yYp5T2v9WmXeRsUaD7gJnLtKzB0E="


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Tranche = Callable[..., Done]


@pytest.fixture
def tranche(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tranche:
    """Runs a command on a database of its own, with settings as keywords."""

    def run(*words: str, **environment: str) -> Done:
        with monkeypatch.context() as patched:
            for name, value in {"TRANCHE_DATABASE_URL": f"sqlite:///{tmp_path}/cli.db", **environment}.items():
                patched.setenv(name, value)
            try:
                code = main(words)
            except SystemExit as ended:
                code = int(ended.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["key", "create", "--scopes", "root"], "root"),
        (["key", "create", "--scopes", ""], "scopes"),
        (["key", "create", "--scopes", "read", "--project", "nope"], "nope"),
        (["key", "create", "--scopes", "read", "--expires-at", "2020-01-01T00:00:00Z"], "past"),
        (["key", "create", "--scopes", "read", "--expires-at", "soon"], "soon"),
        (["key", "create", "--scopes", "read", "--expires-at", "0001-01-01T00:00:00+14:00"], "years 1 to 9999"),
        (["key", "create", "--scopes", "read", "--expires-at", "1763632800"], "is a number"),
        (["key", "create", "--scopes", "read", "--name", "x" * 101], "100 characters"),
        (["serve", "--port", "x"], "--port"),
        (["serve", "--processes", "0"], "TRANCHE_PROCESSES"),
        (["serve", "--processes", "2"], "must be 1 on SQLite"),
        (["fly"], "fly"),
        ([], "COMMAND"),
    ],
)
def test_bad_words_are_named(tranche: Tranche, words: list[str], says: str) -> None:
    done = tranche(*words)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRANCHE_DATABASE_URL", "mysql://x"),
        ("TRANCHE_DATABASE_URL", "sqlite://"),
        ("TRANCHE_PORT", "99999"),
        ("TRANCHE_SECRET_KEY", "short"),
    ],
)
def test_a_bad_setting_is_named(tranche: Tranche, name: str, value: str) -> None:
    done = tranche("migrate", **{name: value})
    assert done.code == 2
    assert name in done.err
    assert "Traceback" not in done.err


def test_a_secret_in_a_setting_is_never_printed(tranche: Tranche) -> None:
    done = tranche("migrate", TRANCHE_SECRET_KEY=SECRET[:-2])
    assert SECRET[:20] not in done.out + done.err


def test_keys_outlive_a_new_secret_key(tmp_path: Path, tranche: Tranche) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/cli.db")
    without = tranche("key", "create", "--scopes", "read").out.strip()
    with_it = tranche("key", "create", "--scopes", "read", TRANCHE_SECRET_KEY=SECRET).out.strip()
    database = connect(settings)
    keyed = peppers((SecretStr(SECRET),))
    with database.reading() as session:
        assert authenticate(session, NOW, keyed, without).scopes == {"read"}
        assert authenticate(session, NOW, keyed, with_it).scopes == {"read"}
        with pytest.raises(Exception, match="unknown"):
            authenticate(session, NOW, peppers(()), with_it)
    database.close()


def test_the_contract_is_printed_alone(tranche: Tranche) -> None:
    assert json.loads(tranche("openapi").out)["info"]["title"] == "Tranche"


def test_the_table_of_rights_is_printed_alone(tranche: Tranche) -> None:
    assert tranche("rights").out.startswith("| operation | needs | keys limited to projects |\n")


def start(folder: Path, port: int, **environment: str) -> subprocess.Popen[str]:
    base = os.environ | {"TRANCHE_DATABASE_URL": f"sqlite:///{folder}/cli.db"} | environment
    serving = subprocess.Popen(
        [sys.executable, "-m", "app", "serve", "--no-worker", "--port", str(port)],
        env=base,
        stderr=subprocess.PIPE,
        text=True,
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        until(lambda: serving.poll() is not None or answers(client))
    assert serving.poll() is None, serving.communicate()[1]
    return serving


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_serving_without_a_key_says_how_to_make_one_and_prints_none(tmp_path: Path) -> None:
    port = free_port()
    serving = start(tmp_path, port)
    serving.send_signal(signal.SIGTERM)
    _, said = serving.communicate(timeout=PATIENCE_S)
    assert "tranche key create --scopes admin" in said
    assert not re.search(r"tranche_[0-9a-f]{16}", said)


def test_a_worker_needs_the_newest_schema(tranche: Tranche) -> None:
    refused = tranche("worker")
    assert refused.code == 2
    assert "tranche migrate" in refused.err


def no_database(path: Path) -> None:
    path.write_text("no database " * 1000)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")


@pytest.mark.parametrize("words", [["serve"], ["worker"], ["migrate"], ["key", "create", "--scopes", "read"]])
@pytest.mark.parametrize(
    ("folder", "make", "says"),
    [("gone", None, "missing"), ("", no_database, "damaged"), ("", newer, "made by a newer Tranche")],
)
def test_a_start_that_cannot_work_is_one_sentence_with_the_path(
    tmp_path: Path, tranche: Tranche, words: list[str], folder: str, make: Callable[[Path], None] | None, says: str
) -> None:
    path = tmp_path / folder / "some.db"
    if make:
        make(path)
    was = path.read_bytes() if make else b""
    done = tranche(*words, TRANCHE_DATABASE_URL=f"sqlite:///{path}")
    assert (done.code, done.out) == (2, "")
    assert str(path) in done.err
    assert says in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not make or path.read_bytes()[100:] == was[100:]


def test_a_server_that_is_away_is_named_without_its_password(tranche: Tranche) -> None:
    done = tranche("migrate", TRANCHE_DATABASE_URL="postgresql://me:secret@127.0.0.1:1/none")
    assert done.code == 2
    assert "127.0.0.1:1/none" in done.err
    assert "cannot be reached" in done.err
    assert "secret" not in done.err


def test_a_port_that_is_taken_is_said(tranche: Tranche) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = tranche("serve", "--port", str(taken.getsockname()[1]))
    assert done.code != 0
    assert "Traceback" not in done.err


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, tranche: Tranche) -> None:
    """Every 201 is there after the restart; tests/chaos kills in the middle of writing, fifty times."""
    migrate(Settings(database_url=f"sqlite:///{tmp_path}/cli.db"))
    key = tranche("key", "create", "--scopes", "admin").out.strip()
    headers = {"Authorization": f"Bearer {key}"}
    body = {"name": "x", "metric": {"upper": 1}, "budget": {"total": "1"}}
    port = free_port()
    serving = start(tmp_path, port)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE_S) as client:
        acknowledged = [client.post("/v1/projects", json=body).json()["id"] for _ in range(20)]
        serving.kill()
    serving.communicate()
    port = free_port()
    serving = start(tmp_path, port)
    path = f"http://127.0.0.1:{port}/v1/projects?limit=500"
    listed = httpx.get(path, headers=headers, timeout=PATIENCE_S).json()["items"]
    serving.kill()
    serving.communicate()
    assert set(acknowledged) <= {project["id"] for project in listed}


def test_a_secret_key_is_printed_alone_and_taken_by_the_setting(tranche: Tranche) -> None:
    made = tranche("secret-key", "create")
    assert (made.code, made.err) == (0, "")
    assert tranche("secret-key", "create").out != made.out
    created = tranche("key", "create", "--scopes", "read", TRANCHE_SECRET_KEY=made.out.strip())
    assert created.code == 0


def test_networks_that_are_none_are_named(tranche: Tranche) -> None:
    refused = tranche("migrate", TRANCHE_OUTBOUND_ALLOW="127.0.0.0/8,10.0.0.1/8")
    assert refused.code == 2
    assert "TRANCHE_OUTBOUND_ALLOW" in refused.err
    assert "10.0.0.1/8" in refused.err


@pytest.mark.parametrize("ports", ["https", "0", "65536", "443-", "-443", "1-2-3", "99999999999", "9-5", "٤٤٣"])
def test_ports_that_are_none_are_refused(ports: str) -> None:
    with pytest.raises(ValidationError, match="443,8000-8999"):
        Settings(outbound_ports=ports)  # type: ignore[arg-type]  # as the environment has it


def test_a_backup_is_restored_by_name(tranche: Tranche, tmp_path: Path) -> None:
    token = tranche("key", "create", "--scopes", "read").out.strip()
    file = str(tmp_path / "backup")
    assert (tranche("backup", file).code, tranche("backup", file).code) == (0, 2)
    (tmp_path / "cli.db").unlink()
    assert tranche("restore", file).code == 0
    refused = tranche("restore", file)
    assert (refused.code, "--replace" in refused.err) == (2, True)
    assert tranche("restore", "--replace", file).code == 0
    api = Api(Settings(database_url=f"sqlite:///{tmp_path}/cli.db"), token)
    assert api.get("/v1/projects").status_code == 200
    api.close()


def test_renewing_secrets_lets_the_old_key_go(tranche: Tranche, tmp_path: Path) -> None:
    old, new = (new_secret_key() for _ in range(2))
    url = f"sqlite:///{tmp_path}/cli.db"
    token = tranche("key", "create", "--scopes", "admin").out.strip()
    api = Api(Settings(database_url=url, secret_keys=(SecretStr(old),)), token)
    assert api.post("/v1/webhook-endpoints", json={"url": "https://example.com/"}).status_code == 201
    api.close()
    refused = tranche("secret-key", "renew", TRANCHE_SECRET_KEY=new)
    assert refused.code == 2
    assert "no longer names" in refused.err
    assert tranche("secret-key", "renew", TRANCHE_SECRET_KEY=f"{new},{old}").out == "1 secrets encrypted anew\n"
    assert tranche("secret-key", "renew", TRANCHE_SECRET_KEY=new).out == "0 secrets encrypted anew\n"


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (["--help"], {"pydantic", "sqlalchemy", "numpy", "fastapi", "dbos", "app.settings"}),
        (["key", "create", "--scopes", "read"], {"fastapi", "numpy", "scipy", "dbos", "alembic", "app.main"}),
        (["plan", "--budget", "1"], {"dbos", "alembic", "vl_convert", "uvicorn", "scipy.stats", "app.main"}),
    ],
)
def test_a_command_imports_what_it_needs(
    tmp_path: Path, tranche: Tranche, words: list[str], unneeded: set[str]
) -> None:
    """On a database that is ready."""
    tranche("migrate")
    code = f"""
import contextlib, sys
from tranche.command_line import main
with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit):
    main({words})
print(*sys.modules)
"""
    environment = os.environ | {"TRANCHE_DATABASE_URL": f"sqlite:///{tmp_path}/cli.db"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & unneeded == set()


def test_serving_loads_nothing_that_most_requests_do_without() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import app.main, sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    dear = {"alembic", "vl_convert", "xlsxwriter", "scipy.optimize", "scipy.stats", "app.jobs.worker"}
    assert set(done.stdout.split()) & dear == set()
