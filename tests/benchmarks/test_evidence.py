"""The evidence page says what the benchmarks' results say."""

import importlib
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
evidence = importlib.import_module("evidence")


def test_the_page_is_written_from_the_results() -> None:
    page = (BENCHMARKS.parent / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert evidence.page() == page, "write it anew: python benchmarks/evidence.py"


def test_what_not_even_the_best_split_leads_by_cannot_be_shown() -> None:
    assert evidence.limit([4.0, 3.5], 24).startswith("`oracle_fixed` leads by more than three in all 2")
    assert evidence.limit([4.0, 3.0, -0.5], 24).startswith(
        "In 2 of 3 not even `oracle_fixed` leads by more than three (-0.5 to 3.0): with 24 replicates"
    )
