"""An installed wheel serves without the source: it holds its migrations, pages, presets and data."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = (
    "api/examples/planning.json",
    "local/example/runs.csv",
    "report/style.css",
    "services/curves/data/prior.json",
    "vendors/presets/cvat.json",
    "web/templates/base.html",
)


def run(*command: str | Path, **environment: str) -> str:
    """What the command prints, away from the source."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both wheels, the server's and the client's."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, ROOT, ROOT / "client")
    return folder


@pytest.fixture(scope="module")
def wheel(wheels: Path) -> Path:
    (built,) = wheels.glob("tranche-*.whl")
    return built


def test_the_wheel_holds_every_migration_and_all_that_is_read(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    versions = {f"app/migrations/versions/{file.name}" for file in (ROOT / "migrations" / "versions").glob("*.py")}
    assert versions
    assert versions | {f"app/{name}" for name in DATA} <= held
    assert not [name for name in held if name.startswith(("migrations/", "tests/"))]


def test_an_installed_wheel_migrates_a_fresh_database(wheels: Path, tmp_path: Path) -> None:
    place = tmp_path / "site"
    run(
        sys.executable,
        "-m",
        "pip",
        "-q",
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        place,
        *wheels.glob("*.whl"),
    )
    installed = {"PYTHONPATH": str(place), "TRANCHE_DATABASE_URL": f"sqlite:///{tmp_path}/fresh.db"}
    where = "import app.store.schema as schema; print(schema.migrations_folder())"
    assert Path(run(sys.executable, "-c", where, **installed).strip()) == place / "app" / "migrations"
    run(place / "bin" / "tranche", "migrate", **installed)
    run(place / "bin" / "tranche", "migrate", "--check", **installed)
