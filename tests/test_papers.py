"""docs/papers.md: every paper once, and what it names there is."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "papers.md").read_text().splitlines()
    if re.match(r"\| \d", line)
]
OPERATIONS = {
    f"{method.upper()} {path}"
    for path, methods in json.loads((ROOT / "openapi" / "openapi.json").read_text())["paths"].items()
    for method in methods
}


def test_every_paper_has_one_row() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 38))
    assert all(len(row) == 5 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    _, paper, taken, where, shown = row
    assert paper
    if taken.startswith("nothing"):
        assert ":" in taken or " beyond " in taken or ";" in taken, "it says why"
        return
    for place in (where, shown):
        names = re.findall(r"`([^`]+)`", place)
        assert any(there(name) for name in names), f"{place} names nothing"
        assert [name for name in names if looks_like_a_place(name) and not there(name)] == []


def looks_like_a_place(name: str) -> bool:
    return "/" in name


def there(name: str) -> bool:
    if re.match(r"[A-Z]+ /", name):
        return name in OPERATIONS
    file, _, test = name.partition("::")
    path = ROOT / file
    return path.exists() and (not test or f"def {test}(" in path.read_text())
