"""One measured value of one group, and its standard error."""

import math
from dataclasses import dataclass

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
