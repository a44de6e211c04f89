"""Tables of what was recorded and played: runs, forecasts, simulations. They are read page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.services.curves.readings import Reading
from app.services.exports.columns import Content, group_key, within
from app.services.exports.dossier import Dossier
from app.services.exports.paging import paged
from app.store.models.jobs import Job
from app.store.models.observations import Forecast, Observation
from app.store.models.simulations import Simulation
from app.store.observations import listed_forecasts, listed_observations
from app.store.simulations import listed_simulations
from app.tables.shape import Column


@dataclass(frozen=True)
class MeasuredRun:
    """What a run says of one group: how many of its samples it was trained on, and the metric where it was measured;
    or how many of them came from a `source`."""

    run: Observation
    group: str
    count: int
    reading: Reading | None
    source: str | None = None

    @classmethod
    def of(cls, run: Observation, group: str) -> "MeasuredRun":
        reading = Reading(**run.metrics[group]) if group in run.metrics else None
        return cls(run, group, run.counts.get(group, 0), reading)


def observations_table(dossier: Dossier) -> Content[MeasuredRun]:
    metric = dossier.project.metric_name
    return [
        Column("observation", "text", "id of the run", lambda one: str(one.run.id)),
        Column("external_id", "text", "the run's name in your own records", lambda one: one.run.external_id),
        group_key(lambda one: one.group),
        Column("n", "count", "samples of the group that it was trained on", lambda one: one.count),
        within(lambda one: one.reading, [
            Column("value", "number", f"{metric} of the group", lambda reading: reading.value),
            Column("stderr", "number", "its standard error, as posted", lambda reading: reading.stderr),
            Column("eval_size", "count", "evaluation samples, as posted", lambda reading: reading.eval_size),
        ]),
        Column("source", "text", "that so many of the group's samples came from; empty: the line is of all",
               lambda one: one.source),
        within(lambda one: one.run, [
            Column("holdout", "text", "what it was scored on", lambda run: run.holdout),
            Column("recipe", "text", "how it was trained; only runs of the project's recipe are fitted",
                   lambda run: run.recipe),
            Column("chosen_from", "count", "candidates compared on the holdout to choose it",
                   lambda run: run.chosen_from),
            Column("observed_at", "instant", "when it was measured (UTC)", lambda run: run.observed_at),
            Column("voided_at", "instant", "when it was taken back (UTC)", lambda run: run.voided_at),
            Column("void_reason", "text", "why", lambda run: run.void_reason),
        ]),
    ], all_measured(dossier)  # fmt: skip


def all_measured(dossier: Dossier) -> Iterator[MeasuredRun]:
    """Each group that a run was trained on or measured on, then what came from each source; voided runs last."""
    for voided in (False, True):
        for run in paged(listed_observations(dossier.session, dossier.project.id, voided)):
            yield from (MeasuredRun.of(run, key) for key in dict.fromkeys((*run.counts, *run.metrics)))
            for source, of_groups in (run.origin or {}).items():
                yield from (MeasuredRun(run, key, count, None, source) for key, count in of_groups.items())


def forecasts_table(dossier: Dossier) -> Content[tuple[Forecast, str]]:
    metric = dossier.project.metric_name
    return [
        Column("observation", "text", "id of the run that was forecast", lambda one: str(one[0].observation_id)),
        group_key(lambda one: one[1]),
        within(lambda one: one[0], [
            Column("count", "count", "samples of the group that it was trained on", lambda it: it.count),
            Column("value", "number", f"{metric} that was measured", lambda it: it.value),
            Column("mean", "number", f"{metric} that was expected before", lambda it: it.mean),
            [quantile(level) for level in ("p05", "p10", "p25", "p50", "p75", "p90", "p95")],
            Column("crps", "number", "continuous ranked probability score, less is better", lambda it: it.crps),
            Column("wis", "number", "weighted interval score, less is better", lambda it: it.wis),
            Column("created_at", "instant", "when it was scored (UTC)", lambda it: it.created_at),
        ]),
    ], paged(listed_forecasts(dossier.session, dossier.project.id))  # fmt: skip


def quantile(level: str) -> Column[Forecast]:
    return Column(level, "number", f"{level[1:]} % quantile of what was expected", lambda it: it.quantiles[level])


@dataclass(frozen=True)
class Played:
    """A simulation, and how one policy fared in it. `standing`: None while it has no result."""

    simulation: Simulation
    job: Job
    standing: dict[str, Any] | None


def simulations_table(dossier: Dossier) -> Content[Played]:
    currency = dossier.project.currency
    return [
        Column("simulation", "text", "id of the simulation", lambda one: str(one.simulation.id)),
        Column("state", "text", "of its job", lambda one: one.job.state),
        Column("created_at", "instant", "when it was asked for (UTC)", lambda one: one.simulation.created_at),
        Column("simulation_data_version", "count", "of the data that it was played on",
               lambda one: one.simulation.data_version),
        within(lambda one: one.simulation.result, [
            Column("games", "count", "simulated games", lambda it: it["games"]),
            Column("rounds", "count", "rounds in each", lambda it: it["rounds"]),
            Column("budget", "money", f"money of all rounds, {currency}", lambda it: Decimal(it["budget"])),
            Column("chosen", "text", "the policy that the others are compared with", lambda it: it["chosen"]),
        ]),
        within(lambda one: one.standing, [
            Column("policy", "text", "how the money was split; oracle knows the true curves", lambda it: it["policy"]),
            Column("utility_mean", "number", "final utility, mean over the games", lambda it: it["utility"]["mean"]),
            Column("utility_se", "number", "its standard error", lambda it: it["utility"]["se"]),
            Column("worst_mean", "number", "final benefit of the worst group, mean over the games",
                   lambda it: it["worst"]["mean"]),
            Column("worst_se", "number", "its standard error", lambda it: it["worst"]["se"]),
            Column("regret", "number", "0 for the oracle, 1 for buying nothing", lambda it: it["regret"]),
            Column("difference_mean", "number", "final utility less the chosen policy's, paired over the games",
                   lambda it: it["difference"]["mean"]),
            Column("difference_se", "number", "its standard error", lambda it: it["difference"]["se"]),
            Column("p_better", "share", "share of games in which it ends above the chosen policy",
                   lambda it: it["p_better"]),
        ]),
    ], all_played(dossier)  # fmt: skip


def all_played(dossier: Dossier) -> Iterator[Played]:
    """A row for each policy, or one for a simulation without a result."""
    for one, job in paged(listed_simulations(dossier.session, dossier.project.id)):
        standings = [None] if one.result is None else [*one.result["policies"], one.result["oracle"]]
        yield from (Played(one, job, standing) for standing in standings)
