"""A child that cannot be started is tried again."""

import subprocess
from typing import Any

import pytest

from app.jobs import supervisor
from app.jobs.supervisor import Supervisor
from tests.waiting import until


def test_a_child_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []
    start = subprocess.Popen

    def scarce(*words: Any, **options: Any) -> Any:
        tries.append(words)
        if len(tries) < 3:
            raise OSError(11, "Resource temporarily unavailable")
        return start(["sleep", "60"], stdin=subprocess.PIPE)

    monkeypatch.setattr(supervisor, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(subprocess, "Popen", scarce)
    keeper = Supervisor()
    keeper.start()
    until(lambda: keeper.child is not None)
    keeper.stop()
    assert len(tries) == 3
    assert caplog.text.count("cannot be started (Resource temporarily unavailable)") == 2
