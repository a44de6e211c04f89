"""Metrics by group from Fairlearn's MetricFrame, read by its attributes alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tranche.adapters.groups import chosen, keyed
from tranche.metrics import Metric, finite, whole

COUNT = "count"
OF_ALL_SAMPLES = ("acc", "accuracy", "accuracy_score", "selection_rate", "zero_one_loss")
"""Metrics that are proportions of a group's samples, which the frame's column `count` counts."""


def from_metric_frame(
    frame: Any,
    metric: str | None = None,
    *,
    eval_size: str | int | Mapping[str, int] | None = None,
    groups: Iterable[str] | None = None,
) -> dict[str, Metric]:
    """A metric of `frame.by_group`; a group of several sensitive features is called "female/<25".

    metric: the name in the frame's dict of metrics; None for a frame of a single one. groups: the groups to take.

    The error: `eval_size` where it is given, a number, numbers by group, or the name of the frame's metric that counts
    the samples. Else the frame's metric `count`, for the proportions that are of all samples of a group (accuracy,
    selection_rate, …), not for a recall, which is one of the positive samples. Else, of a frame with `n_boot` and
    `ci_quantiles`, stderr = (upper - lower quantile) / (their distance in standard deviations of a normal). Else none.

    Raises ValueError for a metric that the frame does not have, and for a group whose value is not a number: no sample
    has its combination of features, or the metric is not defined for them.
    """
    columns = _columns(frame.by_group)
    name = _name(columns, metric)
    values = chosen(columns[name], groups)
    numbers = {group: finite(value, f"the {name} of group {group!r}") for group, value in values.items()}
    sizes = _sizes(columns, name, eval_size, numbers)
    if sizes is not None:
        return {group: Metric(number, eval_size=sizes.get(group)) for group, number in numbers.items()}
    errors = _bootstrap_errors(frame, name)
    return {group: Metric(number, stderr=errors.get(group)) for group, number in numbers.items()}


def _columns(table: Any) -> dict[str, dict[str, Any]]:
    """A data frame's columns, or the one series under its name, by group."""
    if hasattr(table, "columns"):
        return {str(name): keyed(column) for name, column in table.to_dict().items()}
    return {str(table.name): keyed(table.to_dict())}


def _name(columns: Mapping[str, Any], metric: str | None) -> str:
    if metric is not None and metric in columns:
        return metric
    measured = [name for name in columns if name != COUNT]
    if metric is None and len(measured) == 1:
        return measured[0]
    asked = "say which metric" if metric is None else f"the frame has no metric {metric!r}"
    raise ValueError(f"{asked}; it has {', '.join(columns)}")


def _sizes(
    columns: Mapping[str, Mapping[str, Any]], name: str, eval_size: Any, numbers: Mapping[str, float]
) -> dict[str, int] | None:
    """Samples by group, where they are given or the frame counts them; None where not."""
    if eval_size is None and (name not in OF_ALL_SAMPLES or COUNT not in columns):
        return None
    given = COUNT if eval_size is None else eval_size
    if isinstance(given, str):
        if given not in columns:
            raise ValueError(f"the frame has no metric {given!r} to take eval_size from; it has {', '.join(columns)}")
        given = {group: columns[given][group] for group in numbers}
    if not isinstance(given, Mapping):
        given = dict.fromkeys(numbers, given)
    return {group: whole(size, f"the eval_size of group {group!r}") for group, size in given.items()}


def _bootstrap_errors(frame: Any, name: str) -> dict[str, float]:
    """Standard errors from the outermost bootstrap quantiles; of groups whose quantiles differ."""
    quantiles: Sequence[float] | None = getattr(frame, "ci_quantiles", None)
    if quantiles is None or len(quantiles) < 2:
        return {}
    from statistics import NormalDist  # noqa: PLC0415 (slow to import, and seldom needed)

    low, high = min(quantiles), max(quantiles)
    if not 0 < low < high < 1:
        return {}
    bounds = dict(zip(quantiles, frame.by_group_ci, strict=True))
    lower, upper = (_columns(bounds[quantile])[name] for quantile in (low, high))
    deviations = NormalDist().inv_cdf(high) - NormalDist().inv_cdf(low)
    widths = {group: upper[group] - lower[group] for group in upper}
    return {group: float(width) / deviations for group, width in widths.items() if width > 0}
