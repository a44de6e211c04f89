"""Serving the API, and working for it."""

import argparse
import gc
import logging
import os
import signal
import socket
import sys
from contextlib import closing, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from app.api.stopping import Stoppable
from app.clock import utc_now
from app.commands.crowds import at_most
from app.commands.database import named, ready_database
from app.commands.graceful import GracefulServer
from app.jobs.supervisor import Supervisor, stop_on_signal, stop_together, when_parent_ends
from app.settings import Settings
from app.store.access import any_valid_key
from app.store.db import Database, connect
from app.telemetry.logs import log_to_stderr

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger(__name__)

STOP_AFTER_GRACE_S = 5.0
"""What a process gets to end after the grace of its calls, until it is killed."""
KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep an idle connection (5 to 60 s): whoever closes first must not be the service,
or a request that is just being sent is lost."""
SERVER: dict[str, Any] = {
    "log_config": None,
    # Each call has a line of ours.
    "access_log": False,
    "timeout_keep_alive": KEEP_ALIVE_S,
}
NO_KEY = "No API key exists yet. Make one with: tranche key create --scopes admin"


def run_serve(options: argparse.Namespace) -> int:
    chosen = ("host", "port", "processes")
    settings = Settings(**{name: getattr(options, name) for name in chosen if getattr(options, name) is not None})
    if options.on_socket is not None:
        log_to_stderr(settings)
        serve_for_parent(settings, options.on_socket)
        return 0
    with ready_database(settings) as database:
        if settings.database_url.startswith("sqlite"):
            from app.jobs.schema import migrate_engine

            # Ours may be the newest while a newer job engine brings tables of its own.
            migrate_engine(settings)
        advise_on_keys(database)
    log_to_stderr(settings)
    worker = None if options.no_worker else Supervisor(environment_of(settings, settings.processes))
    with worker or nullcontext():
        if settings.processes > 1:
            serve_together(settings)
        else:
            serve_alone(settings, worker)
    return 0


def serve_alone(settings: Settings, worker: Supervisor | None) -> None:
    server = server_of(settings, worker)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def server_of(settings: Settings, worker: Supervisor | None = None) -> GracefulServer:
    """worker: to be stopped by whoever ends the process, after the calls."""
    from app.telemetry.metrics import listen
    from app.telemetry.watch import Watch

    app = load_app(settings)
    calls = Stoppable(app)
    listen(app.state.metrics, settings)

    def leave() -> None:
        if worker is not None:
            worker.stop()
        logging.shutdown()
        os._exit(0)

    http = at_most(settings.connections)
    # What is refused or given up at a stop is watched too.
    watched = Watch(calls, app.state.call_counts)
    config = uvicorn.Config(watched, host=settings.host, port=settings.port, http=http, **SERVER)
    return GracefulServer(config, calls, settings.shutdown_grace_s, leave)


def serve_together(settings: Settings) -> None:
    """Keep processes that serve one socket, until a signal comes; then all get the same time for what is under way."""
    stop = stop_on_signal()
    # No part of the application is loaded here: this process opens the socket and watches.
    with uvicorn.Config("", host=settings.host, port=settings.port, log_config=None).bind_socket() as listener:
        port = str(listener.getsockname()[1])
        words = ["serve", "--host", settings.host, "--port", port, "--on-socket", str(listener.fileno())]
        within_s = settings.shutdown_grace_s + STOP_AFTER_GRACE_S
        serving = [
            Supervisor(
                environment_of(settings, number - 1),
                within_s,
                words=words,
                name=f"process {number}",
                sockets=[listener.fileno()],
            )
            for number in range(1, settings.processes + 1)
        ]
        for one in serving:
            one.start()
        log.info("%d processes serve together", settings.processes)
        stop.wait()
        stop_together(serving)


def environment_of(settings: Settings, place: int) -> dict[str, str]:
    """A child's: its metrics have a port of their own, so many after the first process'."""
    port = settings.metrics_port
    return dict(os.environ) | ({} if port is None else {"TRANCHE_METRICS_PORT": str(port + place)})


def serve_for_parent(settings: Settings, listener: int) -> None:
    """Serve the socket of this number, inherited, as long as the parent lives."""
    server = server_of(settings)

    def stop() -> None:
        server.should_exit = True

    when_parent_ends(stop)
    server.run([socket.socket(fileno=listener)])


def load_app(settings: Settings) -> "FastAPI":
    # Whoever only watches processes does without the application.
    from app.main import create_app

    # The server raises the signal that ended it again, once it has shut down: then the worker's turn comes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app = create_app(settings)
    leave_code_alone()
    return app


def leave_code_alone() -> None:
    """What is loaded stays: looking through it for garbage, again and again, was two fifths of a large post's time."""
    gc.collect()
    gc.freeze()


def advise_on_keys(database: Database) -> None:
    with database.reading() as session:
        if not any_valid_key(session, utc_now()):
            print(NO_KEY, file=sys.stderr)


def run_worker(options: argparse.Namespace) -> int:
    from app.api.planning.allocations import allocation_json
    from app.jobs.worker import work
    from app.store.schema import require_current

    settings = Settings()
    with closing(connect(settings)) as database, named(settings):
        require_current(database)
    log_to_stderr(settings)
    leave_code_alone()
    stop = stop_on_signal()
    if options.until_parent_ends:
        when_parent_ends(stop.set)
    code = work(settings, utc_now, allocation_json, stop)
    logging.shutdown()
    # Threads of jobs that were handed back may still run, and Python would wait for them.
    os._exit(code)
