"""A metric measured in one run, its error, and the plain numbers that users hold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, SupportsFloat


@dataclass(frozen=True, slots=True)
class Metric:
    """A group's metric in one run and its error: `eval_size` for a proportion, `stderr` for any metric."""

    value: float
    stderr: float | None = None
    eval_size: int | None = None


def with_errors(
    metrics: Mapping[str, Metric | SupportsFloat],
    eval_size: int | Mapping[str, int] | None = None,
    stderr: float | Mapping[str, float] | None = None,
) -> dict[str, Metric]:
    """Metrics by group, plain numbers made metrics; the errors of the run go to those that state none of their own.

    Raises ValueError for an error of a group that has no metric.
    """
    for errors in (eval_size, stderr):
        if isinstance(errors, Mapping) and (unknown := sorted(errors.keys() - metrics.keys())):
            raise ValueError(f"an eval_size or stderr is given for groups without a metric: {', '.join(unknown)}")
    made = {}
    for group, given in metrics.items():
        metric = given if isinstance(given, Metric) else Metric(_plain(group, given))
        if metric.stderr is None and metric.eval_size is None:
            metric = replace(metric, stderr=_for(stderr, group), eval_size=_for(eval_size, group))
        made[group] = metric
    return made


def finite(value: Any, what: str) -> float:
    """The value as a number. Raises ValueError, naming `what`, where it is none or not finite."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is {value!r}, which is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{what} is {number}, which JSON cannot say and a plan cannot use: leave that group out")
    return number


def whole(value: Any, what: str) -> int:
    """A count, also where it came as 198.0. Raises ValueError, naming `what`, where it is not whole and 0 or more."""
    number = finite(value, what)
    if number != int(number) or number < 0:
        raise ValueError(f"{what} is {value!r}; it must be a whole number, 0 or more")
    return int(number)


def _plain(group: str, given: Any) -> float:
    if isinstance(given, bool | str) or not hasattr(given, "__float__"):
        raise TypeError(f"the metric of group {group!r} must be a number or a Metric; got {given!r}")
    return float(given)


def _for(errors: Any, group: str) -> Any:
    return errors.get(group) if isinstance(errors, Mapping) else errors
