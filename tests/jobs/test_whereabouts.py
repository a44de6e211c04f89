"""A worker that ended on this machine is told from one that runs; of one elsewhere nothing is claimed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.jobs import whereabouts
from app.jobs.whereabouts import began, here, lives, this_process
from tests.waiting import PATIENCE_S, until

SAYS = (
    "import os; from app.jobs.whereabouts import *;"
    "me = this_process(); print(me.host, lives(me.pid, me.began), repr(began(os.getpid())), sep='|')"
)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def said(*before: str) -> list[str]:
    """What a process of its own says of itself."""
    done = subprocess.run(
        [*before, sys.executable, "-c", SAYS], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    if before and "unshare" in done.stderr:
        pytest.skip(f"no namespaces may be made here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split("|")


def test_processes_that_see_each_other_are_in_one_place() -> None:
    assert said()[0] == here() == this_process().host


def test_a_process_lives_until_it_ends_whether_its_parent_has_noticed_or_not() -> None:
    with subprocess.Popen(["sleep", str(PATIENCE_S)]) as child:
        since = began(child.pid)
        assert lives(child.pid, since)
        child.kill()
        until(lambda: not lives(child.pid, since))
    assert not lives(child.pid, since)


@on_linux
def test_a_later_process_of_the_same_number_is_another() -> None:
    assert lives(os.getpid(), began(os.getpid()))
    assert not lives(os.getpid(), "17")
    # An older version did not note it.
    assert lives(os.getpid(), "")


@on_linux
def test_a_name_cannot_pass_for_a_time(tmp_path: Path) -> None:
    odd = tmp_path / "x) Z 1 1 1"
    shutil.copy(str(shutil.which("sleep")), odd)
    with subprocess.Popen([odd, str(PATIENCE_S)]) as child:
        assert began(child.pid).isdecimal()
        assert lives(child.pid, began(child.pid))
        child.kill()


@on_linux
@pytest.mark.parametrize("own_proc", [["--mount-proc"], []], ids=["own /proc", "/proc of the machine"])
def test_a_container_is_another_place_and_its_own_process_lives(own_proc: list[str]) -> None:
    host, alive, since = said("unshare", "--map-root-user", "--pid", "--fork", *own_proc)
    assert host != here()
    assert alive == "True"
    assert (since == "''") == (not own_proc)


def test_where_nothing_is_told_every_process_is_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(whereabouts, "BOOT", tmp_path / "none")
    monkeypatch.setattr(sys, "platform", "linux")
    assert here() != here()
