"""Serving the API, and working for it."""

import argparse
import gc
import logging
import os
import signal
import sys
from contextlib import closing, nullcontext

import uvicorn

from app.commands.database import OLD_SCHEMA, ready_database
from app.errors import Unavailable
from app.jobs.schema import migrate, quiet_engine
from app.jobs.supervisor import Supervisor
from app.jobs.worker import stop_on_signal, stop_with_parent, work
from app.logs import hide_hook_tokens
from app.main import create_app, utc_now
from app.settings import Settings
from app.store.access import any_valid_key
from app.store.db import Database, connect
from app.store.schema import is_current

SHUTDOWN_S = 10
"""What requests under way get when the service stops; a stream that somebody watches would never end by itself."""
KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep an idle connection (5 to 60 s): whoever closes first must not be the service,
or a request that is just being sent is lost."""
NO_KEY = "No API key exists yet. Make one with: tranche key create --scopes admin"


def run_serve(options: argparse.Namespace) -> int:
    given = {name: getattr(options, name) for name in ("host", "port") if getattr(options, name) is not None}
    settings = Settings(**given)
    if settings.database_url.startswith("sqlite"):
        # Ours may be the newest while a newer job engine brings tables of its own.
        migrate(settings)
    with ready_database(settings) as database:
        advise_on_keys(database)
    log_to_stderr(settings)
    # The server raises the signal that ended it again, once it has shut down: then the worker's turn comes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app = create_app(settings)
    leave_code_alone()
    with Supervisor() if not options.no_worker else nullcontext():
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            timeout_graceful_shutdown=SHUTDOWN_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
    return 0


def leave_code_alone() -> None:
    """What is loaded stays: looking through it for garbage, again and again, was two fifths of a large post's time."""
    gc.collect()
    gc.freeze()


def advise_on_keys(database: Database) -> None:
    with database.reading() as session:
        if not any_valid_key(session, utc_now()):
            print(NO_KEY, file=sys.stderr)


def run_worker(options: argparse.Namespace) -> int:
    settings = Settings()
    with closing(connect(settings)) as database:
        if not is_current(database, settings):
            raise Unavailable(OLD_SCHEMA)
    log_to_stderr(settings)
    leave_code_alone()
    stop = stop_on_signal()
    if options.until_parent_ends:
        stop_with_parent(stop)
    code = work(settings, utc_now, stop)
    logging.shutdown()
    # Threads of jobs that were handed back may still run, and Python would wait for them.
    os._exit(code)


def log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    quiet_engine()
    # It would log each URL that is called, and some hold tokens.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").addFilter(hide_hook_tokens)
