"""A project's runs as the planner's observations, and the fit of its curves that is kept."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Fault, invalid
from app.planner.arrays import IntArray
from app.planner.borrowing import fit_together
from app.planner.curves import AssumedCurve, Observations, Points, drifts, fitted_part
from app.planner.utility import Metric
from app.services.computing import Work
from app.services.curves.basis import Basis, basis_of
from app.services.curves.fits import DRAWS, FitKey, Fits, Fitted
from app.services.curves.kept import kept
from app.services.curves.kept_fits import kept_fit, thaw
from app.services.curves.prior import prior_for
from app.services.curves.qualities import in_clean, learn, worths_of
from app.services.curves.readings import standard_errors
from app.services.curves.repeats import repeats_told
from app.services.curves.runs import Runs, runs_of_rows
from app.services.ledger.worths import NOTHING_LEARNT, Learnt, worth_of
from app.store import observations as store
from app.store.ledger import collected_counts
from app.store.member_rows import AnyGroup, AnySource, group_rows
from app.store.models.projects import Project

MOST_DRAWN = 2_000_000
"""Draws × groups of one question, each of which takes some 150 bytes while it is planned on."""


def metric_of(project: Project) -> Metric:
    return Metric(
        "maximize" if project.metric_goal == "maximize" else "minimize", project.metric_lower, project.metric_upper
    )


def fit_key(project: Project, draws: int, seed: int) -> FitKey:
    return FitKey(project.id, project.data_version, draws, seed)


def fitted(session: Session, fits: Fits, project: Project, groups: Sequence[AnyGroup], draws: int, seed: int) -> Fitted:
    """The curves of all the project's active groups, in their order: as a job fitted them, or fitted now. Raises
    Invalid for more draws than of so many groups fit into memory beside others'."""
    refuse_beyond(len(groups), draws)
    key = fit_key(project, draws, seed)
    found = fits.find(key) or thawed(session, fits, key)
    if found is not None:
        return found

    def gather() -> Work[Fitted]:
        basis = basis_of(project, groups, collected_counts(session, project.id), worths_of(session, project))
        runs = present_runs(session, fits, project)
        return Work(len(groups) * draws, lambda: fit_now(basis, runs, draws, seed))

    return kept(session, fits, key, gather)


def refuse_beyond(groups: int, draws: int) -> None:
    """Raises Invalid for more draws than MOST_DRAWN allows; what is asked without naming draws is always answered."""
    most = max(DRAWS, MOST_DRAWN // max(1, groups))
    if draws > most:
        detail = f"{draws:,} draws of {groups:,} groups take too much memory at once; ask for at most {most:,} draws"
        raise invalid(Fault("", detail))


def thawed(session: Session, fits: Fits, key: FitKey) -> Fitted | None:
    """The fit as a job made it, None where none is stored. Who thaws it waits for nobody who computes another."""
    content = kept_fit(session, key)
    if content is None:
        return None
    found = thaw(content)
    fits.keep(key, found)
    return found


def present_runs(session: Session, fits: Fits, project: Project) -> Runs:
    """What a fit uses now: the runs of the project's recipe that are not voided."""
    return all_runs(session, fits, project, project.recipe).as_of(project.data_version)


def all_runs(session: Session, fits: Fits, project: Project, recipe: str) -> Runs:
    """The project's runs of a recipe, voided ones too, of which only those are read that came since the last call."""
    known = fits.runs.find((project.id, recipe))
    if known is None:
        runs = runs_of_rows(store.run_rows(session, project.id, recipe))
    else:
        since, runs = known
        if since >= project.data_version:
            return runs
        fresh = store.run_rows(session, project.id, recipe, since)
        runs = runs.grown(fresh, store.voided_since(session, project.id, since))
    fits.runs.keep((project.id, recipe), (project.data_version, runs))
    return runs


def fit_now(basis: Basis, runs: Runs, draws: int, seed: int) -> Fitted:
    """runs: all that the fit is to use. Of repeated ones, one is taken."""
    keys = [group.key for group in basis.groups]
    told = repeats_told([(runs.name(row), runs.name(first)) for row, first in sorted(runs.repeats.items())])
    runs = runs.taken(runs.distinct)
    learnt = learn(basis.kind, basis.metric, basis.worths, runs, keys)
    runs = in_clean(runs, basis.worths, learnt)
    holdouts = {name: code for code, name in enumerate(sorted(runs.holdouts[code] for code in np.unique(runs.holdout)))}
    codes = np.array([holdouts.get(name, -1) for name in runs.holdouts], dtype=np.int64)[runs.holdout]
    place = {key: index for index, key in enumerate(keys)}
    run_of = tuple(runs.measured(key) for key in keys)
    observations = Observations(
        keys=tuple(keys),
        points=tuple(points_of(basis, key, runs, rows, codes) for key, rows in zip(keys, run_of, strict=True)),
        assumed=tuple(AssumedCurve(**group.assumed_curve) if group.assumed_curve else None for group in basis.groups),
        held=basis.held,
        span=basis.metric.span,
        runs=runs.compositions(keys),
        run_of=run_of,
        attributes=tuple(group.attributes or {} for group in basis.groups),
        parent=tuple(place.get(group.parent or "") for group in basis.groups),
        joint=basis.model == "joint",
    )
    posterior = fit_together(observations, prior_for(basis.metric.span), seed, draws)
    kept = fitted_part(observations)
    told += drifts(kept, runs.in_time)
    return Fitted(replace(posterior, warnings=(*told, *posterior.warnings)), kept, holdouts, learnt)


def learnt_of(session: Session, fits: Fits, project: Project, sources: Iterable[AnySource]) -> Learnt:
    """What the runs of a fit now say of `sources`, kept while neither they nor what is said of sources change."""
    if all(worth_of(source).is_exact for source in sources):
        return NOTHING_LEARNT
    runs = present_runs(session, fits, project)
    if not runs.pair:
        return NOTHING_LEARNT
    worths, groups = worths_of(session, project), [group.key for group in group_rows(session, project.id)]
    key = (project.id, project.recipe, hash(runs.ids), hash(frozenset(worths.items())), hash(tuple(groups)))

    def gather() -> Work[Learnt]:
        kind, metric = project.metric_kind, metric_of(project)
        return Work(0, lambda: learn(kind, metric, worths, runs.taken(runs.distinct), groups))

    found: Learnt = kept(session, fits.qualities, key, gather)
    return found


def points_of(basis: Basis, key: str, runs: Runs, rows: IntArray, holdouts: IntArray) -> Points:
    """The group's points: what the runs at `rows` measured of it. holdouts [runs]: the fit's numbers of them."""
    counts, values, stderrs, sizes = (
        runs.column(name, key)[rows] for name in ("counts", "values", "stderrs", "eval_sizes")
    )
    return Points(
        counts=counts,
        losses=basis.metric.to_loss(values),
        stderrs=standard_errors(basis.kind, values, stderrs, sizes),
        holdouts=holdouts[rows],
    )
