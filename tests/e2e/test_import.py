"""`tranche import` against a service of its own: what is shown, what is posted, what a repeat adds."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from tranche import Client

from app.demo.service import temporary_service
from tests.waiting import PATIENCE_S

RUNS = 200
GROUPS = ("women", "men")
NAMES = ("--value", "accuracy/{group}", "--count", "n/{group}")
Tried = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local MLflow store: 200 runs, one more that failed, and one that measured something else."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        uri = (folder / "mlruns").as_uri()
        client = MlflowClient(tracking_uri=uri)
        experiment = client.create_experiment("speech")
        for number in range(RUNS + 2):
            run = client.create_run(experiment).info.run_id
            size = 40 + 5 * number
            names = [*GROUPS, "overall"] if number <= RUNS else ["overall"]
            metrics = [Metric(f"accuracy/{name}", 0.9 - size**-0.5, 1_000, 0) for name in names]
            client.log_batch(run, metrics, [Param(f"n/{name}", str(size)) for name in GROUPS])
            client.set_terminated(run, "FAILED" if number == RUNS else "FINISHED")
        yield uri


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[Client, dict[str, str]]]:
    with temporary_service(0) as access, Client(access.base_url, access.api_key) as client:
        own = {"TRANCHE_URL": access.base_url, "TRANCHE_API_KEY": access.api_key, "MLFLOW_DISABLE_TELEMETRY": "true"}
        yield client, {**os.environ, **own}


def project(client: Client, name: str) -> str:
    groups = [{"key": key, "initial_count": 2000, "unit_cost": "1"} for key in GROUPS]
    metric = {"name": "accuracy", "kind": "proportion", "goal": "maximize", "lower": 0, "upper": 1}
    return client.create_project(name, metric=metric, budget={"total": "1000"}, groups=groups).id


def tranche(environment: dict[str, str], *arguments: str) -> Tried:
    command = [sys.executable, "-m", "tranche.command_line", "import", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=environment, check=False)


def test_two_hundred_runs_of_mlflow_come_in_once(service: tuple[Client, dict[str, str]], store: str) -> None:
    client, environment = service
    made = project(client, "from MLflow")
    asked = (
        "mlflow",
        "--tracking-uri",
        store,
        "--experiment",
        "speech",
        "--project",
        made,
        "--eval-size",
        "400",
        *NAMES,
    )
    looked = tranche(environment, *asked)
    assert looked.returncode == 0, looked.stderr
    for said in (
        f"200 runs for {made}, measured on 2 groups: men, women", "trained on 80 to 2,070 samples",
        "left out: 1 run, state FAILED", "left out: 1 run, no value named accuracy/{group}",
        "no group of the project: metrics.accuracy/overall", "Nothing is posted yet",
    ):  # fmt: skip
        assert said in looked.stdout
    assert client.get_project(made).data_version == 1
    assert tranche(environment, *asked, "--yes").stdout.endswith("200 accepted, 0 duplicates.\n")
    assert tranche(environment, *asked, "--yes").stdout.endswith("0 accepted, 200 duplicates.\n")
    assert client.get_project(made).data_version == 2


@pytest.mark.parametrize(("change", "says"), [
    ({"accuracy/{group}": "f1/{group}"}, "there are: metrics.accuracy/men, metrics.accuracy/overall, "),
    ({"speech": "nope"}, "no experiment 'nope'; there are: Default, speech"),
    ({"census": "none"}, "there is no project 'none'"),
    ({"n/{group}": "n"}, "must name {group} once"),
])  # fmt: skip
def test_what_is_not_there_is_named(
    service: tuple[Client, dict[str, str]], store: str, change: dict[str, str], says: str
) -> None:
    client, environment = service
    if "census" in change:
        project(client, "census")
    else:
        project(client, says)
        change = {**change, "census": says}
    asked = ("mlflow", "--tracking-uri", store, "--experiment", "speech", "--project", "census", *NAMES)
    tried = tranche(environment, *(change.get(one, one) for one in asked))
    assert (tried.returncode, tried.stdout) == (2, "")
    assert says in tried.stderr


def test_a_table_with_a_line_per_run_and_group_comes_in_once(
    service: tuple[Client, dict[str, str]], tmp_path: Path
) -> None:
    client, environment = service
    made = project(client, "by table")
    lines = [f"r{number};{key};{10 * number};0,{700 + number};1.000" for number in range(1, 201) for key in GROUPS]
    table = tmp_path / "runs.csv"
    table.write_text("\n".join(["External ID;Group;N;Value;Eval size", *lines]), encoding="utf-16")
    asked = ("csv", str(table), "--project", "by table")
    assert (
        "Read as UTF-16, separated by semicolons; decimal comma; thousands parted by ."
        in tranche(environment, *asked).stdout
    )
    assert tranche(environment, *asked, "--yes").stdout.endswith("200 accepted, 0 duplicates.\n")
    assert tranche(environment, *asked, "--yes").stdout.endswith("0 accepted, 200 duplicates.\n")
    table.write_text("external_id;group;n;value\nx;women;1;0,5\nx;men;many;0,5\n")
    refused = tranche(environment, *asked, "--yes")
    assert (refused.returncode, "line 3, n: 'many' is no number" in refused.stderr) == (2, True)
    assert client.get_project(made).data_version == 2


def test_without_a_service_or_a_key_it_is_said_what_is_missing() -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TRANCHE_")}
    tried = tranche(bare, "csv", "runs.csv", "--project", "p")
    assert (tried.returncode, tried.stderr) == (2, "tranche: set TRANCHE_URL, or give --url\n")
    away = tranche({**bare, "TRANCHE_URL": "ftp://x", "TRANCHE_API_KEY": "k"}, "csv", "runs.csv", "--project", "p")
    assert away.returncode == 2
    assert "Traceback" not in away.stderr
