"""Metrics by class from scikit-learn's classification_report(…, output_dict=True)."""

from collections.abc import Iterable, Mapping
from typing import Any

from tranche.adapters import proportions
from tranche.adapters.groups import chosen, keyed
from tranche.metrics import Metric, finite

AVERAGES = frozenset({"accuracy", "micro avg", "macro avg", "weighted avg", "samples avg"})
NAMES = {"recall": "recall", "precision": "precision", "f1": "f1-score", "f1-score": "f1-score"}
TOLERANCE = 1e-6


def from_classification_report(
    report: Mapping[str, Any], metric: str = "recall", *, groups: Iterable[str] | None = None
) -> dict[str, Metric]:
    """Each class's recall, precision or f1, a class a group; the averages are left out, and `groups` takes some only.

    `support` counts a class's samples. A recall is a proportion of these, so they are its eval_size; a precision is
    one of the samples that were given the class. The report does not count those, but they follow: TP = recall ·
    support, and TP / precision predictions. From them come the eval_size of a precision and the stderr of an f1 (see
    `adapters.proportions`). Where they are no whole numbers (rounded reports, weighted samples) or do not follow
    (TP = 0), no error is stated.

    Raises TypeError for a report as text, and ValueError for another metric, and a class whose metric is no number.
    """
    if not isinstance(report, Mapping):
        raise TypeError("the report must be a dict: call classification_report(…, output_dict=True)")
    if metric not in NAMES:
        raise ValueError(f"a report has no {metric!r}; it has recall, precision and f1")
    classes = {name: row for name, row in report.items() if name not in AVERAGES and isinstance(row, Mapping)}
    return {name: _read(name, row, metric) for name, row in chosen(keyed(classes), groups).items()}


def _read(name: str, row: Mapping[str, Any], metric: str) -> Metric:
    value = finite(row[NAMES[metric]], f"the {metric} of class {name!r}")
    support = _near_whole(float(row["support"]))
    if metric == "recall":
        return Metric(value, eval_size=support or None)
    counts = _counts(support, float(row["recall"]), float(row["precision"]))
    if counts is None:
        return Metric(value)
    hits, actual, predicted = counts
    if metric == "precision":
        return Metric(value, eval_size=predicted)
    return Metric(value, stderr=proportions.f1(hits, actual, predicted).stderr)


def _counts(support: int | None, recall: float, precision: float) -> tuple[int, int, int] | None:
    """TP, TP + FN and TP + FP; None where they do not follow."""
    if support is None or not recall > 0 or not precision > 0:
        return None
    hits = _near_whole(recall * support)
    predicted = _near_whole(hits / precision) if hits else None
    return None if not hits or predicted is None else (hits, support, predicted)


def _near_whole(number: float) -> int | None:
    nearest = round(number) if number < float("inf") else 0
    return nearest if abs(number - nearest) <= TOLERANCE * max(1.0, nearest) else None
