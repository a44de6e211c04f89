"""At a stop new calls are told to come again, and what computes does not hold the process up."""

import signal
import subprocess
import sys
from threading import Thread
from typing import Any

import httpx
import pytest

from app.api.stopping import GIVEN_UP, STOPPING
from tests.test_docs import free_port
from tests.waiting import PATIENCE_S, until

# A service with one route that computes in a thread, in place of the whole one.
SERVICE = """
import os, sys, time
import uvicorn
from fastapi import FastAPI
from app.api.stopping import Stoppable
from app.commands.graceful import GracefulServer
app, begun = FastAPI(), []
@app.get("/begun")
def has_begun():
    return begun
@app.get("/compute")
def compute(seconds: float):
    begun.append(seconds)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(0.01)
    return "done"
calls = Stoppable(app)
config = uvicorn.Config(calls, port=int(sys.argv[1]), log_level="error")
GracefulServer(config, calls, float(sys.argv[2]), lambda: os._exit(7)).run()
"""


@pytest.mark.parametrize(("seconds", "ends"), [(3.0, True), (60.0, False)])
def test_a_stop_lets_calls_end_or_gives_them_up_and_refuses_new_ones(seconds: float, ends: bool) -> None:
    port, grace_s = free_port(), PATIENCE_S if ends else 1.5
    process = subprocess.Popen([sys.executable, "-c", SERVICE, str(port), str(grace_s)])
    answers: list[Any] = []

    def call() -> None:
        answers.append(httpx.get(f"{base}/compute?seconds={seconds}", timeout=PATIENCE_S).json())

    base = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=base, timeout=PATIENCE_S) as client:
            until(lambda: is_up(client))
            caller = Thread(target=call)
            caller.start()
            until(lambda: seconds in client.get("/begun").json())
            process.send_signal(signal.SIGTERM)
            until(lambda: client.get("/compute?seconds=0").status_code == 503)
            refused = client.get("/compute?seconds=0")
        caller.join()
        process.wait(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["detail"] == STOPPING
    [answer] = answers
    assert answer == "done" if ends else answer["detail"] == GIVEN_UP
    # Gone by `leave`, or by the signal that a server raises again once it has shut down.
    assert process.returncode == (-signal.SIGTERM if ends else 7)


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/compute?seconds=0").status_code == 200
    except httpx.TransportError:
        return False
