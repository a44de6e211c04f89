"""What is known of the groups' learning curves, in the metric's own units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.metric import Metric
from app.planner.posterior import Diagnostics, Posterior
from app.planner.warnings import Warning
from app.services.observations import Reading, standard_error
from app.services.planning import metric_of, posterior_of, runs_of
from app.store.models import Group, Observation, Project

QUANTILES = (5, 10, 25, 50, 75, 90, 95)
DEFAULT_STEPS = 12
BEYOND = 4
"""Without counts asked for, bands reach to this many times the largest count."""


@dataclass(frozen=True)
class Summary:
    """A quantity's posterior: mean and quantiles by their names (p05 …)."""

    mean: float | None
    quantiles: dict[str, float | None]


@dataclass(frozen=True)
class CurvePoint:
    observation: UUID
    count: int
    value: float
    stderr: float | None
    residual: float | None


@dataclass(frozen=True)
class Curve:
    """One group's curve: parameters by name, the metric's band at each count, and what it was learnt from."""

    group: str
    count: int
    parameters: dict[str, Summary]
    bands: list[tuple[int, Summary]]
    points: list[CurvePoint]
    diagnostics: Diagnostics
    warnings: tuple[Warning, ...]


def curves_of(
    project: Project,
    groups: Sequence[Group],
    runs: Sequence[Observation],
    at: Sequence[int],
    draws: int,
    seed: int,
) -> list[Curve]:
    """The curves of `groups`, with bands at the counts `at`, or at a spread of counts where it is empty."""
    if not groups:
        return []
    posterior = posterior_of(project, groups, runs, draws, seed)
    return [curve_of(project, group, runs, posterior, index, at) for index, group in enumerate(groups)]


def curve_of(
    project: Project,
    group: Group,
    runs: Sequence[Observation],
    posterior: Posterior,
    index: int,
    at: Sequence[int],
) -> Curve:
    metric = metric_of(project)
    one = posterior.select(np.array([index]))
    counts = list(at) or default_counts(group, one.diagnostics[0])
    bands = metric.to_metric(one.band(np.array([counts], dtype=np.float64))[0])
    return Curve(
        group=group.key,
        count=group.initial_count,
        parameters=parameters_of(one, metric, group),
        bands=[(count, summary(band)) for count, band in zip(counts, bands, strict=True)],
        points=curve_points(project, group, runs, one.residuals[0]),
        diagnostics=one.diagnostics[0],
        warnings=one.warnings,
    )


def default_counts(group: Group, diagnostics: Diagnostics) -> list[int]:
    """A geometric spread from a sixteenth of what is known to well beyond it."""
    largest = max(diagnostics.largest_count, group.initial_count, 16)
    spread = np.geomspace(largest / 16, largest * BEYOND, DEFAULT_STEPS)
    return sorted({int(count) for count in np.round(spread)} | {group.initial_count})


def parameters_of(one: Posterior, metric: Metric, group: Group) -> dict[str, Summary]:
    """The curve's parameters; the asymptote in the metric's units, offset and samples_to_target in samples."""
    drawn = one.parameters()
    named = {
        "asymptote": metric.to_metric(drawn["asymptote"][0]),
        "exponent": drawn["exponent"][0],
        "offset": drawn["offset"][0],
    }
    if group.target is not None:
        target = metric.to_loss(np.array([group.target]))
        named["samples_to_target"] = np.ceil(one.inverse(target)[0])
    return {name: summary(values) for name, values in named.items()}


def summary(values: FloatArray) -> Summary:
    """Over draws. None stands for a number that is not finite: a target never reached."""
    # "inverted_cdf" picks draws and never averages two, which may be infinite.
    quantiles = np.percentile(values, QUANTILES, method="inverted_cdf")
    named = {f"p{level:02d}": finite(value) for level, value in zip(QUANTILES, quantiles, strict=True)}
    return Summary(finite(np.mean(values)), named)


def finite(value: float | np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None


def curve_points(
    project: Project, group: Group, runs: Sequence[Observation], residuals: FloatArray
) -> list[CurvePoint]:
    points = []
    for position, run in enumerate(runs_of(group.key, runs)):
        reading = Reading(**run.metrics[group.key])
        residual = finite(residuals[position]) if position < len(residuals) else None
        points.append(
            CurvePoint(
                run.id,
                run.counts.get(group.key, 0),
                reading.value,
                standard_error(project, reading),
                residual,
            )
        )
    return points
