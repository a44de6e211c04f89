"""A new project by form and tables: looked at first, stored only when it was seen to be whole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import TypeAdapter
from tranche.sheets import GROUP_COLUMNS, RUN_COLUMNS, ReadAs, template

from app.api.observations.run_tables import runs_of_table
from app.api.projects.group_tables import group_table
from app.api.projects.projects import ProjectIn, columns
from app.errors import Fault, Invalid, invalid
from app.services.computing import Work, computed
from app.services.observations import observe
from app.services.observations.drafts import Draft
from app.services.projects import projects
from app.services.projects.metrics import MODELS
from app.store.models.projects import Project
from app.web.editing.forms import UNREAD, all_told
from app.web.editing.sent_tables import Options, TakenBackError, as_text, caught, options_of, table, take_back
from app.web.site.typed import typed_count, typed_money, typed_real
from app.web.site.visit import Answer, Visit, acts, pages, sees

router = pages()

PROJECT: TypeAdapter[ProjectIn] = TypeAdapter(ProjectIn)
FIELDS = ("name", "currency", "metric_name", "kind", "goal", "lower", "upper", "model", "total", "rounds")
START = {"currency": "USD", "metric_name": "accuracy", "kind": "proportion", "goal": "maximize", "lower": "0",
         "upper": "1", "rounds": "1"}  # fmt: skip
ROWS_SHOWN = 20


@dataclass
class Preview:
    """What would be stored, or why it can't be: faults of the form by pointer, of the tables by line."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    runs: list[Draft] = field(default_factory=list)
    form_faults: list[Fault] = field(default_factory=list)
    group_faults: list[Fault] = field(default_factory=list)
    run_faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    groups_as: ReadAs | None = None
    runs_as: ReadAs | None = None

    @property
    def good(self) -> bool:
        return not (self.form_faults or self.group_faults or self.run_faults)


@router.get("/projects/new")
def empty_form(visit: Annotated[Visit, sees("write", whole_workspace=True)]) -> Answer:
    values = {**dict.fromkeys(FIELDS, ""), **START}
    return show(visit, values, "", "", None)


@router.get("/projects/new/{name}.csv", dependencies=[sees("write", whole_workspace=True)])
async def template_file(name: Literal["groups", "runs"]) -> Answer:
    """An empty table to start from."""
    text = template(GROUP_COLUMNS if name == "groups" else RUN_COLUMNS)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8; header=present", headers=headers)


@router.post("/projects/new")
def look_or_create(visit: Annotated[Visit, acts("write", whole_workspace=True)]) -> Answer:
    values = {name: visit.said(name) for name in FIELDS}
    groups, runs = table(visit, "groups"), table(visit, "observations")
    seen = Preview()
    try:
        with visit.trying():
            project = make(visit, values, groups, runs, seen)
            if visit.said("step") == "create" and project is not None and seen.good:
                return visit.redirect(f"/projects/{project.id}", f"{project.name} is there.")
            take_back()
    except TakenBackError:
        pass
    return show(visit, values, as_text(groups), as_text(runs), seen)


def make(visit: Visit, values: dict[str, str], groups: bytes | str, runs: bytes | str, seen: Preview) -> Project | None:
    """The project with its groups and runs; None where `seen` got faults before it could be made."""
    options = options_of(visit)
    body, lines = read_body(visit, values, groups, options, seen)
    if runs:
        read = Work(0, lambda: runs_of_table(runs, *options))
        found = caught(lambda: computed(visit.session, ("runs", runs, options), read), seen.run_faults)
        seen.runs, seen.runs_as = found or ([], None)
    if body is None or not seen.good:
        return None
    rows = [group.model_dump() for group in body.groups]
    project: Project | None = caught(
        lambda: projects.create_project(visit.session, visit.caller, columns(body), rows, [], visit.now),
        seen.form_faults,
    )
    sort_faults(seen, lines)
    if project is not None and seen.runs:
        caught(lambda: post_runs(visit, project, seen), seen.run_faults)
    return project


def read_body(
    visit: Visit, values: dict[str, str], groups: bytes | str, options: Options, seen: Preview
) -> tuple[ProjectIn | None, list[int]]:
    lines: list[int] = []
    if groups:
        read = Work(0, lambda: group_table(groups, *options, values["currency"]))
        key = ("groups", groups, options, values["currency"])
        found = caught(lambda: computed(visit.session, key, read), seen.group_faults)
        if found is not None:
            seen.groups, lines, seen.groups_as = found.documents, found.lines, found.read_as
            seen.group_faults += found.faults
    body = caught(lambda: body_of(values, seen.groups), seen.form_faults)
    sort_faults(seen, lines)
    return body, lines


def post_runs(visit: Visit, project: Project, seen: Preview) -> None:
    visit.caller.require("observe")
    zero = visit.said("missing") == "zero"
    done = observe.post(visit.session, project, seen.runs, zero, visit.now, visit.enqueue)
    seen.notes = [warning.detail for warning in done.warnings]


def body_of(values: dict[str, str], groups: list[dict[str, Any]]) -> ProjectIn:
    """The form as a body of the API; fields left empty are left out. Raises Invalid."""
    faults: list[Fault] = []

    def read(name: str, pointer: str, how: Callable[[str], Any]) -> Any:
        try:
            return how(values[name]) if values[name] else ""
        except ValueError as error:
            faults.append(Fault(pointer, str(error)))
            return UNREAD

    metric = {"name": values["metric_name"], "kind": values["kind"], "goal": values["goal"]}
    bounds = {name: read(name, f"/metric/{name}", typed_real) for name in ("lower", "upper")}
    total = read("total", "/budget/total", lambda text: f"{typed_money(text, values['currency']):f}")
    budget = {"total": total, "rounds": read("rounds", "/budget/rounds", typed_count)}
    document = {
        **given({name: values[name] for name in ("name", "currency", "model")}),
        "metric": given({**metric, **bounds}),
        "budget": given(budget),
        "groups": groups,
    }
    body: ProjectIn = all_told(PROJECT, document, faults)
    return body


def given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != ""}


def sort_faults(seen: Preview, lines: list[int]) -> None:
    """Faults of /groups/3/key are shown as faults of that group's line."""
    stay = []
    for fault in seen.form_faults:
        _, part, *rest = [*fault.pointer.split("/"), ""]
        if part == "groups" and rest and rest[0].isdecimal() and int(rest[0]) < len(lines):
            column = "/".join(rest[1:]).strip("/")
            text = f"{column}: {fault.detail}" if column else fault.detail
            seen.group_faults.append(Fault(f"line {lines[int(rest[0])]}", text))
        else:
            stay.append(fault)
    seen.form_faults = stay


def show(visit: Visit, values: dict[str, str], groups: str, runs: str, seen: Preview | None) -> Answer:
    faults: tuple[Fault, ...] = tuple(seen.form_faults) if seen else ()
    error = None if seen is None or seen.good else wrong(seen)
    context: dict[str, Any] = {
        "values": values,
        "models": {"": "what is usual for the metric", **MODELS},
        "groups_text": groups,
        "runs_text": runs,
        "seen": seen,
        "rows_shown": ROWS_SHOWN,
        "extra": visit.said("extra"),
        "decimal": visit.said("decimal"),
    }
    missing_is_zero = visit.said("missing") == "zero"
    return visit.render("create.html", error=error, faults=faults, missing_is_zero=missing_is_zero, **context)


def wrong(seen: Preview) -> Invalid:
    return Invalid("Nothing is stored yet. Mend what is named below and check it again.", invalid(
        *seen.form_faults, *seen.group_faults, *seen.run_faults).faults)  # fmt: skip
