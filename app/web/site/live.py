"""Server-sent events of pages: a tag whenever what the page shows has changed."""

from collections.abc import AsyncIterator, Callable

import anyio
from fastapi.concurrency import run_in_threadpool

from app.api.admission import EventStream
from app.api.admission.streams import LONGEST_S
from app.errors import TrancheError
from app.services.projects.projects import get_project
from app.store.db import Session
from app.store.models.projects import Project
from app.web.site.visit import Answer, Visit

POLL_S = 1.0

Tag = Callable[[Session, Project], str]


async def watched(visit: Visit, project_id: str, tag: Tag) -> Answer:
    """Events `changed` with what `tag` says of the project: at once, and when it says something else."""
    first = await run_in_threadpool(tag_now, visit, project_id, tag)
    events = changes_of(visit, project_id, tag, first)
    return EventStream(events, visit.runtime.door.streams, visit.caller.workspace_id)


async def changes_of(visit: Visit, project_id: str, tag: Tag, first: str) -> AsyncIterator[str]:
    """Holds neither a thread nor a transaction between two looks; the browser connects again after its end."""
    said = first
    yield f"event: changed\ndata: {first}\n\n"
    for _ in range(round(LONGEST_S / POLL_S)):
        await anyio.sleep(POLL_S)
        try:
            now = await run_in_threadpool(tag_now, visit, project_id, tag)
        except TrancheError:
            return
        yield ": still here\n\n" if now == said else f"event: changed\ndata: {now}\n\n"
        said = now


def tag_now(visit: Visit, project_id: str, tag: Tag) -> str:
    """Raises NotFound, and Unauthenticated once the session has ended."""
    with visit.runtime.database.reading() as session:
        return tag(session, get_project(session, visit.still(session), project_id))
