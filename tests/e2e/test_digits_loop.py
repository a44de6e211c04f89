"""The loop on digits as a reader runs it, twice: it spends its budget, and its repeat adds nothing."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from tranche import Client

from app.demo.service import Access, temporary_service
from tests.waiting import PATIENCE_S

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits_loop.py"
MOST_LINES = 30
RUNS = 11
"""In a round of ten groups: three nested ones and eight in which some are cut down."""


def run(access: Access) -> str:
    environment = {"TRANCHE_URL": access.base_url, "TRANCHE_API_KEY": access.api_key, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(EXAMPLE)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_loop_spends_its_budget_and_its_repeat_adds_nothing() -> None:
    with temporary_service(0) as access, Client(access.base_url, access.api_key) as tranche:
        said = run(access)
        project = tranche.find_project(external_id="digits")
        assert project is not None
        spent = [one.cost for one in tranche.rounds(project)]
        assert len(spent) == said.count("total ") == 3
        assert all(0 < money <= 80 for money in spent)
        budget = tranche.next_allocation(project).budget
        assert budget.remaining + budget.spend == 240 - sum(spent) < 10
        held = {group.key: group.raw_count for group in tranche.groups(project)}
        assert sum(held.values()) == 80 + sum(spent)
        before = (tranche.get_project(project), tranche.rounds(project), tranche.observations(project))
        assert len(before[2]) == 3 * RUNS
        assert run(access) == ""
        assert (tranche.get_project(project), tranche.rounds(project), tranche.observations(project)) == before
        assert sum((entry.spent for entry in tranche.ledger(project)), Decimal(0)) == sum(spent)


def test_the_loop_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= MOST_LINES
