"""The check of generated clients, without the generators: `make check-clients` runs those."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("check_clients", ROOT / "openapi" / "check_clients.py")
assert SPEC is not None
assert SPEC.loader is not None
check_clients = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_clients)


def test_every_operation_of_the_contract_is_looked_for() -> None:
    document = json.loads(check_clients.CONTRACT.read_text("utf-8"))
    calls = check_clients.operation_ids(check_clients.CONTRACT, "paths")
    assert len(calls) == sum(len(ways) for ways in document["paths"].values())
    assert "projects_create" in calls
    assert "webhooks_send_round_closed" in check_clients.operation_ids(check_clients.CONTRACT, "webhooks")


@pytest.mark.parametrize(("made", "missing"), [([], ["b", "a"]), (["a"], ["b"]), (["a", "b", "c"], [])])
def test_what_a_generator_left_out_is_named(made: list[str], missing: list[str]) -> None:
    assert check_clients.left_out(["b", "a"], made) == missing


def test_the_versions_of_the_generators_are_pinned() -> None:
    folder = ROOT / "openapi" / "generators"
    assert all("==" in line for line in (folder / "requirements.txt").read_text().splitlines())
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
