"""The processes that `tranche serve` keeps as its children: a worker, and those that serve together."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
STEADY_S = 60.0
"""After a life of this length the next one is not waited for any longer than the first time."""
STOP_WITHIN_S = 30.0
WORKER = ("worker", "--until-parent-ends")


class Supervisor:
    """Keeps one child running until `stop`. A child notices the end of this process by its closed standard input
    (`when_parent_ends`), so none is left behind even by kill -9.

    words: its command, after `tranche`. stop_within_s: how long it may take to end in order. sockets: numbers of the
    open sockets that it inherits.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        stop_within_s: float = STOP_WITHIN_S,
        *,
        words: Sequence[str] = WORKER,
        name: str = "the worker",
        sockets: Sequence[int] = (),
    ) -> None:
        self.words, self.name, self.sockets = words, name, sockets
        self.stop_within_s = stop_within_s
        self.environment = dict(os.environ if environment is None else environment)
        self.stopping = threading.Event()
        self.child: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.keep_running, name="supervisor", daemon=True)

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.thread.start()

    def keep_running(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self.stopping.is_set():
            began = monotonic()
            try:
                became = f"ended with {self.run_once()}"
            except OSError as error:
                # As where the host has no process or no memory left for it: that may pass.
                became = f"cannot be started ({error.strerror})"
            if self.stopping.is_set():
                return
            wait_s = FIRST_WAIT_S if monotonic() - began > STEADY_S else wait_s
            log.error("%s %s; it is started again in %.1f s", self.name, became, wait_s)
            self.stopping.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def run_once(self) -> int | None:
        """Its exit code, None where it was not to be started any more."""
        with self.lock:
            if self.stopping.is_set():
                return None
            # In a session of its own: Ctrl-C in a terminal is for us, who then stop it in order.
            self.child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "app", *self.words],
                stdin=subprocess.PIPE,
                env=self.environment,
                pass_fds=self.sockets,
                start_new_session=True,
            )
        with self.child:
            return self.child.wait()

    def ask_to_stop(self) -> None:
        """Returns at once; `stop` waits for the end."""
        with self.lock:
            self.stopping.set()
            child = self.child
        if child is not None:
            child.terminate()

    def stop(self) -> None:
        """End the child: in order, or after a while without."""
        self.ask_to_stop()
        child = self.child
        if child is not None:
            try:
                child.wait(self.stop_within_s)
            except subprocess.TimeoutExpired:
                log.warning("%s did not end within %.0f s; it is killed", self.name, self.stop_within_s)
                child.kill()
        self.thread.join()


def stop_together(supervisors: Sequence[Supervisor]) -> None:
    """All are asked first, so that their graces run at the same time."""
    for one in supervisors:
        one.ask_to_stop()
    for one in supervisors:
        one.stop()


def stop_on_signal() -> threading.Event:
    """Set by SIGTERM and SIGINT."""
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop.set())
    return stop


def when_parent_ends(stop: Callable[[], None]) -> None:
    """Call `stop` when the process at the other end of standard input is gone, however it ended."""

    def listen() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        stop()

    threading.Thread(target=listen, name="parent", daemon=True).start()
