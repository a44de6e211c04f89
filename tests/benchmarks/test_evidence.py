"""The evidence page says what the benchmarks' results say."""

import importlib
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_page_is_written_from_the_results() -> None:
    sys.path.insert(0, str(BENCHMARKS))
    page = (BENCHMARKS.parent / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert importlib.import_module("evidence").page() == page, "write it anew: python benchmarks/evidence.py"
