"""`tranche next` and `tranche purchase` against a service of their own."""

from collections.abc import Callable, Iterator

import pytest
from tranche import Client, Project
from tranche.command_line import main

from app.demo.service import temporary_service

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        temporary_service(0) as access,
        Client(access.base_url, access.api_key) as client,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TRANCHE_URL", access.base_url)
        patch.setenv("TRANCHE_API_KEY", access.api_key)
        yield client


@pytest.fixture
def project(client: Client, request: pytest.FixtureRequest) -> Project:
    groups = [{"key": key, "initial_count": 100, "unit_cost": 1} for key in ("women", "men=all")]
    name = request.node.name
    budget = {"total": 90, "rounds": 3}
    return client.create_project(
        name, metric="accuracy", model="separate", budget=budget, groups=groups, external_id=name
    )


@pytest.fixture
def tranche(client: Client, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_next_prints_the_plan(client: Client, project: Project, tranche: Run) -> None:
    code, out, _ = tranche("next", "--project", project.id, "--budget", "12", "--policy", "equal")
    assert (code, out) == (0, f"{client.next_allocation(project, budget=12, policy='equal')}\n")
    assert client.next_allocation(project, budget=12, policy="equal").budget.spend == 12


def test_a_plan_is_recorded_and_the_next_round_has_its_money(client: Client, project: Project, tranche: Run) -> None:
    spend = client.next_allocation(project).budget.spend
    code, out, _ = tranche("purchase", "--project", str(project.external_id), "--plan", "--external-id", "1")
    assert (code, out) == (0, "Round 1: 30 samples for 30.00; the next round has 30.00.\n")
    assert sum(entry.spent for entry in client.ledger(project)) == spend
    assert client.next_allocation(project).round == 2


def test_a_purchase_sent_again_adds_nothing(client: Client, project: Project, tranche: Run) -> None:
    asked = ("purchase", "--project", project.id, "--order", "men=all=5", "--spent", "4.5", "--external-id", "inv-1")
    first, again = tranche(*asked), tranche(*asked)
    assert first == again == (0, "Round 1: 5 samples for 4.50; the next round has 42.75.\n", "")
    code, out, err = tranche(*(word.replace("=5", "=6") for word in asked))
    assert (code, out) == (2, "")
    assert "409" in err
    assert len(client.rounds(project)) == 1


@pytest.mark.parametrize(("arguments", "says"), [
    (("--order", "women"), "'women' is not NAME=N"), (("--order", "women=1.5"), "is not NAME=N"),
    (("--order", "women=1", "--order", "women=2"), "'women' is named twice"),
    (("--order", "girls=1"), "no source 'girls'"),
    (("--group", "women=91"), "left"), (("--group", "women=1", "--spent", "much"), "/spent"),
])  # fmt: skip
def test_what_is_wrong_is_said_and_changes_nothing(
    client: Client, project: Project, tranche: Run, arguments: tuple[str, ...], says: str
) -> None:
    code, out, err = tranche("purchase", "--project", project.id, *arguments, "--external-id", "1")
    assert (code, out) == (2, "")
    assert says in err
    assert list(client.rounds(project)) == []


def test_what_is_missing_is_named(tranche: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tranche("next", "--project", "nowhere")[::2] == (2, "tranche: there is no project 'nowhere'\n")
    monkeypatch.delenv("TRANCHE_API_KEY")
    assert tranche("next", "--project", "nowhere")[::2] == (2, "tranche: set TRANCHE_API_KEY, or give --key\n")
