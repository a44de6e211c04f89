"""An installed wheel serves without the source: it holds its migrations, pages, presets and data. The client's is small
and stands alone."""

import compileall
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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


def needed(name: str) -> set[str]:
    """The distribution and all that it depends on, here and without extras."""
    requirements = map(Requirement, distribution(name).requires or [])
    names = {one.name for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})}
    return {name}.union(*map(needed, names))


@pytest.fixture(scope="module")
def client_site(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an empty environment gets with the client: its wheel, and the files of what it depends on."""
    place = tmp_path_factory.mktemp("client-site")
    (wheel,) = wheels.glob("tranche_client-*.whl")
    run(sys.executable, "-m", "pip", "-q", "install", "--no-deps", "--no-index", "--target", place, wheel)
    for name in needed("httpx"):
        for file in distribution(name).files or []:
            if file.parts[0] != ".." and "__pycache__" not in file.parts:
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(str(file.locate())), place / file)
    compileall.compile_dir(place, quiet=2)
    return place


def test_the_client_brings_at_most_six_megabytes(client_site: Path) -> None:
    assert needed("httpx") >= {"httpx", "httpcore", "h11", "certifi"}
    size = sum(file.stat().st_size for file in client_site.rglob("*") if file.is_file())
    assert 1_000_000 < size <= 6_000_000


def test_the_client_imports_httpx_alone_beside_an_app_of_ones_own(client_site: Path, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "train.py").write_text(
        "import sys\nimport app\nimport tranche\nassert app.MINE and tranche.Client\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'__main__'}))\n"
    )
    # -S: nothing of this environment's own packages.
    imported = run(sys.executable, "-S", tmp_path / "train.py", PYTHONPATH=str(client_site)).split()
    assert {"app", "tranche", "httpx"} <= set(imported)
    assert set(imported) <= {"app", "tranche", *(name.replace("-", "_") for name in needed("httpx"))}
    assert (client_site / "tranche" / "py.typed").exists()


def test_the_client_leaves_the_slow_of_the_standard_library_alone(client_site: Path) -> None:
    """Each of these costs 10 to 100 ms, which every start of every job would pay."""
    said = run(sys.executable, "-S", "-c", "import sys, tranche; print(*sys.modules)", PYTHONPATH=str(client_site))
    assert not {"asyncio", "statistics", "sqlite3", "unittest", "multiprocessing", "xml", "pydoc"} & set(said.split())


def test_the_command_of_the_client_alone_says_its_version(client_site: Path) -> None:
    said = run(client_site / "bin" / "tranche", "--version", PYTHONPATH=str(client_site))
    assert "tranche-client 0." in said
