"""What is known of the groups' learning curves, in the metric's own units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.planner.arrays import FloatArray
from app.planner.curves import Diagnostics, Posterior, Received
from app.planner.forecasts import rescale
from app.planner.utility import Metric
from app.planner.wording import Warning
from app.services.computing import Work, computed, give_back
from app.services.curves.fit import fitted, metric_of, present_runs
from app.services.curves.fits import Fits
from app.services.curves.qualities import in_clean, worths_of
from app.services.curves.readings import standard_errors
from app.services.curves.runs import CELLS, Runs
from app.services.forecasts.due import awaited, record_now
from app.services.forecasts.record import NAMES, PROBABILITIES
from app.services.ledger.holdings import Holdings, Stock, holdings_of
from app.store.member_rows import AnyGroup, group_rows, source_rows
from app.store.models.projects import Group, Project

DEFAULT_STEPS = 12
BEYOND = 4
"""Without counts asked for, bands reach to this many times the largest count."""


@dataclass(frozen=True)
class CurveQuestion:
    """At which counts bands are asked for (none: a spread round what is held), and how they are drawn."""

    at: Sequence[int]
    draws: int
    seed: int


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
    """One group's curve: parameters by name, the metric's band at each count, and what it was learnt from.

    now: the metric where the group stands, with what is awaited, as plans have it. chance_reachable: that endless data
    reaches the target, None without one. misfit: by how much worse it is there for the share of the data that is unlike
    the group, None where that takes nothing.
    """

    group: str
    stock: Stock
    now: Summary
    parameters: dict[str, Summary]
    chance_reachable: float | None
    bands: list[tuple[int, Summary]]
    points: list[CurvePoint]
    transfer: tuple[Received, ...]
    misfit: Summary | None
    diagnostics: Diagnostics
    warnings: tuple[Warning, ...]


@dataclass(frozen=True)
class Known:
    """All that curves are read from, loaded once however many are asked for. place: of a group, by its key.

    Both with all groups at what they have and await, as plans ask it. learnt: from the runs alone; posterior: with the
    gains that the record of past forecasts bears out.
    """

    project: Project
    learnt: Posterior
    posterior: Posterior
    runs: Runs
    place: Mapping[str, int]
    holdings: Holdings
    factors: FloatArray

    def curve(self, group: Group, at: Sequence[int] = ()) -> Curve:
        """The curve of one of the project's active groups, its bands `at` these counts or at a spread of them."""
        only = np.array([self.place[group.key]])
        ones = self.learnt.select(only), self.posterior.select(only)
        points = curve_points(self.project, group, self.runs, ones[0].residuals[0])
        return curve_of(self.project, group, self.holdings.stock(group), points, ones, at, self.factors)


def known_curves(session: Session, fits: Fits, project: Project, draws: int, seed: int) -> Known:
    groups = group_rows(session, project.id)
    learnt = fitted(session, fits, project, groups, draws, seed)
    record = record_now(session, fits, project)
    holdings = holdings_of(session, project, source_rows(session, project.id), learnt.learnt)
    runs, worths = present_runs(session, fits, project), worths_of(session, project)

    def know() -> Known:
        now = counts_now([holdings.stock(group) for group in groups])
        return Known(
            project=project,
            learnt=learnt.posterior.moved(now),
            posterior=record.curves(learnt).moved(now),
            runs=in_clean(runs, worths, learnt.learnt),
            place={group.key: index for index, group in enumerate(groups)},
            holdings=holdings,
            factors=record.widening,
        )

    key = ("curves", project.id, project.data_version, awaited(project), draws, seed)
    return computed(session, key, Work(len(groups) * draws, know))


def counts_now(stocks: Sequence[Stock]) -> FloatArray:
    """Clean samples [groups] held or awaited."""
    return np.array([stock.now for stock in stocks], dtype=np.float64)


def curves_of(
    session: Session, fits: Fits, project: Project, shown: Sequence[Group], question: CurveQuestion
) -> list[Curve]:
    """The curves of `shown`, some of the project's active groups."""
    known = known_curves(session, fits, project, question.draws, question.seed)
    give_back(session)
    return [known.curve(group, question.at) for group in shown]


def curve_of(
    project: Project,
    group: Group,
    stock: Stock,
    points: list[CurvePoint],
    ones: tuple[Posterior, Posterior],
    at: Sequence[int],
    factors: FloatArray,
) -> Curve:
    """`ones` are the group's own posteriors, by the runs alone and with the gains that the record bears out; `factors`
    what it widens bands by."""
    metric, (learnt, one) = metric_of(project), ones
    counts = list(at) or default_counts(stock, one.diagnostics[0])
    asked = np.array([[stock.now, *counts]], dtype=np.float64)
    # The record is of gains beyond what is known: below, the curve is what the runs say.
    known = min(stock.held.effective, float(one.diagnostics[0].largest_count))
    drawn = np.where(asked[:, :, None] < known, learnt.band(asked), one.band(asked))
    now, *bands = bands_of(drawn, metric, factors)[0]
    return Curve(
        group=group.key,
        stock=stock,
        now=now,
        parameters=parameters_of(one, metric, group),
        chance_reachable=chance_reachable(one, metric, group),
        bands=list(zip(counts, bands, strict=True)),
        points=points,
        transfer=one.transfer.received[0] if one.transfer else (),
        misfit=misfits_of(one, np.array([stock.now]))[0],
        diagnostics=one.diagnostics[0],
        warnings=one.warnings,
    )


def bands_at(posterior: Posterior, metric: Metric, counts: FloatArray, factors: FloatArray) -> list[list[Summary]]:
    """The metric of each group at its counts [groups, sizes], widened by the record; quantiles as plans take them."""
    return bands_of(posterior.band(counts), metric, factors)


def bands_of(losses: FloatArray, metric: Metric, factors: FloatArray) -> list[list[Summary]]:
    """The same from predictive draws [groups, sizes, draws]."""
    found = metric.to_metric(losses)
    return [[widened(summary(band, "linear"), metric, factors) for band in bands] for bands in found]


def widened(band: Summary, metric: Metric, factors: FloatArray) -> Summary:
    """The band's quantiles as the record of past forecasts says they should have been."""
    quantiles = np.array([band.quantiles[name] for name in NAMES], dtype=np.float64)
    moved = metric.within(rescale(np.array(PROBABILITIES), quantiles, factors))
    return Summary(band.mean, dict(zip(NAMES, moved.tolist(), strict=True)))


def default_counts(stock: Stock, diagnostics: Diagnostics) -> list[int]:
    """A geometric spread from a sixteenth of what is known to well beyond it, what is held and awaited among it."""
    marked = {stock.count, stock.count + stock.pending}
    largest = max(diagnostics.largest_count, *marked, 16)
    spread = np.geomspace(largest / 16, largest * BEYOND, DEFAULT_STEPS)
    return sorted({int(count) for count in np.round(spread)} | marked)


def parameters_of(one: Posterior, metric: Metric, group: AnyGroup) -> dict[str, Summary]:
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


def misfits_of(posterior: Posterior, now: FloatArray) -> list[Summary | None]:
    """What misfit takes of each group's metric at its count `now` [groups]; None where it takes nothing in any draw."""
    if posterior.transfer is None:
        return [None] * len(now)
    return [summary(taken) if taken.any() else None for taken in posterior.transfer.harm(now)]


def chance_reachable(one: Posterior, metric: Metric, group: AnyGroup) -> float | None:
    """That endless data reaches the group's target; None without one."""
    if group.target is None:
        return None
    return float(np.isfinite(one.inverse(metric.to_loss(np.array([group.target])))).mean())


def summary(values: FloatArray, method: Literal["linear", "inverted_cdf"] = "inverted_cdf") -> Summary:
    """Over draws. None stands for a number that is not finite: a target never reached.

    "inverted_cdf" picks draws and never averages two, which may be infinite.
    """
    quantiles = np.quantile(values, PROBABILITIES, method=method)
    return Summary(finite(np.mean(values)), dict(zip(NAMES, map(finite, quantiles), strict=True)))


def finite(value: float | np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None


def curve_points(project: Project, group: Group, runs: Runs, residuals: FloatArray) -> list[CurvePoint]:
    """All measurements of the group; residuals: of those fitted, in their order. A repeat has that of the run it
    repeats."""
    rows = runs.measured(group.key)
    place = {row: position for position, row in enumerate(rows[runs.distinct[rows]].tolist())}
    counts, *cells = (runs.column(name, group.key)[rows] for name in CELLS)
    stderrs = standard_errors(project.metric_kind, *cells)
    return [
        CurvePoint(
            runs.ids[row],
            int(count),
            value,
            finite(stderr),
            finite(residuals[position]) if (position := place[runs.repeats.get(row, row)]) < len(residuals) else None,
        )
        for row, count, value, stderr in zip(
            rows.tolist(), counts.tolist(), cells[0].tolist(), stderrs.tolist(), strict=True
        )
    ]
