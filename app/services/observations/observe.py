"""The use case behind POST observations: forecast first, then take the runs in, then tell who waits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from app.services.curves.fit import fit_key, fitted
from app.services.curves.fits import DRAWS, SEED, Fits
from app.services.curves.repeats import distinct, repeated_runs, repeats_of
from app.services.enqueue import Enqueue
from app.services.jobs import plan_watch
from app.services.observations import observations
from app.services.observations.forecasts import forecasts_of
from app.services.observations.observations import Accepted, Draft
from app.services.webhooks.events import record
from app.store.models.projects import Group, Project
from app.store.observations import fitted_observations
from app.store.projects import members


def post(
    session: Session,
    fits: Fits,
    project: Project,
    drafts: Sequence[Draft],
    missing_is_zero: bool,
    now: datetime,
    enqueue: Enqueue,
) -> Accepted:
    """Store the runs with the forecasts of them made from the runs before, and the event that says so. Raises as
    `observations.accept`."""
    groups = members(session, Group, project.id)
    before = fitted_observations(session, project.id, project.recipe)
    key = fit_key(project, DRAWS, SEED)
    done = observations.accept(session, project, drafts, missing_is_zero, now)
    stored = [run for run in done.stored if run.recipe == project.recipe]
    repeats = repeats_of([*before, *stored])
    # What was measured before is no test of the curves that were fitted to it.
    fresh = distinct(stored, repeats)
    if before and fresh:
        known = fitted(session, fits, key, project, groups, before)
        session.add_all(forecasts_of(project, groups, known, fresh, now))
    if done.stored:
        announce(session, project, len(done.stored), now, enqueue)
    return replace(done, warnings=(*done.warnings, *repeated_runs(stored, repeats)))


def announce(session: Session, project: Project, accepted: int, now: datetime, enqueue: Enqueue) -> None:
    plan_watch.request(session, project, enqueue, now)
    url = f"/v1/projects/{project.id}/observations"
    data = {"url": url, "accepted": accepted, "data_version": project.data_version}
    record(session, project.workspace_id, "observations.accepted", project.id, data, now, enqueue)
