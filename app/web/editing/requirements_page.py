"""What targets cost: the least money that reaches them, and which are out of reach and what would be in reach."""

from typing import Annotated, Any

from fastapi import Query

from app.api.planning.requirements import RequirementsIn, RequirementsOut, requirements_shape
from app.charts.words import percent
from app.services.planning.requirements import RequirementQuestion, requirements_of
from app.services.signing.words import in_percent
from app.store.models.projects import Group, Project
from app.store.projects import members
from app.web.site.visit import Answer, Visit, pages, sees, tried

router = pages()

CHANCES = (0.5, 0.8, 0.9, 0.95)
CAUSES = {
    "out_of_reach": "out of reach of any amount of data",
    "unsure": "too few of the curves that the data allow reach it",
    "no_source": "no source sells samples of it",
    "bound": "limits keep from buying enough",
}
ROWS = 100
"""Of each table."""


@router.get("/projects/{project_id}/requirements")
def requirements_page(
    project_id: str,
    visit: Annotated[Visit, sees("read")],
    chance: Annotated[float, Query(gt=0, lt=1)] = 0.9,
    joint: bool = False,
) -> Answer:
    project = visit.project(project_id)
    groups = members(visit.session, Group, project.id)
    has_targets = any(group.target is not None for group in groups)
    body = RequirementsIn(chance=chance, joint=joint)
    found, error = tried(lambda: asked(visit, project, body)) if has_targets else (None, None)
    context: dict[str, Any] = {
        "project": project,
        "chance": chance,
        "joint": joint,
        "chances": [(str(one), percent(one)) for one in sorted({*CHANCES, chance})],
        "names": {group.key: group.name or group.key for group in groups},
        "has_targets": has_targets,
        "found": found,
        "causes": CAUSES,
        "rows": ROWS,
        "percent": percent,
        "in_percent": in_percent(project),
    }
    return visit.render("requirements.html", error=error, **context)


def asked(visit: Visit, project: Project, body: RequirementsIn) -> RequirementsOut:
    question = RequirementQuestion(body.chance, body.joint, body.draws, body.seed)
    found, warnings = requirements_of(visit.session, visit.runtime.fits, project, question)
    return requirements_shape(project, body, found, warnings)
