"""Refit a project's curves after changes, and tell what the next allocation makes of them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.jobs.tracked import Progress
from app.jobs.workflows import Context
from app.services.jobs import plan_watch
from app.services.planning import refits
from app.store.projects import present_project


def refit(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    project_id = UUID(args["project_id"])
    with context.database.writing() as session:
        plan_watch.stop_waiting(session, project_id, UUID(args["job_id"]))
    with context.database.reading() as session:
        outlook = refits.look(session, context.fits, project_id)
    progress(0.9)
    with context.database.writing() as session:
        project = present_project(session, project_id, lock=True)
        if outlook is None or project is None:
            return {"skipped": "the project is archived"}
        threshold = context.settings.plan_change_threshold
        moved = plan_watch.announce(session, project, outlook, threshold, context.enqueue, context.clock())
    return {"data_version": outlook.data_version, "moved": round(moved, 4)}
