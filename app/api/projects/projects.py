"""Projects."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field, StringConstraints

from app.api.http.pages import Archived as ArchivedOnes
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared, repeated
from app.api.http.shapes import (
    Answer,
    MoneyIn,
    MoneyOut,
    Patch,
    Positive,
    PriceIn,
    Shape,
    ShortText,
    Text,
    Whole,
    plain_text,
    said,
    unset,
)
from app.api.http.transactions import Call, Route, changes, posts, reads
from app.api.projects.groups import GroupIn, Population
from app.api.projects.intake_rules import IntakeRules, stored_intake
from app.api.projects.licences import LicenceRule, stored_rule
from app.api.projects.limits import SetLimits, stored_limits
from app.api.projects.metrics import BudgetGiven, Metric, MetricIn
from app.api.projects.objectives import Objective, Utilitarian, VerdictThresholds, stored_thresholds
from app.api.projects.sources import MAX_SOURCES, SourceIn, source_fields
from app.api.projects.stakeholders import Stakeholders
from app.errors import Archived, Conflict, Frozen, KeyTaken
from app.money import plain
from app.services.projects import projects
from app.services.projects.changes import restore
from app.services.projects.metrics import ModelName
from app.store.models.projects import Project
from app.store.projects import projects_of_workspace

router = APIRouter(prefix="/v1/projects", tags=["projects"], route_class=Route)


Days = Annotated[int, Field(strict=True, ge=1, le=3_650), Whole]
Notes = Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(plain_text)]


class BudgetOut(Answer):
    total: MoneyOut
    rounds: int


class ProjectIn(Shape):
    """`objective` left out is utilitarian. `value_per_utility` is what one unit of utility is worth in money,
    `smallest_gain` the least gain in utility worth a round: with either, the next allocation says when to stop;
    `verdict_thresholds` say from where on it advises against buying as planned. A round that costs more than
    `approval_threshold` needs two keys to accept it; a proposal that is not accepted within `proposal_expires_days` is
    expired, null or left out never. `model` is joint where one model is trained on all groups' data,
    separate where each group has a model of its own, so that other groups' counts never enter its curve; null or left
    out it is joint, and separate for R² and every other metric to maximise that has no lower bound. `stakeholders`
    judge every plan by their own objectives, and the objective `compromise` serves them all. By a `licence_rule` no
    plan orders from a source whose licence does not permit what it requires; every manifest of what came is held
    against the `intake_rules`; `population` says whom the samples are to be like. `notes` are a text for whoever
    reads the report. `external_id` is the project's name in your own records: sent again with the same
    content it answers the project that is there."""

    external_id: Text | None = None
    name: Text
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    metric: MetricIn
    objective: Objective = Field(default_factory=lambda: Utilitarian(kind="utilitarian"))
    stakeholders: Stakeholders = ()
    budget: BudgetGiven
    recipe: ShortText = "default"
    model: ModelName | None = None
    groups: Annotated[tuple[GroupIn, ...], Field(max_length=20_000)] = ()
    sources: Annotated[tuple[SourceIn, ...], Field(max_length=MAX_SOURCES)] = ()
    set_limits: SetLimits = ()
    population: Population = ()
    licence_rule: LicenceRule | None = None
    intake_rules: IntakeRules = ()
    value_per_utility: PriceIn | None = None
    smallest_gain: Positive | None = None
    verdict_thresholds: VerdictThresholds | None = None
    approval_threshold: MoneyIn | None = None
    proposal_expires_days: Days | None = None
    notes: Notes | None = None


class ProjectPatch(Patch):
    """Fields left out stay as they are; null takes an optional one away, or restores the default."""

    made_from = ProjectIn

    name: Text = unset()
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = unset()
    metric: MetricIn = unset()
    objective: Objective = unset()
    stakeholders: Stakeholders = unset()
    budget: BudgetGiven = unset()
    recipe: ShortText = unset()
    model: ModelName | None = unset()
    set_limits: SetLimits = unset()
    population: Population = unset()
    licence_rule: LicenceRule | None = unset()
    intake_rules: IntakeRules = unset()
    value_per_utility: PriceIn | None = unset()
    smallest_gain: Positive | None = unset()
    verdict_thresholds: VerdictThresholds | None = unset()
    approval_threshold: MoneyIn | None = unset()
    proposal_expires_days: Days | None = unset()
    notes: Notes | None = unset()


class ProjectOut(Answer):
    id: UUID
    external_id: str | None
    name: str
    currency: str
    metric: Metric
    objective: Objective
    stakeholders: Stakeholders
    budget: BudgetOut
    recipe: str
    model: ModelName
    set_limits: SetLimits
    population: Population
    licence_rule: LicenceRule | None
    intake_rules: IntakeRules
    value_per_utility: MoneyOut | None
    smallest_gain: float | None
    verdict_thresholds: VerdictThresholds | None
    approval_threshold: MoneyOut | None
    proposal_expires_days: int | None
    notes: str | None
    reference_loss: float | None
    data_version: int
    data_at: datetime
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


def project_shape(row: Project) -> ProjectOut:
    metric = {name: getattr(row, f"metric_{name}") for name in Metric.model_fields}
    return ProjectOut.of(row, metric=metric, budget={"total": row.budget_total, "rounds": row.budget_rounds})


def columns(body: ProjectIn | ProjectPatch) -> dict[str, Any]:
    """The columns of the fields that the body sets."""
    fields = said(body) if isinstance(body, ProjectPatch) else body.model_dump(exclude={"groups", "sources"})
    if "stakeholders" in fields:
        fields["stakeholders"] = [one.model_dump(mode="json") for one in body.stakeholders]
    if "set_limits" in fields:
        fields["set_limits"] = stored_limits(body.set_limits)
    if "population" in fields:
        fields["population"] = [one.model_dump(mode="json") for one in body.population]
    if "licence_rule" in fields:
        fields["licence_rule"] = stored_rule(body.licence_rule)
    if "intake_rules" in fields:
        fields["intake_rules"] = stored_intake(body.intake_rules)
    if "verdict_thresholds" in fields:
        fields["verdict_thresholds"] = stored_thresholds(body.verdict_thresholds)
    if "metric" in fields:
        fields |= {f"metric_{name}": value for name, value in fields.pop("metric").items()}
    if "budget" in fields:
        fields |= {f"budget_{name}": value for name, value in fields.pop("budget").items()}
    return fields


def content_of(body: ProjectIn) -> str:
    """A hash of all that was said: equal for a repeat. Fields that hold their defaults are left out, so that new ones
    change no hash."""
    fields = body.model_dump(exclude_defaults=True)
    return hashlib.sha256(json.dumps(fields, sort_keys=True, default=plain).encode()).hexdigest()


@router.post(
    "",
    status_code=201,
    summary="Create a project",
    responses=declared(Conflict, KeyTaken, Archived, beside=repeated(ProjectOut)),
)
def create_project(body: ProjectIn, call: Annotated[Call, posts("write")]) -> ProjectOut:
    """With its groups and sources, if you like. Name each group's `unit_cost` to make a source for it at once. With an
    `external_id` a repeat answers the same project as it is now."""
    fields = columns(body)
    if body.external_id is not None:
        fields["content_hash"] = content_of(body)
        known = projects.find_repeat(call.session, call.caller, body.external_id, fields["content_hash"])
        if known is not None:
            call.status = 200
            return project_shape(known)
    groups = [group.model_dump() for group in body.groups]
    offers = [source_fields(source) for source in body.sources]
    row = projects.create_project(call.session, call.caller, fields, groups, offers, call.now)
    call.headers["Location"] = f"/v1/projects/{row.id}"
    return project_shape(row)


@router.get("", summary="List projects")
def list_projects(
    call: Annotated[Call, reads("read")],
    limit: Limit = 50,
    cursor: Cursor = None,
    archived: ArchivedOnes = False,
    external_id: Annotated[Text | None, Query(description="The one of this external_id alone")] = None,
    name: Annotated[Text | None, Query(description="Those of just this name alone")] = None,
) -> Page[ProjectOut]:
    workspace, only = call.caller.workspace_id, call.caller.project_ids
    rows = projects_of_workspace(call.session, workspace, only, archived, external_id=external_id, name=name)
    return page(call, cursor, limit, rows, project_shape)


@router.get("/{project_id}", summary="Read a project")
def read_project(project_id: str, call: Annotated[Call, reads("read")], archived: ArchivedOnes = False) -> ProjectOut:
    return project_shape(call.project(project_id, archived=archived))


@router.patch("/{project_id}", summary="Change a project", responses=declared(Frozen))
def update_project(project_id: str, body: ProjectPatch, call: Annotated[Call, changes("write")]) -> ProjectOut:
    """The metric and the currency are fixed by the first observation."""
    row = call.project(project_id)
    call.match(project_shape(row))
    projects.update_project(call.session, row, columns(body), call.now)
    return project_shape(row)


@router.delete("/{project_id}", status_code=204, summary="Archive a project", responses=declared(Conflict))
def archive_project(project_id: str, call: Annotated[Call, changes("write")]) -> None:
    """Hides it; nothing is erased. `POST …/restore` brings it back."""
    row = call.project(project_id)
    call.match(project_shape(row))
    projects.archive_project(call.session, row, call.now)


@router.post("/{project_id}/restore", summary="Bring an archived project back")
def restore_project(project_id: str, call: Annotated[Call, posts("write")]) -> ProjectOut:
    row = call.project(project_id, archived=True)
    restore(row, row, call.now)
    return project_shape(row)
