"""Jobs: work that goes on after the answer, watched and cancelled here."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import anyio
from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from app.api.admission import EventStream
from app.api.admission.streams import LONGEST_S
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import Answer
from app.api.http.transactions import Call, KeyedRoute, Route, posts, reads, usual_errors
from app.errors import Conflict, Fault, TrancheError, invalid
from app.services.ids import as_uuid
from app.services.jobs.jobs import ENDED, State, cancel_job, get_job
from app.store.jobs import listed_jobs

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=Route)
streams = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=KeyedRoute)

POLL_S = 0.5
QUIET_S = 15.0

STREAM_EXAMPLE = 'event: progress\ndata: {"id": "0198c5a0-7e6b-7c3e-9d6a-5b1f0c2d3e4f", "state": "running", …}\n\n'


class JobOut(Answer):
    """`progress` runs from 0 to 1. `result` is there where it succeeded, `error` where it failed."""

    id: UUID
    kind: str
    project_id: UUID | None
    state: State
    progress: float
    result: dict[str, Any] | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cancel_requested_at: datetime | None


@router.get("", summary="List jobs, newest first")
def list_jobs(
    call: Annotated[Call, reads("read")],
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[State | None, Query(description="Only jobs in this state")] = None,
    project: Annotated[str | None, Query(max_length=100, description="Only this project's")] = None,
) -> Page[JobOut]:
    caller = call.caller
    project_id = None if project is None else as_uuid(project)
    if project is not None and project_id is None:
        raise invalid(Fault("?project", "is not a project's id"))
    rows = listed_jobs(call.session, caller.workspace_id, caller.project_ids, project_id, state)
    return page(call, cursor, limit, rows, JobOut.model_validate)


@router.get("/{job_id}", summary="Read a job")
def read_job(job_id: str, call: Annotated[Call, reads("read")]) -> JobOut:
    return JobOut.model_validate(get_job(call.session, call.caller, job_id))


@router.post("/{job_id}/cancel", summary="Cancel a job", responses=declared(Conflict))
def cancel(job_id: str, call: Annotated[Call, posts("write")]) -> JobOut:
    """A job that waits is cancelled at once; one that runs when it next reports its progress."""
    job = get_job(call.session, call.caller, job_id, lock=True)
    cancel_job(job, call.now)
    return JobOut.model_validate(job)


def look(call: Call, job_id: str) -> JobOut:
    with call.runtime.database.reading() as session:
        return JobOut.model_validate(get_job(session, call.still(session), job_id))


LOOKS: dict[tuple[asyncio.AbstractEventLoop, str, str], asyncio.Task[JobOut]] = {}
"""Under way or just ended, by loop, key and job."""


async def shared_look(call: Call, job_id: str) -> JobOut:
    """As `look`; the streams of one key that watch one job look together, once in POLL_S."""
    loop = asyncio.get_running_loop()
    whose = (loop, call.caller.key_id, job_id)
    if whose not in LOOKS:
        LOOKS[whose] = loop.create_task(run_in_threadpool(look, call, job_id))
        # A little less than POLL_S: who looks again has waited so long.
        loop.call_later(0.9 * POLL_S, LOOKS.pop, whose)
    return await asyncio.shield(LOOKS[whose])


@streams.get(
    "/{job_id}/events",
    summary="Watch a job",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": STREAM_EXAMPLE}}},
        **declared(*usual_errors("/v1/jobs/{job_id}/events", "GET", writes=False)),
    },
)
async def watch_job(job_id: str, call: Annotated[Call, reads("read")]) -> EventStream:
    """Server-sent events: `progress` with the job now and whenever it changes, `end` with the job when it has ended,
    after which the stream ends too, as it does once the key has ended."""
    first = await run_in_threadpool(look, call, job_id)
    events = changes_of(call, job_id, first)
    headers = {"Cache-Control": "no-store"}
    return EventStream(events, call.runtime.door.streams, call.caller.workspace_id, headers=headers)


async def changes_of(call: Call, job_id: str, first: JobOut) -> AsyncIterator[str]:
    """Holds neither a thread nor a transaction between two looks."""
    job, said = first, None
    quiet_s = 0.0
    for _ in range(round(LONGEST_S / POLL_S)):
        if job != said:
            yield message("end" if job.state in ENDED else "progress", job)
            said, quiet_s = job, 0.0
        elif quiet_s >= QUIET_S:
            yield ": still here\n\n"
            quiet_s = 0.0
        if job.state in ENDED:
            return
        await anyio.sleep(POLL_S)
        quiet_s += POLL_S
        try:
            job = await shared_look(call, job_id)
        except TrancheError:
            return


def message(event: str, job: JobOut) -> str:
    return f"event: {event}\ndata: {job.model_dump_json()}\n\n"
