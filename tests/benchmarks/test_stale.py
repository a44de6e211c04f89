"""Results carry what they measured, and are named once the code has gone on."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAY = "2026-11-24"


@pytest.fixture(scope="module")
def stale() -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    return importlib.import_module("stale")


@pytest.fixture(scope="module")
def files(stale: ModuleType) -> ModuleType:
    return importlib.import_module("results_files")


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *author, *words], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, **texts: str) -> str:
        """The commit with these files, `__` in a name being a slash."""
        for name, text in texts.items():
            path = self.root / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def results(self, name: str, code: list[str], **commits: str | None) -> None:
        parts = {part: {"commit": commit, "date": DAY} for part, commit in commits.items()}
        path = self.root / "benchmarks" / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"measured": {"code": code, "parts": parts}, "results": []}))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_results_are_stale_once_a_measured_file_differs(stale: ModuleType, repository: Repository) -> None:
    first = repository.commit(app__one="1", app__two__a="1", app__two__b="1", app__twofold="1")
    repository.results("all.json", ["app"], whole=first)
    repository.results("one.json", ["app/one"], whole=first)
    repository.results("two.json", ["app/two"], whole=first)
    assert stale.report(repository.root) == []
    repository.commit(app__two__a="2", app__two__b="2", app__twofold="2")
    lines = stale.report(repository.root)
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["all.json", "two.json"]
    assert f"{first[:10]}, {DAY}: 3 of the files" in lines[1]
    assert "2 of the files" in lines[2], "app/twofold is none of app/two"
    repository.commit(app__two__a="1", app__two__b="1", app__twofold="1")
    assert stale.report(repository.root) == [], "the code is again what was measured"


def test_a_file_that_moved_away_is_a_change(stale: ModuleType, repository: Repository) -> None:
    first = repository.commit(app__one__a="long enough to be found again")
    repository.results("one.json", ["app/one"], whole=first)
    repository.git("mv", "app/one/a", "app/a")
    repository.commit()
    assert "1 of the files" in stale.report(repository.root)[1]


def test_each_part_is_held_against_its_own_commit(stale: ModuleType, repository: Repository) -> None:
    first = repository.commit(app__one="1")
    second = repository.commit(app__one="2")
    repository.results("one.json", ["app/one"], sqlite=first, postgresql=second)
    assert [line.strip() for line in stale.report(repository.root)[1:]] == [
        f"one.json: sqlite, {first[:10]}, {DAY}: 1 of the files that it measures have changed since"
    ]


def test_the_same_content_is_known_again_where_the_commit_is_not(
    stale: ModuleType, files: ModuleType, repository: Repository
) -> None:
    repository.commit(app__one="1", app__two="1")
    stamp = {"commit": "0" * 40, "date": DAY, "content": files.content_of(["app/one"], repository.root)}
    path = repository.root / "benchmarks" / "results" / "one.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"measured": {"code": ["app/one"], "parts": {"whole": stamp}}, "results": []}))
    repository.commit(app__two="2")
    assert stale.report(repository.root) == []
    repository.commit(app__one="2")
    assert "unknown here" in stale.report(repository.root)[1]


def test_what_cannot_be_told_is_said(stale: ModuleType, repository: Repository) -> None:
    repository.commit(app__one="1")
    repository.results("gone.json", ["app/one"], whole="0" * 40)
    repository.results("none.json", ["app/one"], whole=None)
    (repository.root / "benchmarks" / "results" / "bare.json").write_text("[]")
    bare, gone, none = stale.report(repository.root)[1:]
    assert "does not say what it measured" in bare
    assert "unknown here" in gone
    assert "no commit" in none


def test_without_git_or_its_log_nothing_is_told(stale: ModuleType, repository: Repository, tmp_path: Path) -> None:
    repository.commit(app__one="1")
    repository.commit(app__one="2")
    shallow = tmp_path / "shallow"
    repository.git("clone", "-q", "--depth", "1", f"file://{repository.root}", str(shallow))
    assert stale.report(shallow) == ["A shallow clone: the age of results cannot be told."]


def test_outside_a_repository_it_says_so(stale: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert stale.report(tmp_path) == ["No git repository here: the age of results cannot be told."]
    monkeypatch.setenv("PATH", "")
    assert stale.report(tmp_path) == ["No git repository here: the age of results cannot be told."]


def test_what_is_measured_anew_is_stamped_and_the_rest_keeps_its_stamp(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = iter([{"commit": str(number)} for number in range(9)])
    monkeypatch.setattr(files, "stamp", lambda _: next(stamps))
    path = tmp_path / "growth.json"

    def parts() -> dict[str, Any]:
        content: dict[str, Any] = json.loads(path.read_text())
        assert content["measured"]["code"] == list(files.CODE["growth.json"])
        return {part: stamp["commit"] for part, stamp in content["measured"]["parts"].items()}

    files.write(path, {"sqlite": 1, "postgresql": 2})
    assert parts() == {"whole": "0"}
    files.write_part(path, "sqlite", 3)
    assert parts() == {"whole": "0", "sqlite": "1"}
    files.write_part(path, "postgresql", 4)
    assert parts() == {"sqlite": "1", "postgresql": "2"}, "nothing is left that the old stamp is for"
    assert json.loads(path.read_text())["results"] == {"sqlite": 3, "postgresql": 4}
    files.write(path, {"sqlite": 5, "postgresql": 6}, "sqlite", among=("sqlite", "postgresql"), measured=False)
    assert parts() == {"sqlite": "1", "postgresql": "2"}
    files.write(path, {"sqlite": 7})
    assert parts() == {"whole": "3"}


def test_every_file_here_says_what_it_measured(files: ModuleType) -> None:
    for path in files.RESULTS.glob("*.json"):
        measured = json.loads(path.read_text(encoding="utf-8"))["measured"]
        assert measured["code"] == list(files.CODE[path.name]), path.name
        for stamp in measured["parts"].values():
            assert stamp["commit"] is None or len(stamp["commit"]) == 40
            assert len(stamp["date"]) == 10
    for name, code in files.CODE.items():
        for one in code:
            assert (ROOT / one).exists(), f"{name} measures {one}, which is not there"
