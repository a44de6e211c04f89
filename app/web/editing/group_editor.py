"""The groups of a project: their list, and an editor for each."""

from typing import Annotated, Any

from pydantic import TypeAdapter

from app.api.keys.paths import KeyInPath, part_of
from app.api.projects.groups import GroupIn, GroupPatch, changed_group, made_group
from app.services.ledger.holdings import NONE_COLLECTED
from app.services.projects import groups
from app.services.projects.changes import get_member, restore
from app.services.signing.words import in_percent
from app.store.ledger import collected_counts
from app.store.member_rows import SourceRow, source_rows
from app.store.models.projects import Group, Project
from app.store.projects import listed_members
from app.web.editing.fields import ATTRIBUTES, COUNT, REAL, SHARE, Field, money
from app.web.editing.forms import Editor, Form, Part, Values
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

PER_PAGE = 50
IN: TypeAdapter[GroupIn] = TypeAdapter(GroupIn)
PATCH: TypeAdapter[GroupPatch] = TypeAdapter(GroupPatch)
NEW: dict[str, Any] = {"weight": 1.0, "initial_count": 0}


def form_of(project: Project) -> Form:
    unit = SHARE if in_percent(project) else REAL
    return Form(
        (
            Part(
                "The group",
                (
                    Field(
                        "key",
                        "Key",
                        hint="What files and the API call it; fixed by the first training run",
                        required=True,
                        attributes={"maxlength": 100},
                    ),
                    Field("name", "Name", attributes={"maxlength": 200}),
                    Field("initial_count", "Samples held at the start", COUNT, "What orders bring is added by itself"),
                    Field("unit_cost", f"Price of a sample, {project.currency}", money(project.currency),
                          "Of a source of this key that delivers this group alone"),
                ),
            ),
            Part(
                "How much it counts",
                (
                    Field("weight", "Weight", REAL, "Such as its share of the people served"),
                    Field("target", f"Target of {project.metric_name}", unit),
                    Field("min_count", "Samples to hold at least", COUNT),
                    Field("max_count", "Samples to hold at most", COUNT),
                ),
            ),
            Part(
                "What it has in common with others",
                (
                    Field("attributes", "Attributes", ATTRIBUTES, "A line for each, such as age: 65 and over"),
                    Field("parent", "Key of a broader group to lean on"),
                    Field("reference_loss", "Loss that gains are measured by", REAL,
                          "Where the metric has an open bound; empty is the project’s"),
                ),
            ),
        )
    )  # fmt: skip


def own_source(visit: Visit, project: Project, row: Group) -> SourceRow | None:
    """The source of the group's key that delivers it alone."""
    found = source_rows(visit.session, project.id, archived=False, keys=[row.key])
    return next((one for one in found if [part.group_id for part in one.yields] == [row.id]), None)


def shown_of(visit: Visit, project: Project, row: Group, form: Form) -> Values:
    source = own_source(visit, project, row)
    names = [one.name for one in form.fields if one.name != "unit_cost"]
    return form.shown({**{name: getattr(row, name) for name in names}, "unit_cost": source and source.unit_cost})


def editor(visit: Visit, project: Project, form: Form, row: Group | None) -> Editor:
    if row is None:
        path, heading = f"/projects/{project.id}/new-group", "New group"
        return Editor(visit, form, path, heading, "member.html", {"project": project, "archive": "", "held": None})
    path = f"/projects/{project.id}/groups/{part_of(row.key)}"
    collected = collected_counts(visit.session, project.id).get(row.id, NONE_COLLECTED)
    more = {"project": project, "archive": "Archive the group and the sources that deliver it alone"}
    held = {"held": row.initial_count + collected.count, "collected": collected.count}
    return Editor(visit, form, path, row.name or row.key, "member.html", more | held)


@router.get("/projects/{project_id}/groups")
def group_list(
    project_id: str, visit: Annotated[Visit, sees("read")], after: Place = None, archived: bool = False
) -> Answer:
    project = visit.project(project_id)
    listed = listed_members(visit.session, Group, project.id, archived)
    rows, last = listed.part(place_in(listed, after, "after"), PER_PAGE)
    collected = collected_counts(visit.session, project.id)
    chosen = "archived=true&" if archived else ""
    return visit.render(
        "groups.html",
        project=project,
        archived=archived,
        groups=[
            (row, part_of(row.key), row.initial_count + collected.get(row.id, NONE_COLLECTED).count) for row in rows
        ],
        percent=in_percent(project),
        more=f"/projects/{project.id}/groups?{chosen}after={last}" if last else None,
    )


@router.get("/projects/{project_id}/new-group")
def new_group(project_id: str, visit: Annotated[Visit, sees("write")]) -> Answer:
    project = visit.project(project_id)
    form = form_of(project)
    shown = form.shown(NEW)
    return editor(visit, project, form, None).show(shown, shown)


@router.post("/projects/{project_id}/new-group")
def add_group(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    form = form_of(project)

    def step(typed: Values) -> tuple[str, str]:
        row = made_group(visit, project, form.body(IN, typed))
        return f"/projects/{project.id}/groups", f"{row.name or row.key} is there."

    return editor(visit, project, form, None).change(form.shown(NEW), step)


@router.get("/projects/{project_id}/groups/{key}")
def group_form(project_id: str, key: KeyInPath, visit: Annotated[Visit, sees("write")]) -> Answer:
    project = visit.project(project_id)
    row = get_member(visit.session, project, Group, key)
    form = form_of(project)
    shown = shown_of(visit, project, row, form)
    return editor(visit, project, form, row).show(shown, shown)


@router.post("/projects/{project_id}/groups/{key}")
def change_group(project_id: str, key: KeyInPath, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    row = get_member(visit.session, project, Group, key)
    form = form_of(project)
    shown = shown_of(visit, project, row, form)

    def step(typed: Values) -> tuple[str, str]:
        if typed != shown:
            changed_group(visit, project, row, form.body(PATCH, typed, shown))
        there = f"/projects/{project.id}/groups/{part_of(row.key)}"
        return there, form.differences(shown, shown_of(visit, project, row, form))

    return editor(visit, project, form, row).change(shown, step)


@router.post("/projects/{project_id}/groups/{key}/archive")
def archive_group(project_id: str, key: KeyInPath, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    row = get_member(visit.session, project, Group, key)
    form = form_of(project)

    def step(_: Values) -> tuple[str, str]:
        groups.archive_group(visit.session, project, row, visit.now)
        return f"/projects/{project.id}/groups?archived=true", f"{row.name or row.key} is archived."

    return editor(visit, project, form, row).change(shown_of(visit, project, row, form), step)


@router.post("/projects/{project_id}/groups/{key}/restore")
def restore_group(project_id: str, key: KeyInPath, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    row = get_member(visit.session, project, Group, key, archived=True)
    restore(project, row, visit.now)
    words = f"{row.name or row.key} is back. Its sources stay archived until they are brought back themselves."
    return visit.redirect(f"/projects/{project.id}/groups", words)
