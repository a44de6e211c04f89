"""The demo as a newcomer runs it: a child process with a temporary directory of its own."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import httpx
import pytest
from tranche.display import WIDTH

from tests.waiting import PATIENCE_S

START = {"CEU": "1,000", "CHB": "150", "YRI": "50"}


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "app", "demo", *options]
    environment = {**os.environ, "TMPDIR": str(folder)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, encoding="utf-8", **streams) as process:
        try:
            yield process
        finally:
            process.kill()


@dataclass(frozen=True)
class Ended:
    """What a demo on a taken port left behind."""

    code: int
    out: str
    err: str
    folder: Path
    taken_port: int


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("demo")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo(folder, "--exit", "--port", str(port)) as process:
            out, err = process.communicate(timeout=PATIENCE_S)
    return Ended(process.returncode, out, err, folder, port)


def test_the_demo_ends_well_and_leaves_nothing_behind(ended: Ended) -> None:
    assert (ended.code, ended.err) == (0, "")
    assert list(ended.folder.iterdir()) == []


def test_the_demo_buys_for_at_most_its_budget(ended: Ended) -> None:
    rows = {group: re.search(rf"^{group} .*$", ended.out, re.MULTILINE).group().split() for group in START}
    assert {group: row[1] for group, row in rows.items()} == START
    costs = {group: float(row[3].replace(",", "")) for group, row in rows.items()}
    assert costs == {group: 10 * int(row[2].replace(",", "")) for group, row in rows.items()}
    total = re.search(r"^total +1,200 +[\d,]+ +([\d,.]+)$", ended.out, re.MULTILINE).group(1)
    assert 5990 <= sum(costs.values()) == float(total.replace(",", "")) <= 6000


def test_the_demo_says_what_its_plan_is_worth_beside_simple_rules(ended: Ended) -> None:
    best, *others = (
        float(re.search(rf"^{split} .* (0\.\d{{4}})  0\.\d{{4}} to", ended.out, re.MULTILINE).group(1))
        for split in ("optimal", "equal", "equal spend", "proportional")
    )
    # Correlations of 0.5 to 0.6: what is bought matters.
    assert all(0.9 * best <= other <= best - 0.01 for other in others)
    assert "the best simple rule (equal counts) would need" in " ".join(ended.out.split())


def test_the_demo_fits_the_screen_and_names_the_docs(ended: Ended) -> None:
    report, _, farewell = ended.out.partition("API docs")
    assert max(map(len, report.splitlines())) <= WIDTH
    assert re.search(r"^Dashboard +http://127\.0\.0\.1:\d+/ +\(sign in with the key below\)$", report, re.MULTILINE)
    assert re.match(r" +http://127\.0\.0\.1:\d+/docs\n", farewell)


def test_a_taken_port_is_replaced_by_the_next_free_one(ended: Ended) -> None:
    assert f"Port {ended.taken_port} is taken" in ended.out
    assert f":{ended.taken_port}/docs" not in ended.out


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_serves_until_it_is_ended(tmp_path: Path, ending: signal.Signals) -> None:
    with demo(tmp_path, "--port", "0") as process:
        shown = "".join(takewhile(lambda line: line != "Serving until Ctrl-C.\n", process.stdout))
        docs = re.search(r"^API docs +(\S+)$", shown, re.MULTILINE).group(1)
        assert httpx.get(docs, timeout=PATIENCE_S).status_code == 200
        curl = shlex.split(shown.partition("Ask again")[2].replace("\\\n", ""))
        name, value = curl[2].split(": ")
        assert curl[:2] == ["curl", "-H"]
        project = httpx.get(curl[3], headers={name: value}, timeout=PATIENCE_S).json()
        assert project["budget"]["available"] == "1000.00"
        process.send_signal(ending)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert list(tmp_path.iterdir()) == []
