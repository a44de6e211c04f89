"""Holdouts taken out of use, and back."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.errors import NotFound
from app.services.projects.changes import touch
from app.services.projects.keys import can_be_stored
from app.store.models.projects import Project
from app.store.observations import HoldoutUse, use_of


def used_holdout(session: Session, project: Project, name: str) -> HoldoutUse:
    """How the holdout was used. Raises NotFound for one that no run was scored on."""
    found = use_of(session, project.id, name) if can_be_stored(name) else None
    if found is None:
        raise NotFound(f"No run of this project was scored on a holdout '{name[:100]}'.")
    return found


def retire(project: Project, name: str, *, retired: bool, note: str | None, now: datetime) -> None:
    """Refuse further runs on the holdout, or take them again; saying the same again changes nothing."""
    said, all_said = {"retired": retired, "note": note}, project.retired_holdouts or {}
    if all_said.get(name, {"retired": False, "note": None}) != said:
        project.retired_holdouts = {**all_said, name: said}
        touch(project, now)
