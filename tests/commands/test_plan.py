"""`tranche plan`: exit codes, layouts and what stands where."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tranche.command_line import main

from app.local.examples import NAMES
from tests.local.test_plan import GOOD, RUNS


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Plan = Callable[..., Done]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Plan:
    """Runs `tranche plan` in a folder that holds a project and its runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project.yaml").write_text(GOOD)
    (tmp_path / "runs.csv").write_text(RUNS)

    def run(*words: str) -> Done:
        try:
            code = main(["plan", *words])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


def test_a_plan_to_buy_is_code_0_and_a_table(plan: Plan) -> None:
    done = plan("project.yaml", "runs.csv")
    assert (done.code, done.err) == (0, "")
    verdict, _, first, _, header, *_ = done.out.splitlines()
    assert verdict.startswith("Buy a part of round 1: ")
    said = r"Collect \d+ samples from \w+, \d+ from \w+\. That costs ([\d,.]+) of 2,000\.00 USD\."
    found = re.fullmatch(said, first)
    assert found is not None
    # What is left pays for no sample more: the cheaper one costs 1.50.
    assert 1998.5 < float(found[1].replace(",", "")) <= 2000
    assert header.split()[:4] == ["group", "now", "add", "cost"]
    assert "WARNINGS" in done.out


def test_json_is_the_apis_answer_alone(plan: Plan) -> None:
    done = plan("project.yaml", "runs.csv", "--format", "json", "--budget", "500")
    answer = json.loads(done.out)
    assert done.err == ""
    assert answer["budget"]["available"] == "500.00"
    assert [group["group"] for group in answer["groups"]] == ["Bernese", "Valais"]


@pytest.mark.parametrize("layout", ["table", "md", "json"])
@pytest.mark.parametrize("why", ["no money", "not worth it", "nothing is sold"])
def test_a_plan_not_to_buy_is_code_3_in_every_layout(plan: Plan, why: str, layout: str) -> None:
    budget = ["--budget", "0"] if why == "no money" else []
    worth = "value_per_utility: 1\n" if why == "not worth it" else ""
    project = re.sub(r", unit_cost: \S+}", "}", GOOD) if why == "nothing is sold" else GOOD + worth
    Path("project.yaml").write_text(project)
    done = plan("project.yaml", "runs.csv", "--format", layout, *budget)
    assert (done.code, done.err) == (3, "")
    said = "Do not buy round 1" if why == "not worth it" else "Buy nothing in round 1"
    assert layout == "json" or said in done.out.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--example"),
        (["nowhere.yaml"], "nowhere.yaml: No such file"),
        (["."], ".: Is a directory"),
        (["project.yaml", "nowhere.csv"], "nowhere.csv: No such file"),
        (["project.yaml", "runs.csv", "--groups", "nowhere.csv"], "nowhere.csv: No such file"),
        (["a\0b"], "null"),
        (["runs.csv"], "runs.csv: line 1, column 1: a project is a mapping"),
        (["project.yaml", "project.yaml"], "project.yaml: Line 2 has 5 cells; the header has 1"),
        (["large.yaml"], "large.yaml: is over 10 MB"),
        (["project.yaml", "large.yaml"], "large.yaml: is over 10 MB"),
        (["project.yaml", "runs.csv", "--budget", "abc"], "--budget: give an amount"),
        (["project.yaml", "runs.csv", "--budget", "-5"], "--budget: an amount lies from 0"),
        (["project.yaml", "runs.csv", "--budget", "9000"], "--budget: "),
        (["project.yaml", "runs.csv", "--policy", "best"], "--policy: 'best' is none of"),
        (["project.yaml", "runs.csv", "--format", "xml"], "--format"),
        (["project.yaml", "--example"], "--example takes a folder alone"),
        (["--example", "project.yaml/x"], "project.yaml/x"),
    ],
)
def test_what_must_be_changed_is_code_2_and_leaves_standard_output_empty(
    plan: Plan, words: list[str], says: str
) -> None:
    Path("large.yaml").write_text("# " + "x" * 10_000_000)
    done = plan(*words)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "Traceback" not in done.err


def test_every_fault_has_a_line(plan: Plan) -> None:
    Path("runs.csv").write_text(RUNS.replace("Valais", "Uri"))
    done = plan("project.yaml", "runs.csv")
    lines = done.err.splitlines()
    assert len(lines) > 3
    assert all(re.match(r"tranche: runs\.csv: line \d: ", line) for line in lines), lines


def test_the_example_is_written_once_and_its_command_works(plan: Plan, tmp_path: Path) -> None:
    made = plan("--example", "my project")
    assert (made.code, made.err) == (0, "")
    program, *words = made.out.strip().replace("'", "").replace("my project", "my_project").split()
    assert program == "tranche"
    assert plan(*(word.replace("my_project", "my project") for word in words[1:])).code == 0
    (tmp_path / "my project" / "project.yaml").unlink()
    (tmp_path / "my project" / "runs.csv").write_text("mine")
    again = plan("--example", "my project")
    assert (again.code, again.out) == (2, "")
    assert "runs.csv is there already; nothing was written" in again.err
    assert (tmp_path / "my project" / "runs.csv").read_text() == "mine"
    assert not (tmp_path / "my project" / "project.yaml").exists()


def test_the_example_is_written_here_without_a_folder(plan: Plan, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).unlink(missing_ok=True)
    assert plan("--example").code == 0
    assert {path.name for path in tmp_path.iterdir()} >= set(NAMES)


def test_it_needs_no_setting_and_leaves_no_file(plan: Plan, tmp_path: Path) -> None:
    """Not even a good database: another process, so that nothing is imported yet."""
    before = sorted(tmp_path.iterdir())
    environment = {**os.environ, "TRANCHE_DATABASE_URL": "mysql://nowhere", "TRANCHE_SECRET_KEY": "short"}
    command = [sys.executable, "-W", "error", "-m", "app", "plan", "project.yaml", "runs.csv"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith("Buy a part of round 1")
    assert sorted(tmp_path.iterdir()) == before
