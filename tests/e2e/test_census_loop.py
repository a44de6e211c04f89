"""The example as a reader runs it, with fewer rounds."""

import os
import re
import subprocess
import sys
from pathlib import Path

from app.demo.service import temporary_service
from tests.waiting import PATIENCE_S

EXAMPLE = Path(__file__).parents[2] / "examples" / "census_loop.py"
GROUPS = ("White_Male", "White_Female", "Black_Male", "Black_Female")


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLE), *options]
    # One thread: the small regressions gain nothing from more, and the machine is shared.
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_the_loop_spends_each_rounds_money_and_compares_with_an_equal_split() -> None:
    with temporary_service(0) as access:
        done = run("--rounds", "2", TRANCHE_URL=access.base_url, TRANCHE_API_KEY=access.api_key)
    assert (done.returncode, done.stderr) == (0, "")
    rounds = re.findall(r"^round \d: .* for ([\d.]+), ([\d.]+) left;", done.stdout, re.MULTILINE)
    spent, left = ([float(amount) for amount in column] for column in zip(*rounds, strict=True))
    assert len(spent) == 2
    assert all(499 <= money <= 501 for money in spent)
    assert left == [1000 - spent[0], 1000 - sum(spent)]
    for group in GROUPS:
        row = re.search(rf"^{group} +\d+ (0\.\d+) +\d+ (0\.\d+) +\d+ (0\.\d+) ", done.stdout, re.MULTILINE)
        assert all(0.7 < float(accuracy) < 1 for accuracy in row.groups())


def test_the_loop_starts_a_service_of_its_own() -> None:
    done = run("--start", "--rounds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "round 1: " in done.stdout
