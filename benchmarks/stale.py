"""Which results are older than the code that they measure.

    python benchmarks/stale.py

For each part of each file in benchmarks/results: the files among those it measures that differ between the commit
that was measured and HEAD. A notice, never a failure: new code needs no new figures at once, but they must not be taken
for its own. Without git, and in a shallow clone, it says so.
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import results_files

ROOT = Path(__file__).parents[1]
Changed = Callable[[str], Sequence[str] | None]
"""A commit → files that HEAD has otherwise; None where the commit is not known."""


def git(root: Path, *words: str) -> str | None:
    """What git says in a repository; None where it cannot."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def of(measured: Mapping[str, Any], changed: Changed, content: str | None = None) -> list[str]:
    """What is to be said of a file with these stamps; content: the hash of its code in HEAD, if known."""
    said = []
    for part, stamp in measured["parts"].items():
        commit = stamp["commit"]
        at = f"{'' if part == 'whole' else part + ', '}{(commit or 'no commit')[:10]}, {stamp['date']}"
        if content is not None and stamp.get("content") == content and "uncommitted" not in stamp:
            continue
        differ = changed(commit) if commit else None
        if differ is None:
            said.append(f"{at}: unknown here, its age cannot be told")
            continue
        count = sum(any(name == path or name.startswith(f"{path}/") for path in measured["code"]) for name in differ)
        if count:
            said.append(f"{at}: {count} of the files that it measures have changed since")
    return said


def report(root: Path) -> list[str]:
    """Lines to print."""
    if git(root, "rev-parse", "HEAD") is None:
        return ["No git repository here: the age of results cannot be told."]
    if git(root, "rev-parse", "--is-shallow-repository") == "true":
        return ["A shallow clone: the age of results cannot be told."]

    @cache
    def changed(commit: str) -> Sequence[str] | None:
        listed = git(root, "diff", "--name-only", "--no-renames", commit, "HEAD", "--")
        return None if listed is None else listed.splitlines()

    lines = []
    for path in sorted((root / "benchmarks" / "results").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or "measured" not in content:
            lines.append(f"{path.name}: it does not say what it measured")
            continue
        measured = content["measured"]
        now = results_files.content_of(measured["code"], root)
        lines += [f"{path.name}: {said}" for said in of(measured, changed, now)]
    return ["Results older than the code that they measure:", *(f"  {line}" for line in lines)] if lines else []


def main() -> None:
    print("\n".join(report(ROOT) or ["All results are of the code as it is."]))


if __name__ == "__main__":
    main()
