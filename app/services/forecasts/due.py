"""Forecasts that are still to be made: what a request of runs owes, and how a job pays it.

A request is forecast from the runs of the requests before it and from the groups as they were, whenever that is done:
a run's forecast never sees the run itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.computing import Work
from app.services.curves.basis import Basis, packed, unpacked
from app.services.curves.fit import all_runs, fit_now, present_runs, thawed
from app.services.curves.fits import DRAWS, SEED, FitKey, Fits, Fitted
from app.services.curves.kept import kept
from app.services.curves.runs import Runs
from app.services.forecasts.making import forecasts_of
from app.services.forecasts.record import ForecastRecord, record_of, record_of_scored, scored, scored_of, state_of
from app.store import forecasts as store
from app.store.member_rows import group_rows
from app.store.models.observations import Forecast
from app.store.models.projects import Project

MOST_AHEAD = 8
"""So many requests are forecast by whoever asks before the job has; of more, an answer goes by those that are made."""
MOST_AT_ONCE = 50
"""So many are gathered at once."""


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


@dataclass(frozen=True)
class Due:
    """A request that is to be forecast, with all that this takes. runs: of the recipe, voided ones too. known: what was
    fitted before it came, where that is at hand."""

    project_id: UUID
    data_version: int
    basis: Basis
    runs: Runs
    known: Fitted | None

    def make(self, fits: Fits, now: datetime) -> Made:
        """Reads and stores nothing."""
        runs = self.runs.as_of(self.data_version)
        earlier = runs.brought < self.data_version
        # What was measured before is no test of the curves that were fitted to it.
        fresh = runs.taken(~earlier & runs.distinct)
        if not earlier.any() or not len(fresh):
            return Made(self.data_version, [])
        known = self.known or fits.get(
            before(self.project_id, self.data_version), lambda: fit_now(self.basis, runs.taken(earlier), DRAWS, SEED)
        )
        return Made(self.data_version, forecasts_of(self.project_id, self.basis, known, fresh, now))


def before(project_id: UUID, version: int) -> FitKey:
    """The fit that runs of the data version are forecast from."""
    return FitKey(project_id, version - 1, DRAWS, SEED)


def due_now(session: Session, fits: Fits, project: Project) -> list[Due]:
    """What is due, request by request in the order of their data versions, at most MOST_AT_ONCE. Raises RuntimeError
    where nothing says what they are to be made from."""
    found: list[Due] = []
    basis: Basis | None = None
    for version, content in store.tasks_due(session, project.id)[:MOST_AT_ONCE]:
        basis = unpacked(content) if content is not None else basis
        if basis is None:
            raise RuntimeError(f"the runs of data version {version} are to be forecast, but nothing says from what")
        key = before(project.id, version)
        known = fits.find(key) or thawed(session, fits, key)
        found.append(Due(project.id, version, basis, all_runs(session, fits, project, basis.recipe), known))
    return found


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

    def gather() -> Work[ForecastRecord]:
        present = set(present_runs(session, fits, project).ids)
        due = due_now(session, fits, project)
        made = scored(session, fits, state_of(session, project))

        def add_up() -> ForecastRecord:
            forecasts = [forecast for one in due for forecast in one.make(fits, project.data_at).forecasts]
            fresh = [forecast for forecast in forecasts if forecast.observation_id in present]
            return record_of_scored(project, made.followed_by(scored_of(fresh)))

        return Work(len(due) * len(group_rows(session, project.id)) * DRAWS, add_up)

    key = ("record", project.id, project.data_version, project.forecasts_due)
    found: ForecastRecord = kept(session, fits.records, key, gather)
    return found
