"""The list of projects; bringing an archived one back, or erasing it."""

from typing import Annotated

from app.services.exports.overview import overview_of
from app.services.projects.changes import restore
from app.services.retention.erasing import ask_to_erase, enqueue_erasure
from app.store.projects import projects_of_workspace
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

PER_PAGE = 25


@router.get("/")
def project_list(visit: Annotated[Visit, sees("read")], after: Place = None, archived: bool = False) -> Answer:
    caller = visit.caller
    projects = projects_of_workspace(visit.session, caller.workspace_id, caller.project_ids, archived)
    rows, last = projects.part(place_in(projects, after, "after"), PER_PAGE)
    shown = [overview_of(visit.session, row) for row in rows]
    chosen = "archived=true&" if archived else ""
    more = f"/?{chosen}after={last}" if last else None
    return visit.render("projects.html", overviews=shown, archived=archived, more=more)


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
