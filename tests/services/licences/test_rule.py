"""The licence rule: whom it excludes, whom it only warns of, and why."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from app.services.licences.rule import Because, judge


def source(license: str | None = None, method: str | None = None, **terms: Any) -> Any:
    return SimpleNamespace(key="s", license=license, method=method, terms=terms)


def rule(*require: str, methods: list[str] | None = None, unspecified: str = "exclude") -> dict[str, Any]:
    return {"require": list(require), "methods": methods, "unspecified": unspecified}


def test_without_a_rule_anything_goes() -> None:
    assert judge(None, source("CC-BY-NC-4.0")) == ((), ())
    assert judge(rule(), source("CC-BY-NC-4.0")) == ((), ())


@pytest.mark.parametrize("unspecified", ["exclude", "warn"])
def test_what_is_forbidden_is_excluded_and_what_is_unspecified_as_the_rule_has_it(unspecified: str) -> None:
    """Against the definition, over every combination of three terms and a method."""
    values, methods = ("allowed", "forbidden", "unspecified"), ("human", "scraped", None)
    asked = rule("commercial", "derivatives", methods=["human", "recorded"], unspecified=unspecified)
    for commercial, derivatives, method in product(values, values, methods):
        excluded, doubted = judge(asked, source(None, method, commercial=commercial, derivatives=derivatives))
        bad = "forbidden" in (commercial, derivatives) or method == "scraped"
        open_ = "unspecified" in (commercial, derivatives) or method is None
        assert bool(excluded) == (bad or (open_ and unspecified == "exclude"))
        assert bool(doubted) == (open_ and unspecified == "warn")


def test_the_reason_names_the_term_its_value_and_what_is_required() -> None:
    excluded, _ = judge(rule("commercial", methods=["human", "recorded"]), source("CC-BY-NC-4.0", "model"))
    assert excluded == (
        Because("commercial", "forbidden", "allowed"),
        Because("method", "model", "human or recorded"),
    )
    assert str(excluded[1]) == "method is model, not human or recorded"
