"""A service of one's own on a fresh SQLite file that goes when it ends, with a key to it."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from fastapi import FastAPI

from app.jobs.schema import migrate
from app.jobs.supervisor import Supervisor
from app.main import create_app
from app.services.access.keys import create_key, peppers
from app.settings import Settings
from app.store import db

HOST = "127.0.0.1"
PORTS_TRIED = 100


@dataclass(frozen=True)
class Access:
    """Where a service listens, and a key that may do everything there."""

    port: int
    api_key: str

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}"


class StartError(RuntimeError):
    """The service could not be started; the message says what to change."""


@contextmanager
def temporary_service(port: int, *, worker: bool = False) -> Iterator[Access]:
    """Serves until the block ends, at `port` or, where that is taken, at the next free one (0: at any); with a worker
    that runs jobs if wished.

    Raises StartError where no port is free or the service does not come up.
    """
    with TemporaryDirectory(prefix="tranche-demo-") as folder, _listening(port) as listener:
        settings = Settings(database_url=f"sqlite:///{Path(folder) / 'tranche.db'}")
        migrate(settings)
        api_key = _admin_key(settings)
        environment = {"TRANCHE_DATABASE_URL": settings.database_url, "TRANCHE_LOG_LEVEL": "warning"}
        # What its jobs would still do goes with the file.
        jobs = Supervisor(os.environ | environment, stop_within_s=3.0) if worker else nullcontext()
        with _serving(create_app(settings), listener), jobs:
            yield Access(listener.getsockname()[1], api_key)


def _admin_key(settings: Settings) -> str:
    with closing(db.connect(settings)) as database, database.writing() as session:
        return create_key(session, datetime.now(UTC), peppers(settings.secret_keys)[0], ["admin"])


def _listening(port: int) -> socket.socket:
    """A listener on `port`, or on the next that is free. Raises StartError where none is."""
    if not 0 <= port < 2**16:
        raise StartError(f"The port is {port}; it must lie from 0 to 65535.")
    last = min(port + PORTS_TRIED, 2**16) - 1
    # We listen before the server starts: from here on nobody else can take the port.
    for candidate in range(port, last + 1):
        try:
            return socket.create_server((HOST, candidate), backlog=128)
        except OSError:
            continue
    raise StartError(f"No port from {port} to {last} is free; name another with --port.")


@contextmanager
def _serving(app: FastAPI, listener: socket.socket) -> Iterator[None]:
    """The service runs in a thread meanwhile. Raises StartError where it does not start."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="tranche", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise StartError("The service ended while it was starting; its log above says why.")
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()
