"""Projects: what may be stored, and when it may still change.

Shapes and types are checked where requests come in; here stand the rules that need the project.
Fields come as dicts of column values, so that a partial change says just what it changes.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.errors import Archived, Fault, Frozen, KeyTaken, NotFound, invalid
from app.services.access.keys import Caller
from app.services.ids import as_uuid, new_id
from app.services.projects import groups as group_service
from app.services.projects import sources as source_service
from app.services.projects.attributes import check_population
from app.services.projects.changes import Fields, archive, assign, touch
from app.services.projects.metrics import usual_model
from app.services.projects.open_orders import refuse_open_orders
from app.services.projects.references import check_named
from app.store import observations as observation_store
from app.store import projects as store
from app.store.access import wait_for_lock
from app.store.models.projects import Group, Project
from app.store.reading import find

FROZEN_FIELDS = ("currency", "metric_kind", "metric_goal", "metric_lower", "metric_upper")


def get_project(
    session: Session, caller: Caller, project_id: str, *, archived: bool = False, lock: bool = False
) -> Project:
    """The caller's project. Raises NotFound for what is not there, another workspace's, or archived
    (unless `archived`)."""
    key = as_uuid(project_id)
    row = None
    if key is not None and caller.may_see(key):
        row = store.project_by_id(session, caller.workspace_id, key, lock)
    if row is None:
        raise NotFound("There is no such project in this workspace.")
    if row.archived_at and not archived:
        raise NotFound("This project is archived. Read it with ?archived=true, or POST to its /restore.")
    return row


def find_repeat(session: Session, caller: Caller, external_id: str, content_hash: str) -> Project | None:
    """The project an earlier call with this external id made; who else asks for it waits until this transaction ends.

    Raises KeyTaken where that call asked for something else, Archived.
    """
    wait_for_lock(session, json.dumps(["project", str(caller.workspace_id), external_id]))
    row = find(session, Project, workspace_id=caller.workspace_id, external_id=external_id)
    if row is None or not caller.may_see(row.id):
        return None
    if row.archived_at:
        raise Archived(f"external_id '{external_id}' is of the archived project {row.id}: restore it, or take another.")
    if row.content_hash != content_hash:
        raise KeyTaken(
            f"external_id '{external_id}' was used for another project, {row.id}: PATCH that one, or take another id."
        )
    return row


def create_project(
    session: Session,
    caller: Caller,
    fields: Fields,
    groups: Sequence[Fields],
    sources: Sequence[Fields],
    now: datetime,
) -> Project:
    """Store a project with its first groups and sources. Raises Invalid naming the faults, Forbidden for a key limited
    to projects."""
    caller.require_whole_workspace()
    usual = usual_model(fields["metric_name"], fields["metric_goal"], fields["metric_lower"])
    project = Project(
        id=new_id(),
        workspace_id=caller.workspace_id,
        data_version=1,
        data_at=now,
        created_at=now,
        updated_at=now,
        **{**fields, "model": fields.get("model") or usual},
    )
    check_metric(project)
    session.add(project)
    session.flush()
    group_service.add_groups(session, project, groups, now, at="/groups")
    session.flush()
    source_service.add_sources(session, project, sources, now, at="/sources")
    check_named(session, project)
    check_population(session, project)
    return project


def check_metric(project: Project) -> None:
    """The bound that turns the metric into a loss must be there, and bounds must not cross. Raises Invalid."""
    needed = "upper" if project.metric_goal == "maximize" else "lower"
    if getattr(project, f"metric_{needed}") is None:
        detail = f"a metric to {project.metric_goal} needs '{needed}', its best value"
        raise invalid(Fault(f"/metric/{needed}", detail))
    lower, upper = project.metric_lower, project.metric_upper
    if lower is not None and upper is not None and lower >= upper:
        raise invalid(Fault("/metric/lower", f"must be below 'upper': got {lower:g} and {upper:g}"))
    if project.metric_kind == "proportion" and not (lower == 0 and upper == 1):
        raise invalid(Fault("/metric/kind", "a proportion has the bounds 0 and 1; for others choose kind 'other'"))


def update_project(session: Session, project: Project, changes: Fields, now: datetime) -> None:
    """Raises Frozen for the metric or the currency after the first observation, Invalid for bad bounds. A `model` of
    None is the usual one of the metric."""
    frozen = [name for name in FROZEN_FIELDS if name in changes and changes[name] != getattr(project, name)]
    if frozen and observation_store.has_observations(session, project.id):
        names = ", ".join(name.replace("metric_", "metric.") for name in frozen)
        raise Frozen(f"{names}: fixed since the first observation. Make a new project to measure differently.")
    if "model" in changes and changes["model"] is None:
        metric = {name: getattr(project, name) for name in ("metric_name", "metric_goal", "metric_lower")} | changes
        usual = usual_model(metric["metric_name"], metric["metric_goal"], metric["metric_lower"])
        changes = {**changes, "model": usual}
    assign(project, changes, now)
    check_metric(project)
    group_service.check_targets(project, store.members(session, Group, project.id), lambda _: "/metric")
    if {"objective", "set_limits", "stakeholders"} & changes.keys():
        check_named(session, project)
    if "population" in changes:
        check_population(session, project)
    touch(project, now)


def archive_project(session: Session, project: Project, now: datetime) -> None:
    """Raises Conflict while orders are open."""
    refuse_open_orders(session, project)
    archive(project, project, now)
