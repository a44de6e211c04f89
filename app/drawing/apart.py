"""Asks the process that draws. It is started when it is first needed, and anew where it has ended."""

import atexit
import json
import os
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from threading import Lock, Timer
from typing import IO, Literal

from app.charts.render import DrawingError
from app.charts.theme import Spec
from app.drawing.draughtsman import BAD, receive, send

LONGEST_S = 60.0
"""What takes longer is given up, and its process with it."""
ENDED = "The drawing took too long, or its process was ended. Ask for fewer groups."
MOST_KEPT = 64
"""Drawings of about 50 kB with what they are of."""
COMMAND = (sys.executable, "-m", "app.drawing.draughtsman")

Kind = Literal["svg", "png"]


def svg(spec: Spec) -> str:
    """As `render.svg`; those drawn last are kept: all who look at a page ask for the same. Raises DrawingError."""
    return kept_svg(json.dumps(spec, allow_nan=False))


@lru_cache(maxsize=MOST_KEPT)
def kept_svg(spec: str) -> str:
    return THE_ONE.ask("svg", json.loads(spec)).decode()


def png(spec: Spec, scale: int = 1) -> bytes:
    """As `render.png`. Raises DrawingError."""
    return THE_ONE.ask("png", spec, scale)


class Draughtsman:
    """One process, which draws one thing at a time. It ends with this one: its input does."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, kind: Kind, spec: Spec, scale: int = 1) -> bytes:
        """Raises DrawingError."""
        question = json.dumps({"kind": kind, "spec": spec, "scale": scale}, allow_nan=False).encode()
        with self._lock:
            process, self._process = self._process, None
            if process is not None and process.poll() is not None:
                close(process)
                process = None
            process = process or started()
            overdue = Timer(LONGEST_S, process.kill)
            overdue.daemon = True
            overdue.start()
            try:
                found = exchanged(process, question)
            finally:
                overdue.cancel()
            if found is None:
                close(process)
                raise DrawingError(ENDED)
            self._process = process
        if found[:1] == BAD:
            raise DrawingError(found[1:].decode())
        return found[1:]

    def end(self) -> None:
        """It is started anew by whoever asks next."""
        with self._lock:
            if self._process is not None:
                close(self._process)
            self._process = None


def started() -> subprocess.Popen[bytes]:
    # In a session of its own: a Ctrl-C is for the service, which may have a call to answer yet.
    return subprocess.Popen(  # noqa: S603 -- this very program
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )


def exchanged(process: subprocess.Popen[bytes], question: bytes) -> bytes | None:
    """The answer; None where the process ends before it."""
    pipes: tuple[IO[bytes] | None, IO[bytes] | None] = process.stdin, process.stdout
    if pipes[0] is None or pipes[1] is None:
        return None
    try:
        send(pipes[0], question)
    except BrokenPipeError:
        return None
    return receive(pipes[1])


def close(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(BrokenPipeError), process:
        pass


THE_ONE = Draughtsman()
atexit.register(THE_ONE.end)
