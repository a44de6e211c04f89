"""The command line: serve, work, migrate, make keys, run the demo, print the contract."""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from tempfile import TemporaryDirectory

import uvicorn
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.demo import run as demo
from app.errors import TrancheError, Unavailable
from app.jobs.schema import migrate, quiet_engine
from app.jobs.supervisor import Supervisor
from app.jobs.worker import stop_on_signal, stop_with_parent, work
from app.logs import hide_hook_tokens
from app.main import create_app, utc_now
from app.services.access.keys import create_key, peppers
from app.services.access.secrets import SecretBox, new_secret_key
from app.services.vendors import connections
from app.services.webhooks.endpoints import renew_secrets
from app.settings import Settings
from app.store.access import any_valid_key
from app.store.db import Database, connect
from app.store.schema import drift, is_current

SHUTDOWN_S = 10
"""What requests under way get when the service stops; a stream that somebody watches would never end by itself."""
KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep an idle connection (5 to 60 s): whoever closes first must not be the service,
or a request that is just being sent is lost."""
OLD_SCHEMA = "the database lacks the newest schema. Run: tranche migrate"
NO_KEY = "No API key exists yet. Make one with: tranche key create --scopes admin"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except ValidationError as error:
        return complain("\n".join(setting_fault(one) for one in error.errors()))
    except TrancheError as error:
        return complain(error.detail)
    return code


def complain(message: str) -> int:
    print(f"tranche: {message}", file=sys.stderr)
    return 2


def setting_fault(error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else "settings"
    variable = name if name.startswith("TRANCHE_") else f"TRANCHE_{name.upper()}"
    return f"{variable}: {error['msg'].removeprefix('Value error, ')}"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="tranche", description="What should the next round of data collection buy?")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("serve", help="serve the API")
    one.add_argument("--host", help="address to listen on (TRANCHE_HOST)")
    one.add_argument("--port", type=int, help="port to listen on (TRANCHE_PORT)")
    one.add_argument("--no-worker", action="store_true", help="serve the API alone; jobs wait for a worker")
    one.set_defaults(run=run_serve)
    one = commands.add_parser("worker", help="run jobs (serve does so too; this adds workers, on any host)")
    one.add_argument("--until-parent-ends", action="store_true", help="stop when standard input is closed")
    one.set_defaults(run=run_worker)
    one = commands.add_parser("migrate", help="bring the database to the newest schema")
    one.add_argument("--check", action="store_true", help="only check that the migrations make what the models say")
    one.set_defaults(run=run_migrate)
    key = commands.add_parser("key", help="API keys").add_subparsers(required=True, metavar="COMMAND")
    one = key.add_parser("create", help="make an API key and print it, once")
    one.add_argument("--scopes", required=True, help="comma list of read, observe, deliver, write, buy, admin")
    one.add_argument("--workspace", default="default", help="made if it is not there (default: %(default)s)")
    one.add_argument("--project", action="append", metavar="ID", help="limit the key to this project (repeatable)")
    one.add_argument("--expires-at", type=instant, help="RFC 3339, such as 2027-01-01T00:00:00Z")
    one.set_defaults(run=run_key_create)
    secret = commands.add_parser("secret-key", help="the key of stored secrets (TRANCHE_SECRET_KEY)")
    secrets = secret.add_subparsers(required=True, metavar="COMMAND")
    one = secrets.add_parser("create", help="print a new one; nothing is changed")
    one.set_defaults(run=run_secret_key_create)
    one = secrets.add_parser("renew", help="encrypt every stored secret under the first key of the list")
    one.set_defaults(run=run_secret_key_renew)
    one = commands.add_parser("demo", help="plan a real purchase on a fresh database, then serve it")
    one.add_argument("--port", type=int, default=8000, help="port to serve on, if free (default: %(default)s)")
    one.add_argument("--exit", action="store_true", help="end when the plan is printed")
    one.set_defaults(run=run_demo)
    one = commands.add_parser("openapi", help="print the OpenAPI document")
    one.set_defaults(run=run_openapi)
    return top


def instant(text: str) -> datetime:
    """An instant, UTC where it names no offset. Raises ArgumentTypeError where it cannot be read."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not an instant such as 2027-01-01T00:00:00Z") from None
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def run_serve(options: argparse.Namespace) -> int:
    given = {name: getattr(options, name) for name in ("host", "port") if getattr(options, name) is not None}
    settings = Settings(**given)
    with ready_database(settings) as database:
        advise_on_keys(database)
    log_to_stderr(settings)
    # The server raises the signal that ended it again, once it has shut down: then the worker's turn comes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Supervisor() if not options.no_worker else nullcontext():
        uvicorn.run(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            log_config=None,
            timeout_graceful_shutdown=SHUTDOWN_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
    return 0


@contextmanager
def ready_database(settings: Settings) -> Iterator[Database]:
    """Raises Unavailable where the schema is not the newest."""
    with closing(connect(settings)) as database:
        # One SQLite file belongs to one service; a shared server is migrated on purpose, not by whoever starts first.
        if settings.database_url.startswith("sqlite"):
            migrate(settings)
        elif not is_current(database, settings):
            raise Unavailable(OLD_SCHEMA)
        yield database


def log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    quiet_engine()
    # It would log each URL that is called, and some hold tokens.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").addFilter(hide_hook_tokens)


def run_worker(options: argparse.Namespace) -> int:
    settings = Settings()
    with closing(connect(settings)) as database:
        if not is_current(database, settings):
            return complain(OLD_SCHEMA)
    log_to_stderr(settings)
    stop = stop_on_signal()
    if options.until_parent_ends:
        stop_with_parent(stop)
    code = work(settings, utc_now, stop)
    logging.shutdown()
    # Threads of jobs that were handed back may still run, and Python would wait for them.
    os._exit(code)


def advise_on_keys(database: Database) -> None:
    with database.reading() as session:
        if not any_valid_key(session, utc_now()):
            print(NO_KEY, file=sys.stderr)


def run_migrate(options: argparse.Namespace) -> int:
    settings = Settings()
    if options.check:
        return check_migrations()
    migrate(settings)
    return 0


def check_migrations() -> int:
    """Migrate a fresh database and compare it with the models."""
    with TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite:///{folder}/check.db")
        migrate(settings)
        with closing(connect(settings)) as database:
            differences = drift(database)
    for difference in differences:
        print(difference, file=sys.stderr)
    return 1 if differences else 0


def run_demo(options: argparse.Namespace) -> int:
    return demo.run(options.port, keep_serving=not options.exit)


def run_key_create(options: argparse.Namespace) -> int:
    settings = Settings()
    scopes = [scope.strip() for scope in options.scopes.split(",") if scope.strip()]
    with ready_database(settings) as database, database.writing() as session:
        pepper = peppers(settings.secret_keys)[0]
        token = create_key(session, utc_now(), pepper, scopes, options.workspace, options.project, options.expires_at)
    print(token)
    return 0


def run_secret_key_create(_: argparse.Namespace) -> int:
    print(new_secret_key())
    return 0


def run_secret_key_renew(_: argparse.Namespace) -> int:
    settings = Settings()
    with closing(connect(settings)) as database, database.writing() as session:
        box = SecretBox(settings.secret_keys)
        renewed = renew_secrets(session, box) + connections.renew_secrets(session, box)
    print(f"{renewed} secrets encrypted anew")
    return 0


def run_openapi(_: argparse.Namespace) -> int:
    print(json.dumps(create_app(Settings()).openapi(), indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
