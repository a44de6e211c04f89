"""The sources of a project: their list, and an editor for each, with its prices, amounts, quality and licence."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import TypeAdapter

from app.api.keys.paths import KeyInPath, part_of
from app.api.projects.sources import SourceIn, SourcePatch, changed_source, made_source, stated_quality
from app.services.projects import sources
from app.services.projects.changes import get_member
from app.store.models.projects import Group, Project, Source
from app.store.projects import listed_members, members_by_id
from app.store.vendors import listed_connections
from app.web.editing.fields import (
    COUNT,
    LINES,
    LONG,
    QUALITY,
    SHARE,
    SHARES,
    YES_NO,
    Field,
    money,
    tiers,
)
from app.web.editing.forms import Editor, Form, Part, Values
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

PER_PAGE = 50
CONNECTIONS = 200
IN: TypeAdapter[SourceIn] = TypeAdapter(SourceIn)
PATCH: TypeAdapter[SourcePatch] = TypeAdapter(SourcePatch)
NEW: dict[str, Any] = {
    "kind": "vendor", "billed": "delivered", "tier_scope": "order", "fixed_cost": "0", "labels_per_item": 1,
    "min_order": 0, "lot_size": 1, "acceptance_rate": 1.0, "quality": 1.0,
}  # fmt: skip
KINDS = (("vendor", "a vendor"), ("site", "a site of one’s own"), ("synthetic", "a generator"),
         ("archive", "an archive"), ("other", "something else"))  # fmt: skip
BILLED = (("delivered", "each delivered"), ("accepted", "each accepted"))
SCOPES = (("order", "in each order"), ("project", "in all orders together"))
PERMITTED = (("", "as the licence says"), ("allowed", "allowed"), ("forbidden", "forbidden"),
             ("unspecified", "not known"))  # fmt: skip
ASKED = (("", "as the licence says"), ("true", "yes"), ("false", "no"))
METHODS = (("", "not said"), ("human", "made by people"), ("recorded", "recorded"),
           ("scraped", "gathered from elsewhere"), ("model", "made by a model"))  # fmt: skip


def form_of(visit: Visit, project: Project) -> Form:
    currency = project.currency
    amount = money(currency)
    return Form(
        (
            Part(
                "The source",
                (
                    Field("key", "Key", hint="What files and the API call it; fixed once a run names it",
                          required=True, attributes={"maxlength": 100}),
                    Field("name", "Name", attributes={"maxlength": 200}),
                    Field("kind", "What it is", options=KINDS),
                    *connection_field(visit, project),
                ),
            ),
            Part(
                "What it delivers",
                (
                    Field("yields", "Shares of the groups", SHARES,
                          "A line for each group by its key, such as Black_Female: 55 %; together at most 100 %",
                          required=True),
                    Field("acceptance_rate", "Accepted of what is delivered", SHARE, "Until deliveries tell"),
                    Field("quality", "An accepted sample counts for", QUALITY,
                          "Of a clean one: 90 %, or 60 % to 95 % where it is not known for sure; empty, runs tell"),
                    Field("lead_time_days", "Days to delivery", COUNT),
                ),
            ),
            Part(
                "Prices",
                (
                    Field("unit_cost", f"Price of a sample, {currency}", amount, required=True),
                    Field("billed", "Paid for", options=BILLED),
                    Field("fixed_cost", f"Fixed cost of an order, {currency}", amount),
                    Field("labels_per_item", "Samples of an item", COUNT, "Above 1, prices are prices of an item"),
                    Field("price_tiers", "Cheaper from", tiers(currency),
                          "A line for each tier, such as 1,000: 2.10, the price of what is beyond the first 1,000"),
                    Field("tier_scope", "Counted", options=SCOPES),
                ),
            ),
            Part(
                "Amounts",
                (
                    Field("min_order", "Smallest order", COUNT),
                    Field("max_order", "Largest order", COUNT),
                    Field("lot_size", "Sold in lots of", COUNT),
                    Field("max_total", "Available in all", COUNT, "All orders together"),
                ),
            ),
            Part(
                "Licence and origin",
                (
                    Field("license", "Licence", hint="Best an SPDX identifier, such as CC-BY-4.0"),
                    Field("license_url", "Where it stands", attributes={"inputmode": "url", "maxlength": 2000}),
                    *(Field(f"terms.{name}", label, options=PERMITTED) for name, label in (
                        ("commercial", "Commercial use"), ("derivatives", "Derived works"),
                        ("redistribution", "Passing on"))),
                    *(Field(f"terms.{name}", label, YES_NO, options=ASKED) for name, label in (
                        ("attribution", "Asks to be named"), ("share_alike", "Asks for the same licence"))),
                    Field("method", "How samples come to be", options=METHODS),
                    Field("collected_from", "Collected from", hint="Such as 2026-01-31"),
                    Field("collected_to", "Collected to"),
                    Field("derived_from", "Derived from", LINES, "A line for each"),
                    Field("provenance", "Where it comes from", LONG),
                    Field("consent", "Consent", LONG),
                ),
            ),
        )
    )  # fmt: skip


def connection_field(visit: Visit, project: Project) -> Sequence[Field]:
    """The vendor's connection, for who may see connections."""
    if not visit.may("admin", whole_workspace=True):
        return ()
    rows = listed_connections(visit.session, project.workspace_id).after(None, CONNECTIONS)
    options = [("", "none"), *((str(row.id), row.name) for row in rows)]
    return (Field("connection", "Ordered through", options=options, hint="A connection to a labeling vendor"),)


def shown_of(row: Source, groups: Mapping[int, Group], form: Form) -> Values:
    quality = stated_quality(row)
    other = {
        "yields": {groups[one.group_id].key: one.share for one in row.yields},
        "quality": quality if quality is None or isinstance(quality, float) else quality.model_dump(),
        "connection": row.connection_id,
    }
    names = {one.name.partition(".")[0] for one in form.fields} - other.keys()
    return form.shown({name: getattr(row, name) or None if name == "derived_from" else getattr(row, name)
                       for name in names} | other)  # fmt: skip


def editor(visit: Visit, project: Project, form: Form, row: Source | None) -> Editor:
    more = {"project": project, "held": None, "archive": "" if row is None else "Archive the source"}
    if row is None:
        return Editor(visit, form, f"/projects/{project.id}/new-source", "New source", "member.html", more)
    path = f"/projects/{project.id}/sources/{part_of(row.key)}"
    return Editor(visit, form, path, row.name or row.key, "member.html", more)


def groups_of(visit: Visit, rows: Sequence[Source]) -> dict[int, Group]:
    return dict(members_by_id(visit.session, Group, [one.group_id for row in rows for one in row.yields]))


@router.get("/projects/{project_id}/sources")
def source_list(
    project_id: str, visit: Annotated[Visit, sees("read")], after: Place = None, archived: bool = False
) -> Answer:
    project = visit.project(project_id)
    listed = listed_members(visit.session, Source, project.id, archived)
    rows, last = listed.part(place_in(listed, after, "after"), PER_PAGE)
    chosen = "archived=true&" if archived else ""
    return visit.render(
        "sources.html",
        project=project,
        archived=archived,
        sources=[(row, part_of(row.key)) for row in rows],
        groups=groups_of(visit, rows),
        more=f"/projects/{project.id}/sources?{chosen}after={last}" if last else None,
    )


@router.get("/projects/{project_id}/new-source")
def new_source(project_id: str, visit: Annotated[Visit, sees("write")]) -> Answer:
    project = visit.project(project_id)
    form = form_of(visit, project)
    shown = form.shown(NEW)
    return editor(visit, project, form, None).show(shown, shown)


@router.post("/projects/{project_id}/new-source")
def add_source(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    form = form_of(visit, project)

    def step(typed: Values) -> tuple[str, str]:
        row = made_source(visit, project, form.body(IN, typed))
        return f"/projects/{project.id}/sources", f"{row.name or row.key} is there."

    return editor(visit, project, form, None).change(form.shown(NEW), step)


def found(project_id: str, key: str, visit: Visit) -> tuple[Project, Source, Form, Values]:
    project = visit.project(project_id)
    row = get_member(visit.session, project, Source, key)
    form = form_of(visit, project)
    return project, row, form, shown_of(row, groups_of(visit, [row]), form)


@router.get("/projects/{project_id}/sources/{key}")
def source_form(project_id: str, key: KeyInPath, visit: Annotated[Visit, sees("write")]) -> Answer:
    project, row, form, shown = found(project_id, key, visit)
    return editor(visit, project, form, row).show(shown, shown)


@router.post("/projects/{project_id}/sources/{key}")
def change_source(project_id: str, key: KeyInPath, visit: Annotated[Visit, acts("write")]) -> Answer:
    project, row, form, shown = found(project_id, key, visit)

    def step(typed: Values) -> tuple[str, str]:
        if typed != shown:
            changed_source(visit, project, row, form.body(PATCH, typed, shown))
        there = f"/projects/{project.id}/sources/{part_of(row.key)}"
        return there, form.differences(shown, shown_of(row, groups_of(visit, [row]), form))

    return editor(visit, project, form, row).change(shown, step)


@router.post("/projects/{project_id}/sources/{key}/archive")
def archive_source(project_id: str, key: KeyInPath, visit: Annotated[Visit, acts("write")]) -> Answer:
    project, row, form, shown = found(project_id, key, visit)

    def step(_: Values) -> tuple[str, str]:
        sources.archive_source(visit.session, project, row, visit.now)
        return f"/projects/{project.id}/sources?archived=true", f"{row.name or row.key} is archived."

    return editor(visit, project, form, row).change(shown, step)


@router.post("/projects/{project_id}/sources/{key}/restore")
def restore_source(project_id: str, key: KeyInPath, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    row = get_member(visit.session, project, Source, key, archived=True)
    sources.restore_source(visit.session, project, row, visit.now)
    return visit.redirect(f"/projects/{project.id}/sources", f"{row.name or row.key} is back.")
