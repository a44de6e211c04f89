"""What other splits of closed rounds' money would have come to: a page, and the part of it that the timeline shows."""

from typing import Annotated

from app.errors import NoClosedRound
from app.services.planning.policies import PLAYERS
from app.services.signing.hindsight_words import sentence, split
from app.services.valuation.hindsight import HindsightQuestion, kept_hindsight
from app.store.member_rows import group_rows
from app.web.site.visit import Answer, Visit, pages, sees, tried

router = pages()


@router.get("/projects/{project_id}/rounds/hindsight")
def hindsight_page(project_id: str, visit: Annotated[Visit, sees("read")], fragment: bool = False) -> Answer:
    project = visit.project(project_id)
    rows = group_rows(visit.session, project.id, archived=None)
    names = {group.key: group.name or group.key for group in rows}
    found, error = tried(lambda: kept_hindsight(visit.session, visit.runtime.fits, project, HindsightQuestion()))
    sentences = (
        {} if found is None else {one.number: sentence(project, found, one.review, names) for one in found.rounds}
    )
    together = sentence(project, found, found.together, names) if found is not None and len(found.rounds) > 1 else None
    return visit.render(
        "_hindsight.html" if fragment else "hindsight.html",
        project=project,
        found=found,
        refused=None if isinstance(error, NoClosedRound) else error,
        sentences=sentences,
        together=together,
        players=PLAYERS,
        split=split,
    )
