"""Results as the benchmarks write them, and Markdown as docs/evidence.md has it.

A file is {"measured": {"code": paths, "parts": {part: stamp}}, "results": what the benchmark found}. A stamp is the
commit that was measured, the date, and as `content` a hash of the code there, which outlives a squashed commit;
`uncommitted` where the code was not yet that of the commit, `from_log` where the stamp was not written with the figures
but taken from the log of the file. stale.py holds them against the log.
"""

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
WHOLE = "whole"
"""The part of a file that is measured at once."""
Row = Mapping[str, Any]
Stamp = dict[str, Any]

PLANNER = ("app/planner", "app/services/curves")
SERVICE = (*PLANNER, "app/api/observations", "app/api/planning", "app/services/observations", "app/services/planning",
           "app/jobs", "app/store")  # fmt: skip
CODE: dict[str, tuple[str, ...]] = {
    "allocation.json": ("app/planner/integer", "app/planner/relaxation", "app/planner/policies", "app/planner/problem"),
    "curves.json": ("app/planner/curves", "app/planner/fitting", "app/planner/forecasts", "app/services/curves/data"),
    "dashboard.json": (*SERVICE, "app/web", "app/charts"),
    "growth.json": SERVICE,
    "hindsight.json": PLANNER,
    "inbox.json": ("app/api/vendors", "app/services/vendors", "app/vendors", "app/jobs", "app/store"),
    "jobs.json": ("app/jobs", "app/services/jobs", "app/services/webhooks", "app/store"),
    "joint.json": PLANNER,
    "loops.json": PLANNER,
    "neighbours.json": (*SERVICE, "app/api/admission", "app/api/http", "app/services/computing.py"),
    "peers.json": SERVICE,
    "prs.json": PLANNER,
    "prs_details.json": PLANNER,
    "quality.json": PLANNER,
    "receivers.json": ("app/api/webhooks", "app/services/webhooks", "app/jobs", "app/outbound", "app/store"),
    "regret.json": PLANNER,
    "replay.json": PLANNER,
    "shapes.json": PLANNER,
    "simulations.json": ("app/planner",),
    "surrogate.json": PLANNER,
    "surrogate_levels.json": PLANNER,
    "transfer.json": ("app/planner/curves", "app/planner/fitting", "app/planner/borrowing", "app/services/curves/data"),
    "transfer_prior.json": ("app/planner/borrowing",),
    "truth.json": PLANNER,
}
"""What each file measures: paths of the repository. The benchmarks' own scripts are not among them."""


def read(name: str) -> Any:
    """What the benchmark found."""
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))["results"]


def write(
    path: Path, results: Any, part: str = WHOLE, among: Collection[str] = (WHOLE,), measured: bool = True
) -> None:
    """The file with these results. part: what was measured now, among the parts that the results have; the stamps of
    the others stay. measured: whether this checkout was; if not, no stamp is made."""
    code = CODE.get(path.name, ("app",))
    parts = json.loads(path.read_text(encoding="utf-8"))["measured"]["parts"] if part != WHOLE and path.exists() else {}
    parts |= {part: stamp(code)} if measured else {}
    if parts.keys() >= set(among) != {WHOLE}:
        parts.pop(WHOLE, None)  # the stamp of parts that had none of their own
    content = {"measured": {"code": code, "parts": parts}, "results": results}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, default=float) + "\n", encoding="utf-8")


def write_part(path: Path, part: str, found: Any) -> None:
    """The file, whose results are by part, with what was found now for one of them."""
    results = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}
    results[part] = found
    write(path, results, part, among=results)


def stamp(code: Sequence[str]) -> Stamp:
    """The commit (None where there is no git) and the date in UTC."""
    made: Stamp = {"commit": _git("rev-parse", "HEAD") or None, "date": datetime.now(UTC).date().isoformat()}
    if content := content_of(code):
        made["content"] = content
    if _git("status", "--porcelain", "--", *code):
        made["uncommitted"] = True
    return made


def content_of(code: Sequence[str], root: Path | None = None) -> str | None:
    """A hash of what HEAD has at these paths of a repository, this one unless given; None where git cannot tell."""
    listed = _git("ls-tree", "-r", "HEAD", "--", *code, root=root)
    return sha256(listed.encode()).hexdigest()[:16] if listed else None


def _git(*words: str, root: Path | None = None) -> str:
    """What git says here, nothing where it cannot."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=root or RESULTS.parent.parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def markdown(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)]) + "\n"


def signed(mean: float, se: float) -> str:
    return f"{mean:+.4f} ± {se:.4f}"


def select(rows: Sequence[Row], **wanted: object) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def distinct(rows: Sequence[Row], name: str) -> list[str]:
    return list(dict.fromkeys(row[name] for row in rows))
