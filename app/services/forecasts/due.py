"""Forecasts that are still to be made: what a request of runs owes, and how a job pays it.

A request is forecast from the runs of the requests before it and from the groups as they were, whenever that is done:
a run's forecast never sees the run itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.services.curves.basis import Basis, packed, unpacked
from app.services.curves.fit import all_runs, fit_now, present_runs
from app.services.curves.fits import DRAWS, SEED, FitKey, Fits, Fitted
from app.services.curves.kept_fits import kept_fit
from app.services.curves.runs import Runs
from app.services.forecasts.making import forecasts_of
from app.services.forecasts.record import ForecastRecord, record_of, record_of_scored, scored, scored_of, state_of
from app.store import forecasts as store
from app.store.models.observations import Forecast
from app.store.models.projects import Project

MOST_AHEAD = 8
"""So many requests are forecast by whoever asks before the job has; of more, an answer goes by those that are made."""


@dataclass(frozen=True)
class Made:
    """The forecasts of the request of a data version."""

    data_version: int
    forecasts: Sequence[Forecast]


def owe(session: Session, project: Project, basis: Callable[[], Basis]) -> None:
    """The data version just made brought runs of the project's recipe; `basis`: as it was before, made where the last
    request's is not the same."""
    before = project.data_version - 1
    same = project.forecasts_due > 0 and store.is_due(session, project.id, before)
    store.add_task(session, project.id, project.data_version, None if same else packed(basis()))
    project.forecasts_due += 1


def made_in_turn(session: Session, fits: Fits, project: Project, now: datetime) -> Iterator[Made]:
    """The forecasts of what is due, request by request in the order of their data versions. Stores nothing. Raises
    RuntimeError where nothing says what they are to be made from."""
    basis: Basis | None = None
    for version, content in store.tasks_due(session, project.id):
        basis = unpacked(content) if content is not None else basis
        if basis is None:
            raise RuntimeError(f"the runs of data version {version} are to be forecast, but nothing says from what")
        runs = all_runs(session, fits, project, basis.recipe).as_of(version)
        yield Made(version, forecasts_of_version(session, fits, project, basis, runs, version, now))


def forecasts_of_version(
    session: Session, fits: Fits, project: Project, basis: Basis, runs: Runs, version: int, now: datetime
) -> list[Forecast]:
    """runs: as of the version."""
    earlier = runs.brought < version
    # What was measured before is no test of the curves that were fitted to it.
    fresh = runs.taken(~earlier & runs.distinct)
    if not earlier.any() or not len(fresh):
        return []
    key = FitKey(project.id, version - 1, DRAWS, SEED)

    def fit() -> Fitted:
        return kept_fit(session, key) or fit_now(basis, runs.taken(earlier), DRAWS, SEED)

    return forecasts_of(project.id, basis, fits.get(key, fit), fresh, now)


def pay(session: Session, project: Project, made: Sequence[Made]) -> None:
    """Store forecasts, each request's once, whoever else has made them. The transaction holds the project's lock."""
    for one in made:
        if store.task_done(session, project.id, one.data_version):
            session.add_all(one.forecasts)
            project.forecasts_due -= 1
    session.flush()


def awaited(project: Project) -> int | None:
    """Where answers go by the forecasts that are made: how many requests' are not; else None."""
    return project.forecasts_due if project.forecasts_due > MOST_AHEAD else None


def record_now(session: Session, fits: Fits, project: Project) -> ForecastRecord:
    """The record that answers go by: with the forecasts that are due, where they are few."""
    if not project.forecasts_due or awaited(project):
        return record_of(session, fits, project)

    def add_up() -> ForecastRecord:
        present = set(present_runs(session, fits, project).ids)
        due = [
            forecast
            for one in made_in_turn(session, fits, project, project.data_at)
            for forecast in one.forecasts
            if forecast.observation_id in present
        ]
        made = scored(session, fits, state_of(session, project))
        return record_of_scored(project, made.followed_by(scored_of(due)))

    key = (project.id, project.data_version, project.forecasts_due)
    found: ForecastRecord = fits.records.get(key, add_up)
    return found
