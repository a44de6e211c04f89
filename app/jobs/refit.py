"""Refit a project's curves after changes: forecast the runs that came, and tell what the next allocation makes of
them."""

from collections.abc import Mapping
from time import monotonic
from typing import Any
from uuid import UUID

from app.jobs.tracked import Progress
from app.jobs.workflows import Context
from app.services.computing import settled
from app.services.forecasts.due import Made, due_now, pay
from app.services.jobs import plan_watch
from app.services.planning import refits
from app.store.projects import any_project

TURN_S = 10.0
"""A project with more to forecast asks for another refit, so that those of others come in between."""
PAID_EVERY_S = 1.0
"""What was forecast is stored so often at least; what a killed job had not stored is made again."""


def refit(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    project_id = UUID(args["project_id"])
    with context.database.writing() as session:
        plan_watch.stop_waiting(session, project_id, UUID(args["job_id"]))
    forecasts = forecast(context, project_id, monotonic() + TURN_S)
    progress(0.5)
    look = settled(context.database.reading, lambda session: refits.look(session, context.fits, project_id))
    progress(0.9)
    with context.database.writing() as session:
        project = any_project(session, project_id, lock=True)
        if project is not None and project.forecasts_due:
            plan_watch.request(session, project, context.enqueue, context.clock())
        if look is None or project is None or project.archived_at is not None:
            return {"skipped": "the project is archived", "forecasts": forecasts}
        refits.keep(session, project, look, context.answer_of)
        threshold = context.settings.plan_change_threshold
        moved = plan_watch.announce(session, project, look.outlook, threshold, context.enqueue, context.clock())
    return {"data_version": look.outlook.data_version, "moved": round(moved, 4), "forecasts": forecasts}


def forecast(context: Context, project_id: UUID, until: float) -> int:
    """Make the forecasts that are due, at least one request's, as far as the time goes; how many were made."""
    count = 0
    while True:
        made: list[Made] = []
        stored_by = min(until, monotonic() + PAID_EVERY_S)
        with context.database.reading() as session:
            project = any_project(session, project_id)
            if project is None or not project.forecasts_due:
                return count
            due = due_now(session, context.fits, project)
        for one in due:
            made.append(one.make(context.fits, context.clock()))
            if monotonic() >= stored_by:
                break
        with context.database.writing() as session:
            project = any_project(session, project_id, lock=True)
            if project is not None:
                pay(session, project, made)
        count += sum(len(one.forecasts) for one in made)
        if monotonic() >= until:
            return count
