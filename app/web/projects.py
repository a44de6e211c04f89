"""The list of projects, and bringing an archived one back."""

from typing import Annotated

from fastapi import Query

from app.services.exports.overview import overview_of
from app.services.projects.changes import restore
from app.store.projects import projects_of_workspace
from app.web.site.visit import Answer, Visit, acts, pages, sees, uuid_place

router = pages()

PER_PAGE = 25
After = Annotated[str | None, Query(max_length=40)]


@router.get("/")
def project_list(visit: Annotated[Visit, sees()], after: After = None, archived: bool = False) -> Answer:
    caller = visit.caller
    projects = projects_of_workspace(visit.session, caller.workspace_id, caller.project_ids, archived)
    rows, last = projects.part(uuid_place(after, "after"), PER_PAGE)
    shown = [overview_of(visit.session, row) for row in rows]
    chosen = "archived=true&" if archived else ""
    more = f"/?{chosen}after={last}" if last else None
    return visit.render("projects.html", overviews=shown, archived=archived, more=more)


@router.post("/projects/{project_id}/restore")
def restore_project(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id, archived=True)
    restore(project, project, visit.now)
    return visit.redirect("/", f"{project.name} is back.")
