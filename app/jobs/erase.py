"""The job that erases a project."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.jobs.workflows import Context
from app.services.retention.erasing import erase
from app.store.upkeep.space import empty_log


def erase_project(context: Context, args: Mapping[str, Any]) -> None:
    """Or what is left of it."""
    for project_id in erase(context.database, UUID(args["erasure_id"]), context.clock):
        context.fits.forget_project(project_id)
    empty_log(context.database)
