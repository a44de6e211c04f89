"""The list of projects; an example of one; bringing an archived one back, or erasing it."""

from typing import Annotated

from app.services.example import make_example
from app.services.exports.overview import overview_of
from app.services.projects.changes import restore
from app.services.purchases.inbox import waits_for
from app.services.retention.erasing import ask_to_erase, enqueue_erasure
from app.store.models.projects import Project
from app.store.projects import projects_of_workspace
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

PER_PAGE = 25


@router.get("/")
def project_list(visit: Annotated[Visit, sees("read")], after: Place = None, archived: bool = False) -> Answer:
    """Those with a proposal that waits for who looks stand first, then what waits for it on this page."""
    caller = visit.caller
    mine = (
        [] if archived else list(dict.fromkeys(one.project_id for one in waits_for(visit.session, caller, visit.now)))
    )
    first = [visit.session.get_one(Project, one) for one in mine[:PER_PAGE]]
    projects = projects_of_workspace(
        visit.session, caller.workspace_id, caller.project_ids, archived, [one.id for one in first]
    )
    rows, last = projects.part(place_in(projects, after, "after"), PER_PAGE)
    others = [overview_of(visit.session, row, mine, visit.now) for row in rows]
    shown = [] if after else [overview_of(visit.session, row, mine, visit.now) for row in first]
    shown += sorted(others, key=lambda one: not one.waits)
    chosen = "archived=true&" if archived else ""
    more = f"/?{chosen}after={last}" if last else None
    return visit.render("projects.html", overviews=shown, archived=archived, more=more)


@router.post("/example")
def look_at_an_example(visit: Annotated[Visit, acts("write", whole_workspace=True)]) -> Answer:
    """One click makes it; the next ones lead to it, until it is archived."""
    project = make_example(visit.session, visit.runtime.settings, visit.caller, visit.now, visit.enqueue)
    return visit.redirect(
        f"/projects/{project.id}", "All of this project is made up. Archive it when you have seen it."
    )


@router.post("/projects/{project_id}/erase")
def erase_project(project_id: str, visit: Annotated[Visit, acts("admin")]) -> Answer:
    """The one whose name was typed to confirm."""
    project = visit.project(project_id, archived=True)
    name = project.name
    row = ask_to_erase(visit.session, project, visit.said("name"), False, visit.caller, visit.now)
    enqueue_erasure(visit.session, row.id, visit.enqueue)
    visit.runtime.fits.forget_project(project.id)
    return visit.redirect("/?archived=true", f"{name} is being erased. The receipt is /v1/erasures/{row.id}.")


@router.post("/projects/{project_id}/restore")
def restore_project(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id, archived=True)
    restore(project, project, visit.now)
    return visit.redirect("/", f"{project.name} is back.")
