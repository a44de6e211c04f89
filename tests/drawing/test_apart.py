"""What is drawn apart is what is drawn here, and a process that ended is started anew."""

import os
import signal
import subprocess
import sys

import pytest

from app.charts import render
from app.drawing import apart
from app.drawing.apart import Draughtsman

SPEC = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "data": {"values": [{"group": "A", "samples": 90}, {"group": "ä <b>", "samples": 10}]},
    "mark": "bar",
    "encoding": {"x": {"field": "group"}, "y": {"field": "samples", "type": "quantitative"}},
}


def test_a_drawing_made_apart_is_the_one_made_here() -> None:
    assert apart.svg(SPEC) == render.svg(SPEC)
    assert apart.png(SPEC) == render.png(SPEC)


def test_what_cannot_be_drawn_says_why_and_the_next_is_drawn() -> None:
    one = Draughtsman()
    with pytest.raises(render.DrawingError, match="may not name an address"):
        one.ask("svg", {"data": {"url": "https://example.org"}})
    assert one.ask("svg", SPEC).startswith(b"<svg")
    one.end()


def test_after_a_process_that_was_killed_another_draws() -> None:
    one = Draughtsman()
    first = one.ask("svg", SPEC)
    process = one._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert one.ask("svg", SPEC) == first
    one.end()


def test_one_that_ends_in_the_middle_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "COMMAND", (sys.executable, "-c", "import sys; sys.stdin.buffer.read(1)"))
    with pytest.raises(render.DrawingError, match="took too long"):
        Draughtsman().ask("svg", SPEC)


def test_it_ends_with_the_process_that_asks() -> None:
    script = f"from app.drawing.apart import svg; import os; svg({SPEC!r}); os._exit(0)"
    # Its standard error is inherited: that it is read to its end says that who draws has ended, too.
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=120)
    assert made.returncode == 0
