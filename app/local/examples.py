"""The files to start from: the README's project."""

import shlex
from importlib.resources import files
from pathlib import Path

from app.local.plan import InputFaults

NAMES = ("project.yaml", "groups.csv", "runs.csv")


def write_example(folder: Path) -> str:
    """Writes the files and returns the command to run next. Raises InputFaults, having written nothing, where one is
    there already."""
    taken = [name for name in NAMES if (folder / name).exists()]
    if taken:
        raise InputFaults([f"{folder / name} is there already; nothing was written" for name in taken])
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        with (folder / name).open("xb") as file:
            file.write((files("app.local") / "example" / name).read_bytes())
    project, groups, runs = (shlex.quote(str(folder / name)) for name in NAMES)
    return f"tranche plan {project} {runs} --groups {groups}"
