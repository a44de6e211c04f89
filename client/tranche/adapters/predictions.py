"""Metrics by group from labels and predictions."""

from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from typing import Any

from tranche.adapters import proportions
from tranche.adapters.groups import group_key
from tranche.metrics import Metric, finite

Pairs = Sequence[tuple[Any, Any]]


def from_predictions(
    y_true: Iterable[Any],
    y_pred: Iterable[Any],
    groups: Iterable[Any],
    metric: str = "accuracy",
    *,
    positive: Any = 1,
) -> dict[str, Metric]:
    """Scores predictions by group; a group of several attributes is a tuple and called "female/<25".

    accuracy: eval_size is the group's samples. recall: eval_size is its samples of the label `positive`. precision:
    eval_size is its samples that were predicted to be `positive`. f1 (of `positive`): stderr by the delta method. mae,
    mse, rmse: stderr from the scatter of the single errors, s / √n, of rmse by the delta method; none where there is a
    single sample or no scatter.

    Raises ValueError for lengths that differ, no samples, another metric, and a group whose metric is not defined.
    """
    if metric not in SCORES:
        raise ValueError(f"{metric!r} is not scored here; it is one of {', '.join(SCORES)}")
    by_group: dict[str, list[tuple[Any, Any]]] = {}
    labels, predictions, keys = list(y_true), list(y_pred), list(groups)
    if not len(labels) == len(predictions) == len(keys) or not keys:
        lengths = f"{len(labels):,}, {len(predictions):,} and {len(keys):,}"
        raise ValueError(f"y_true, y_pred and groups must be of one length and not empty; they have {lengths} items")
    for label, prediction, key in zip(labels, predictions, keys, strict=True):
        by_group.setdefault(group_key(key), []).append((label, prediction))
    return {group: _scored(metric, group, pairs, positive) for group, pairs in by_group.items()}


def _scored(metric: str, group: str, pairs: Pairs, positive: Any) -> Metric:
    try:
        return SCORES[metric](pairs, positive)
    except ZeroDivisionError:
        what = f"labelled or predicted {positive!r}" if metric == "f1" else _LACKING.get(metric, "")
        what = what.format(repr(positive))
        raise ValueError(
            f"group {group!r} has no samples {what}, so its {metric} is not defined: leave it out"
        ) from None
    except ValueError as error:
        raise ValueError(f"group {group!r}: {error}") from None


_LACKING = {"recall": "labelled {}", "precision": "predicted {}"}


def _accuracy(pairs: Pairs, _: Any) -> Metric:
    return Metric(sum(bool(label == prediction) for label, prediction in pairs) / len(pairs), eval_size=len(pairs))


def _confusion(pairs: Pairs, positive: Any) -> tuple[int, int, int]:
    hits = sum(bool(label == positive and prediction == positive) for label, prediction in pairs)
    actual = sum(bool(label == positive) for label, _ in pairs)
    return hits, actual, sum(bool(prediction == positive) for _, prediction in pairs)


def _recall(pairs: Pairs, positive: Any) -> Metric:
    hits, actual, _ = _confusion(pairs, positive)
    return proportions.recall(hits, actual)


def _precision(pairs: Pairs, positive: Any) -> Metric:
    hits, _, predicted = _confusion(pairs, positive)
    return proportions.precision(hits, predicted)


def _f1(pairs: Pairs, positive: Any) -> Metric:
    return proportions.f1(*_confusion(pairs, positive))


def _mean(errors: Sequence[float]) -> Metric:
    n = len(errors)
    mean = sum(errors) / n
    scatter = sqrt(sum((error - mean) ** 2 for error in errors) / (n - 1)) if n > 1 else 0.0
    return Metric(mean, stderr=scatter / sqrt(n) or None)


def _errors(pairs: Pairs) -> list[float]:
    return [finite(prediction, "a prediction") - finite(label, "a label") for label, prediction in pairs]


def _mae(pairs: Pairs, _: Any) -> Metric:
    return _mean([abs(error) for error in _errors(pairs)])


def _mse(pairs: Pairs, _: Any) -> Metric:
    return _mean([error**2 for error in _errors(pairs)])


def _rmse(pairs: Pairs, positive: Any) -> Metric:
    mse = _mse(pairs, positive)
    rmse = sqrt(mse.value)
    return Metric(rmse, stderr=None if mse.stderr is None else mse.stderr / (2 * rmse))


SCORES: dict[str, Callable[[Pairs, Any], Metric]] = {
    "accuracy": _accuracy,
    "recall": _recall,
    "precision": _precision,
    "f1": _f1,
    "mae": _mae,
    "mse": _mse,
    "rmse": _rmse,
}
