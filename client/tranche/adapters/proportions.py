"""Metrics of a confusion matrix with the errors that they have.

`hits` are true positives, TP; `actual` are TP + FN, `predicted` TP + FP.
"""

from math import sqrt

from tranche.metrics import Metric


def recall(hits: int, actual: int) -> Metric:
    """TP / (TP + FN): a proportion of the samples that have the label, so these are its eval_size."""
    return Metric(hits / actual, eval_size=actual)


def precision(hits: int, predicted: int) -> Metric:
    """TP / (TP + FP): a proportion of the samples that were given the label, so these are its eval_size."""
    return Metric(hits / predicted, eval_size=predicted)


def f1(hits: int, actual: int, predicted: int) -> Metric:
    """2 TP / (2 TP + FP + FN), which is no proportion of samples, so it has a stderr.

    F1 = 2 J / (1 + J) of J = TP / m, the Jaccard index, a proportion of the m = TP + FP + FN samples that have the
    label or were given it; by the delta method its error is 2 / (1 + J)² √(J (1 - J) / m). J is taken there as
    (TP + ½) / (m + 1), the mean under Jeffreys' prior, so that no score is certain.
    """
    union = actual + predicted - hits
    jaccard = (hits + 0.5) / (union + 1)
    stderr = 2 / (1 + jaccard) ** 2 * sqrt(jaccard * (1 - jaccard) / union)
    return Metric(2 * hits / (actual + predicted), stderr=stderr)
