"""The use case behind POST observations: take the runs in, note what is to be forecast, tell who waits."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.services.curves.basis import Basis, basis_of
from app.services.curves.qualities import worths_of
from app.services.enqueue import Enqueue
from app.services.forecasts import due
from app.services.jobs import plan_watch
from app.services.observations import observations
from app.services.observations.drafts import Draft
from app.services.observations.observations import Accepted
from app.services.webhooks.events import record
from app.store.ledger import collected_counts
from app.store.member_rows import group_rows
from app.store.models.projects import Project


def post(
    session: Session, project: Project, drafts: Sequence[Draft], missing_is_zero: bool, now: datetime, enqueue: Enqueue
) -> Accepted:
    """Store the runs, the note that a job has to forecast them from the runs before, and the event that says so.
    Raises as `observations.accept`."""

    def basis() -> Basis:
        groups, collected = group_rows(session, project.id), collected_counts(session, project.id)
        return basis_of(project, groups, collected, worths_of(session, project))

    done = observations.accept(session, project, drafts, missing_is_zero, now)
    if any(run.recipe == project.recipe for run in done.stored):
        due.owe(session, project, basis)
    if done.stored:
        announce(session, project, len(done.stored), now, enqueue)
    return done


def announce(session: Session, project: Project, accepted: int, now: datetime, enqueue: Enqueue) -> None:
    plan_watch.request(session, project, enqueue, now)
    url = f"/v1/projects/{project.id}/observations"
    data = {"url": url, "accepted": accepted, "data_version": project.data_version}
    record(session, project.workspace_id, "observations.accepted", project.id, data, now, enqueue)
