"""The worker that `tranche serve` keeps as a child process."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from time import monotonic

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
STEADY_S = 60.0
"""After a life of this length the next one is not waited for any longer than the first time."""
STOP_WITHIN_S = 30.0


class Supervisor:
    """Keeps one worker running until `stop`. A worker notices the end of this process by its closed standard input,
    so none is left behind even by kill -9. stop_within_s: how long it may take to hand its jobs back."""

    def __init__(self, environment: Mapping[str, str] | None = None, stop_within_s: float = STOP_WITHIN_S) -> None:
        self.stop_within_s = stop_within_s
        self.environment = dict(os.environ if environment is None else environment)
        self.stopping = threading.Event()
        self.child: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.keep_running, name="supervisor", daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def keep_running(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self.stopping.is_set():
            began = monotonic()
            code = self.run_once()
            if self.stopping.is_set():
                return
            wait_s = FIRST_WAIT_S if monotonic() - began > STEADY_S else wait_s
            log.error("the worker ended with %s; it is started again in %.1f s", code, wait_s)
            self.stopping.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def run_once(self) -> int | None:
        """Its exit code, None where it was not to be started any more."""
        with self.lock:
            if self.stopping.is_set():
                return None
            # In a session of its own: Ctrl-C in a terminal is for us, who then stop it in order.
            self.child = subprocess.Popen(
                [sys.executable, "-m", "app", "worker", "--until-parent-ends"],
                stdin=subprocess.PIPE,
                env=self.environment,
                start_new_session=True,
            )
        with self.child:
            return self.child.wait()

    def stop(self) -> None:
        """End the worker: in order, or after a while without."""
        with self.lock:
            self.stopping.set()
            child = self.child
        if child is not None:
            child.terminate()
            try:
                child.wait(self.stop_within_s)
            except subprocess.TimeoutExpired:
                child.kill()
        self.thread.join()
