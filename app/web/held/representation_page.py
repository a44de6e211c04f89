"""Whom the samples are like: levels of the groups' attributes beside the population's shares."""

from typing import Annotated

from fastapi import Depends

from app.api.planning.representation import asked_representation, representation_shape
from app.services.representation.standing import RepresentationQuestion, representation_of
from app.store.member_rows import group_rows
from app.web.site.visit import Answer, Visit, pages, sees, tried

router = pages()

MOST = 50
"""Rows of each table; more are in the API's answer."""
Asked = Annotated[RepresentationQuestion, Depends(asked_representation)]


@router.get("/projects/{project_id}/representation")
def representation_page(project_id: str, visit: Annotated[Visit, sees("read")], question: Asked) -> Answer:
    project = visit.project(project_id)
    found, error = tried(lambda: representation_of(visit.session, project, question))
    return visit.render(
        "representation.html",
        project=project,
        question=question,
        found=representation_shape(project, found) if found else None,
        names={row.key: row.name or row.key for row in group_rows(visit.session, project.id)},
        most=MOST,
        error=error,
    )
