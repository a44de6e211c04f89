"""The list of projects."""

from typing import Annotated

from app.store.projects import projects_of_workspace
from app.web.visit import Answer, Visit, pages, sees

router = pages()

PER_PAGE = 50


@router.get("/")
def project_list(visit: Annotated[Visit, sees()], after: str | None = None, archived: bool = False) -> Answer:
    caller = visit.caller
    rows = projects_of_workspace(visit.session, caller.workspace_id, caller.project_ids, archived, after, PER_PAGE + 1)
    return visit.render("projects.html", projects=rows[:PER_PAGE], archived=archived)
