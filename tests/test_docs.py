"""The commands that the documentation shows are run as they stand there."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tranche import Client

from app.demo.service import temporary_service
from app.outbound.errors import AnswerTooLarge, OutboundError
from app.services.access.secrets import new_secret_key
from app.services.ids import new_id
from app.services.webhooks.events import EVENT_TYPES
from app.services.webhooks.messages import payload
from app.services.webhooks.retries import DELAYS_S
from app.services.webhooks.signing import new_signing_secret, signed_headers
from app.store.models.webhooks import Event, WebhookDelivery, WebhookEndpoint
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / page).read_text())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def shell(commands: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """One that stops at the first failure and ends what the commands left running."""
    script = f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{commands}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        ["bash", "-c", script], cwd=folder, env={**os.environ, "PATH": path, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run_commands(commands: str, folder: Path, **environment: str) -> str:
    with shell(commands, folder, **environment) as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out + err
    return out


@dataclass(frozen=True)
class Service:
    """What the README's first commands started: `run` runs further ones in a shell that knows its key."""

    port: int
    key: str

    def run(self, commands: Sequence[str], folder: Path) -> str:
        moved = "\n".join(commands).replace("8000", str(self.port))
        return run_commands(moved, folder, TRANCHE_API_KEY=self.key)


README = (ROOT / "README.md").read_text()
PLAN_FROM_FILES, SERVICE_BY_CURL, LOOP = (
    re.split(r"^## .*\n", README, flags=re.MULTILINE)[number] for number in (1, 2, 3)
)
ROUND_BY_CURL = BLOCK.findall(SERVICE_BY_CURL)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all pages: each makes a project of its own."""
    start, port = ROUND_BY_CURL[0], free_port()
    folder = tmp_path_factory.mktemp("service")
    commands = f"exec 2>log\n{start.replace('8000', str(port))}\necho; echo $TRANCHE_API_KEY; wait"
    with shell(commands, folder, TRANCHE_DATABASE_URL=f"sqlite:///{folder}/readme.db") as process:
        assert process.stdout is not None
        try:
            ready, key = (process.stdout.readline().strip() for _ in range(2))
            assert ready.startswith('{"status":"ok"'), (folder / "log").read_text()
            yield Service(port, key)
        finally:
            # Else leaving the block waits for it for ever.
            process.terminate()


def test_the_round_by_curl_in_the_readme_works(service: Service, tmp_path: Path) -> None:
    assert len(ROUND_BY_CURL) == 5
    said = service.run(ROUND_BY_CURL[1:], tmp_path)
    assert '"accepted":3' in said
    assert '"spend": "' in said
    assert '"external_id":"round-1"' in said
    assert '"state":"closed"' in said


def test_the_plan_from_files_in_the_readme_is_the_services(service: Service, tmp_path: Path) -> None:
    [commands] = BLOCK.findall(PLAN_FROM_FILES)
    table = run_commands(commands.replace("$PWD/.venv/bin", str(Path(sys.executable).parent)), tmp_path)
    asked = ROUND_BY_CURL[3].removesuffix("| python3 -m json.tool\n")
    plan = json.loads(service.run([*ROUND_BY_CURL[1:3], f"echo; {asked}"], tmp_path).splitlines()[-1])
    for group in plan["groups"]:
        assert re.search(rf"^{group['group']} .*\b{group['add']}\b", table, re.MULTILINE)


def test_the_loop_in_the_readme_spends_its_rounds_money() -> None:
    [code] = re.findall(r"^```python\n(.*?)^```", LOOP, re.MULTILINE | re.DOTALL)
    held = {"Bernese": 400, "Valais": 200}

    def train_on_subsets() -> Iterator[tuple[dict[str, int], dict[str, float], str]]:
        for number, share in enumerate((0.25, 0.5, 1.0)):
            counts = {group: int(share * n) for group, n in held.items()}
            yield counts, {group: 1.0 - n**-0.3 for group, n in counts.items()}, f"run-{number}"

    with temporary_service(0) as access, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANCHE_URL", access.base_url)
        patch.setenv("TRANCHE_API_KEY", access.api_key)
        names: dict[str, Any] = {"train_on_subsets": train_on_subsets}
        exec(code, names)
        with Client() as tranche:
            plan = tranche.next_allocation(names["project"])
    assert (plan.round, plan.budget.available) == (2, names["plan"].budget.remaining / 2)
    assert names["plan"].budget.remaining <= 4001


def test_the_round_of_the_rounds_page_works(service: Service, tmp_path: Path) -> None:
    said = service.run(ROUND_BY_CURL[1:] + blocks("docs/rounds.md"), tmp_path)
    assert '"state":"proposed"' in said
    assert '"spent":"150.00"' in said
    assert '"state":"closed"' in said


def test_the_commands_of_the_provenance_page_go_on_from_an_accepted_round(service: Service, tmp_path: Path) -> None:
    said = service.run(ROUND_BY_CURL[1:] + blocks("docs/rounds.md")[:2] + blocks("docs/provenance.md"), tmp_path)
    assert '"unspecified":"warn"' in said
    assert '"name": "without"' in said
    assert "row 2 has '17', below 18" in said
    assert '"accepted": 1' in said
    assert "add up to what the ledger says" in (tmp_path / "provenance.md").read_text()


def test_the_commands_of_the_planning_page_go_on_from_the_readme(service: Service, tmp_path: Path) -> None:
    asked = blocks("docs/planning.md")
    assert len(asked) == 12
    said = service.run(ROUND_BY_CURL[1:] + asked, tmp_path)
    assert '"radio-archive"' in said
    assert re.search(r"^Valais office (0\.\d+|1\.0)$", said, re.MULTILINE)
    assert '"worth_spending": "' in said
    for name in ("as it is", "half the money", "cheaper Valais", "at least 1,100 of Valais", "what we had in mind"):
        assert f'"name": "{name}"' in said
    assert '"joint_chance"' in said
    assert '"variance_after"' in said
    assert '"variance_factor"' in said
    assert said.rindex('"model": "separate"') > said.rindex('"model": "joint"')


def test_the_commands_of_the_import_page_work(service: Service, tmp_path: Path) -> None:
    look, post = blocks("docs/import.md")
    said = service.run(
        [ROUND_BY_CURL[1].replace('"speech"', '"imported"'), look.replace(" speech ", " imported ")], tmp_path
    )
    assert "decimal comma" in said
    assert "3 runs for imported, measured on 2 groups: Bernese, Valais" in said
    assert "left out: 1 run, state crashed" in said
    assert "Nothing is posted yet" in said
    address = look[look.index("export ") : look.index("tranche import")]
    said = service.run([address, post.replace(" speech ", " imported ")], tmp_path)
    assert "3 accepted, 0 duplicates." in said
    assert "0 accepted, 3 duplicates." in said


def test_the_commands_of_the_simulations_page_go_on_from_the_readme(service: Service, tmp_path: Path) -> None:
    asked = blocks("docs/simulations.md")
    assert len(asked) == 2
    said = service.run(ROUND_BY_CURL[1:] + asked, tmp_path)
    assert '"p_better_than_equal"' in said
    for name in ("utility.svg", "differences.svg"):
        assert "<svg" in (tmp_path / name).read_text()


def test_the_plan_from_files_of_the_ci_page_is_made(tmp_path: Path) -> None:
    [commands] = blocks("docs/ci.md")
    assert run_commands(commands, tmp_path).count("Collect ") == 1


GH = """#!/usr/bin/env bash
while [ $# -gt 1 ]; do [ "$1" != --body-file ] || cat "$2"; shift; done > comment.md
"""
"""A `gh` that keeps what it is asked to comment."""


@pytest.mark.parametrize(
    ("budget", "says", "code"), [("6000", "**Buy a part of round 1", "0"), ("0", "**Buy nothing in round 1", "3")]
)
def test_the_workflow_of_the_ci_page_comments_the_plan(tmp_path: Path, budget: str, says: str, code: str) -> None:
    steps = workflow_of_the_ci_page(tmp_path, budget)
    run_commands(steps["Plan"], tmp_path, GITHUB_STEP_SUMMARY="summary.md", GITHUB_OUTPUT="output")
    run_commands("export PATH=$PWD:$PATH\n" + steps["Comment"], tmp_path, PULL="7", GH_TOKEN="none")
    assert (tmp_path / "comment.md").read_text().startswith(says)
    assert (tmp_path / "summary.md").read_text() == (tmp_path / "comment.md").read_text()
    assert (tmp_path / "output").read_text() == f"code={code}\n"
    [told] = [step for name, step in steps.items() if "nothing" in name]
    assert run_commands(told, tmp_path).startswith("::warning::")


def test_the_workflow_of_the_ci_page_fails_where_a_file_must_be_changed(tmp_path: Path) -> None:
    steps = workflow_of_the_ci_page(tmp_path, "a lot")
    with shell(steps["Plan"], tmp_path, GITHUB_STEP_SUMMARY="summary.md", GITHUB_OUTPUT="output") as process:
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "data/project.yaml: line" in err
    assert not (tmp_path / "summary.md").exists()


def workflow_of_the_ci_page(folder: Path, budget: str) -> dict[str, str]:
    """Its commands by their steps' names, in a checkout that holds the example."""
    page = (ROOT / "docs" / "ci.md").read_text()
    [text] = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    run_commands("tranche plan --example data", folder)
    project = folder / "data" / "project.yaml"
    project.write_text(project.read_text().replace('"6000"', f'"{budget}"'))
    (folder / "gh").write_text(GH)
    (folder / "gh").chmod(0o755)
    steps = yaml.safe_load(text)["jobs"]["plan"]["steps"]
    assert steps[-1]["if"] == "steps.plan.outputs.code == '3'"
    return {step["name"]: step["run"] for step in steps if "run" in step}


def test_the_make_targets_that_the_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for block in blocks(str(page.relative_to(ROOT))):
            named = re.findall(r"\bmake ([a-z-]+)", re.sub(r"#.*", "", block))
            assert set(named) <= targets, page


def test_bare_make_lists_the_targets() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "demo", "serve", "test", "check", "bench"):
        assert re.search(rf"^{target} ", said, re.MULTILINE), target


def test_the_key_of_the_operations_page_is_printed_alone(tmp_path: Path) -> None:
    [create] = [block for block in blocks("docs/operations.md") if block.startswith("tranche key create")]
    said = run_commands(create, tmp_path, TRANCHE_DATABASE_URL=f"sqlite:///{tmp_path}/keys.db")
    assert re.fullmatch(r"tranche_[0-9a-f]{16}_[\w-]{43}\n", said)


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="needs PostgreSQL")
def test_the_commands_for_postgresql_work(tmp_path: Path, postgresql_url: str) -> None:
    [commands] = [block for block in blocks("docs/operations.md") if "tranche migrate" in block]
    port = free_port()
    url = postgresql_url.replace("postgresql+psycopg://", "postgresql://")
    served = re.sub(r"postgresql://\S+", url.replace("\\", ""), commands).replace("tranche serve", "tranche serve &")
    wait = f"until curl -sf http://127.0.0.1:{port}/readyz; do sleep 0.2; done"
    assert '"status":"ok"' in run_commands(served + wait, tmp_path, TRANCHE_PORT=str(port))


def test_every_warning_has_its_line() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "warnings.md").read_text(), re.MULTILINE))
    sources = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    made = set(re.findall(r"(?:Warning|WarningOut)\((?:code=)?\s*\"(\w+)\"", sources))
    extremes = set(re.findall(r"\(\"(\w+)\", _[A-Z]+, ", sources))
    assert extremes
    assert told == made | extremes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_the_code_of_the_client_page_works_and_its_loop_may_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "client.md").read_text()
    loop, *rest = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    seen: list[int] = []

    def train_and_score(subset: dict[str, list[int]]) -> dict[str, float]:
        seen.append(sum(len(positions) for positions in subset.values()))
        return {group: 0.9 - 1 / len(positions) ** 0.5 for group, positions in subset.items()}

    with temporary_service(0) as access, Client(access.base_url, access.api_key) as tranche:
        monkeypatch.setenv("TRANCHE_URL", access.base_url)
        monkeypatch.setenv("TRANCHE_API_KEY", access.api_key)
        names: dict[str, Any] = {"train_and_score": train_and_score}
        exec(loop, names)
        project = names["project"]
        assert seen[:5] == [600, 300, 150, 300, 450]
        assert len(seen) == 15
        assert seen[10] > seen[5] > 600
        left = tranche.next_allocation(project, budget=0).budget.remaining
        assert left == 6000 - sum(entry.spent for entry in tranche.ledger(project))
        assert left < 100
        before = tranche.get_project(project)
        exec(loop, names)
        assert tranche.get_project(project) == before
        assert len(seen) == 15
        for code in rest:
            exec(code, names)
        assert names["round"].state == "closed"
        assert names["spent"] == 6000 - left


def test_the_clients_readme_works(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "client" / "README.md").read_text()
    [code] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    with temporary_service(0) as access:
        monkeypatch.setenv("TRANCHE_URL", access.base_url)
        monkeypatch.setenv("TRANCHE_API_KEY", access.api_key)
        exec(code, {})
    assert "Valais" in capsys.readouterr().out


def test_the_receiver_of_the_webhooks_page_verifies_and_skips_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    [code] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    [example] = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    event = json.loads(example)
    body = json.dumps(event).encode()
    secret, known = new_signing_secret(), set[str]()
    headers = signed_headers(event["id"], datetime.now(UTC), body, [secret])
    assert names["receive"](secret, headers, body, known) == 204
    assert names["receive"](secret, headers, body, known) == 204
    assert capsys.readouterr().out == f"observations.accepted {event['data']['url']}\n"
    assert names["receive"](secret, headers, body + b" ", known) == 401
    assert names["receive"](new_signing_secret(), headers, body, known) == 401


def test_the_example_of_the_webhooks_page_has_the_fields_of_what_is_sent() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    [example] = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    endpoint, now = WebhookEndpoint(id=new_id()), datetime.now(UTC)
    delivery = WebhookDelivery(event_type="observations.accepted", event_id=new_id(), sequence=17, occurred_at=now)
    event = Event(version=1, project_id=new_id(), data={})
    assert list(json.loads(example)) == list(json.loads(payload(endpoint, delivery, event)))


def test_the_webhooks_page_tells_every_type_and_every_error() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    kinds = [kind.code for kind in OutboundError.__subclasses__() if kind is not AnswerTooLarge]
    for name in [*EVENT_TYPES, *kinds, "secret_unreadable"]:
        assert f"`{name}`" in page, name
    for delay in DELAYS_S:
        assert re.search(rf"\b{delay:g} s|\b{delay / 60:g} min|\b{delay / 3600:g} h", page), delay


def test_the_endpoint_of_the_webhooks_page_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [create] = [block for block in blocks("docs/webhooks.md") if "webhook-endpoints" in block]
    monkeypatch.setenv("TRANCHE_SECRET_KEY", new_secret_key())
    with temporary_service(0) as access:
        said = run_commands(create, tmp_path, TRANCHE=access.base_url, TRANCHE_API_KEY=access.api_key)
    assert '"secret":"whsec_' in said
    assert '"event_types":["allocation.changed","target.reached"]' in said
