"""The standard error of a proportion, against its definition."""

from math import isclose, sqrt

import pytest

from app.services.curves.readings import Reading, standard_error
from app.store.models.projects import Project


def project(kind: str) -> Project:
    return Project(metric_kind=kind)


@pytest.mark.parametrize(("value", "size"), [(0.0, 10), (1.0, 10), (0.5, 100), (0.781, 2000)])
def test_a_proportions_error_is_that_of_a_count_with_half_a_success_more(value: float, size: int) -> None:
    share = (value * size + 0.5) / (size + 1)
    error = standard_error(project("proportion"), Reading(value, eval_size=size))
    assert error is not None
    assert isclose(error, sqrt(share * (1 - share) / size))
    assert error > 0


def test_what_is_stated_goes_before_what_is_derived() -> None:
    assert standard_error(project("proportion"), Reading(0.5, stderr=0.2, eval_size=10)) == 0.2


def test_other_metrics_have_no_error_by_size() -> None:
    assert standard_error(project("other"), Reading(0.5, eval_size=10)) is None
    assert standard_error(project("proportion"), Reading(0.5)) is None
