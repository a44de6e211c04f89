"""One measured value of one group, and its standard error."""

import math
from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray
from app.store.models.projects import Project


@dataclass(frozen=True)
class Reading:
    """A metric measured on one group: its value, and its standard error or the number of samples behind it."""

    value: float
    stderr: float | None = None
    eval_size: int | None = None


def standard_error(project: Project, reading: Reading) -> float | None:
    """As given; for a proportion from the evaluation's size, √(ṽ(1−ṽ)/n) with ṽ = (v n + ½)/(n + 1) (api.md)."""
    if reading.stderr is not None:
        return reading.stderr
    if project.metric_kind != "proportion" or reading.eval_size is None:
        return None
    shrunk = (reading.value * reading.eval_size + 0.5) / (reading.eval_size + 1)
    return math.sqrt(shrunk * (1 - shrunk) / reading.eval_size)


def standard_errors(kind: str, values: FloatArray, stderrs: FloatArray, sizes: FloatArray) -> FloatArray:
    """`standard_error` of many readings of a metric of `kind`, all of one shape; nan: not said, and not known."""
    if kind != "proportion":
        return stderrs
    shrunk = (values * sizes + 0.5) / (sizes + 1)
    return np.where(np.isnan(stderrs), np.sqrt(shrunk * (1 - shrunk) / sizes), stderrs)
