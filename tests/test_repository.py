"""The repository keeps its own rules."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from app.jobs.worker import GRACE_S
from app.settings import Settings

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_dependency_is_locked_with_hashes_and_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "--index" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all(re.match(r"[a-z0-9._-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_locks_hold_what_the_project_declares_in_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = {}
    for lock in ("requirements.lock", "requirements-dev.lock"):
        pins[lock] = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))
    names = {re.split(r"[\[><=]", one)[0] for one in project["dependencies"]}
    assert names - {"tranche-client"} <= pins["requirements.lock"].keys()  # of this repository
    assert pins["requirements.lock"].items() <= pins["requirements-dev.lock"].items()


def test_the_image_is_built_by_the_steps_that_developers_use() -> None:
    built = re.findall(r"^RUN make (\S+)$", DOCKERFILE, re.MULTILINE)
    assert built == [".venv/run.stamp"]
    assert f"{built[0]}: requirements.lock pyproject.toml client/pyproject.toml" in MAKEFILE
    copied = set(re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)[0].split())
    assert {"pyproject.toml", "requirements.lock", "Makefile"} <= copied
    ignore = (ROOT / ".dockerignore").read_text().split()
    assert all(f"!{name}" in ignore for name in copied | {"app", "client"})


def test_the_image_runs_the_command_that_make_serve_runs_as_nobody_in_particular() -> None:
    _, build, final = DOCKERFILE.split("\nFROM ")
    assert "USER" not in build
    assert re.search(r"^USER (?!root)\w+$", final, re.MULTILINE)
    assert 'CMD ["tranche", "serve"]' in final
    assert "$(BIN)/tranche serve" in MAKEFILE
    assert "/readyz" in final.split("HEALTHCHECK")[1]


def test_make_says_what_is_missing(tmp_path: Path) -> None:
    """With a python3 that cannot make environments, as Debian ships it, and with one that is too old."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "client").mkdir()
    for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml", "client/pyproject.toml"):
        (tmp_path / name).touch()
    python = tmp_path / "python3"
    for lacking, says in [("ensurepip", "apt-get install python3-venv"), ("version_info", "Python 3.11")]:
        python.write_text(f'#!/bin/sh\ncase "$2" in *{lacking}*) exit 1;; esac\n')
        python.chmod(0o755)
        done = subprocess.run(
            ["make", "setup", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert says in done.stdout


def test_every_slow_test_has_a_target_and_test_all_runs_them() -> None:
    [everything] = re.findall(r"^test-all: (.*?)  ##", MAKEFILE, re.MULTILINE)
    rules = dict(re.findall(r"^(test[a-z-]*):((?:.+\n)+)", MAKEFILE, re.MULTILINE))
    assert set(everything.split()) == rules.keys() - {"test-all"}
    named = " ".join(re.findall(r"-m slow (tests/\S+)", "".join(rules.values())))
    marked = re.compile(r"(?:^pytestmark = |^    |marks=)pytest\.mark\.slow", re.MULTILINE)
    slow = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py") if marked.search(path.read_text())]
    assert slow
    for path in slow:
        assert any(str(place) in named.split() for place in (path, path.parent)), path


def test_compose_migrates_before_it_serves() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    assert 'command: ["tranche", "migrate"]' in compose
    assert "service_completed_successfully" in compose
    assert not re.search(r"PASSWORD: \w", compose)


def test_compose_runs_jobs_in_workers_of_their_own() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    assert 'command: ["tranche", "serve", "--no-worker"]' in compose
    assert 'command: ["tranche", "worker"]' in compose
    serve, work = re.findall(r"stop_grace_period: (\d+)s", compose)
    assert int(serve) >= Settings().shutdown_grace_s + 10
    assert int(work) >= GRACE_S + 10
    # Its job done, the one that migrates stays ended.
    assert compose.count("restart: unless-stopped") == 3


def test_nothing_committed_names_a_machine(request: pytest.FixtureRequest) -> None:
    marks = [r"python" + "hosted", r"py" + r"pi\.org", "/wo" + "rk/", "/ro" + "ot/", r"npm" + r"js\.org"]
    found = subprocess.run(
        ["git", "grep", "-nIE", "|".join(marks)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


def test_the_python_versions_promised_are_those_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == ">=3.11"
    assert "(3, 11)" in MAKEFILE
    assert project["tool"]["ruff"]["target-version"] == "py311"
