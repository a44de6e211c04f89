"""The limits of a project over named sets of sources or groups."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import TypeAdapter

from app.api.http.bulk import validated
from app.api.projects.limits import MAX_LIMITS
from app.api.projects.projects import ProjectPatch, columns
from app.errors import Fault, Invalid, invalid
from app.services.projects import projects
from app.store.models.projects import Project
from app.web.editing.fields import COUNT, LINES, SHARE, Field, Reader, money
from app.web.editing.forms import Editor, Form, Part, Values
from app.web.site.visit import Answer, Visit, acts, pages, sees

router = pages()

PATCH: TypeAdapter[ProjectPatch] = TypeAdapter(ProjectPatch)
MEASURES = (("cost", "money"), ("count", "samples"), ("cost_share", "share of the money"),
            ("count_share", "share of the samples"), ("orders", "sources that get an order"))  # fmt: skip
OF = (("sources", "sources"), ("groups", "groups"), ("where", "all groups with these attributes"))


def measured(project: Project, measure: str) -> Reader:
    """How the ends of a limit are written."""
    return {"cost": money(project.currency), "cost_share": SHARE, "count_share": SHARE}.get(measure, COUNT)


def form_of(project: Project, measures: Sequence[str]) -> Form:
    """A part for each limit, and one for another."""
    return Form(tuple(part_of_limit(project, place, measure) for place, measure in enumerate(measures)))


def part_of_limit(project: Project, place: int, measure: str) -> Part:
    ends = measured(project, measure)
    return Part(
        f"Limit {place + 1}",
        (
            Field(f"{place}.name", "Name", attributes={"maxlength": 200}, hint="Empty: there is no such limit"),
            Field(f"{place}.measure", "Of", options=MEASURES),
            Field(f"{place}.min", "At least", Reader(ends.read, ends.show)),
            Field(f"{place}.max", "At most", Reader(ends.read, ends.show)),
            Field(f"{place}.of", "Over", options=OF),
            Field(f"{place}.keys", "These", LINES, "A key on each line; or an attribute, such as age: 65 and over"),
            Field(f"{place}.share_of", "As a share of", LINES, "A key on each line; empty is of everything"),
        ),
    )


def shown_of(project: Project) -> tuple[Form, Values]:
    """With an empty limit behind those there are."""
    limits = project.set_limits
    form = form_of(project, [*(one["measure"] for one in limits), *(["cost"] if len(limits) < MAX_LIMITS else [])])
    document: dict[str, Any] = {
        str(place): {
            **one,
            "of": next(of for of, _ in OF if one.get(of)),
            "keys": attribute_lines(one["where"]) if one.get("where") else one.get("groups") or one.get("sources"),
        }
        for place, one in enumerate(limits)
    }
    return form, form.shown({str(len(limits)): {"measure": "cost", "of": "sources"}, **document})


def limits_of(project: Project, typed: Values, stored: int) -> tuple[list[dict[str, Any]], list[int]]:
    """What was typed as the API's limits, and the place of each in the form. A stored one without a name is left out,
    and the empty one behind them. Raises Invalid."""
    places = sorted({int(name.partition(".")[0]) for name in typed})
    form = form_of(project, [typed[f"{place}.measure"] for place in places])
    document = form.read(typed)
    kept = [place for place in places if typed[f"{place}.name"] or (place >= stored and is_begun(typed, place))]
    return [limit_of(document[str(place)]) for place in kept], kept


def is_begun(typed: Values, place: int) -> bool:
    return any(typed[f"{place}.{name}"] for name in ("min", "max", "keys", "share_of"))


def limit_of(row: dict[str, Any]) -> dict[str, Any]:
    over, keys, share_of = row.pop("of"), row.pop("keys"), row.pop("share_of")
    shares = {} if share_of is None else {"share_of": share_of}
    named = attributes_of(keys or ()) if over == "where" else keys
    return {**row, "name": row["name"] or "", over: named} | shares


def attribute_lines(where: Mapping[str, str]) -> list[str]:
    return [f"{name}: {level}" for name, level in where.items()]


def attributes_of(lines: Sequence[str]) -> dict[str, str]:
    """A name may hold colons; a line without one names an attribute without a level."""
    pairs = (line.rpartition(":") if ":" in line else (line, "", "") for line in lines)
    return {name.strip(): level.strip() for name, _, level in pairs}


def placed(error: Invalid, kept: Sequence[int]) -> Invalid:
    """The faults of a body's limits as faults of the form's."""
    faults = []
    for fault in error.faults:
        _, _, place, *rest = [*fault.pointer.split("/"), "", ""]
        if place.isdecimal() and int(place) < len(kept):
            more = "/".join(
                ["keys" if one in ("groups", "sources", "where") else one for one in rest if one] or ["name"]
            )
            faults.append(Fault(f"/{kept[int(place)]}/{more}", fault.detail))
        else:
            faults.append(fault)
    return invalid(*faults)


def editor(visit: Visit, project: Project, form: Form) -> Editor:
    return Editor(visit, form, f"/projects/{project.id}/limits", f"Limits of {project.name}", more={"project": project})


@router.get("/projects/{project_id}/limits")
def limit_form(project_id: str, visit: Annotated[Visit, sees("write")]) -> Answer:
    project = visit.project(project_id)
    form, shown = shown_of(project)
    return editor(visit, project, form).show(shown, shown)


@router.post("/projects/{project_id}/limits")
def change_limits(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    form, shown = shown_of(project)
    here = editor(visit, project, form)
    stored = len(project.set_limits)

    def step(typed: Values) -> tuple[str, str]:
        limits, kept = limits_of(project, typed, stored)
        try:
            body = validated(PATCH, {"set_limits": limits})
            projects.update_project(visit.session, project, columns(body), visit.now)
        except Invalid as error:
            raise placed(error, kept) from None
        count = len(limits)
        return here.path, f"Saved: {count} limit{'' if count == 1 else 's'}."

    return here.change(shown, step)
