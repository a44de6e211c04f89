"""Is the process alive, and can it serve?"""

from typing import Literal

from fastapi import APIRouter, Request

from app.api.http.problems import declared
from app.api.http.runtime import Runtime
from app.api.http.shapes import Answer
from app.errors import Invalid, Unavailable
from app.services.jobs.workers import SILENT
from app.store.jobs import any_worker_since, shared_now

router = APIRouter(tags=["service"])


class Health(Answer):
    status: Literal["ok"]


class Readiness(Health):
    """worker: `silent` where none was heard of for a minute; calls are answered, and jobs wait."""

    worker: Literal["heard", "silent"]


@router.get("/healthz", summary="Is the process alive?", responses=declared(Invalid))
def health() -> Health:
    return Health(status="ok")


@router.get("/readyz", summary="Can it serve?", responses=declared(Invalid, Unavailable))
def readiness(request: Request) -> Readiness:
    """Ready means: the database answers, has the newest schema, and takes what is written to it. A service without a
    worker is ready, and says so."""
    runtime: Runtime = request.app.state.runtime
    runtime.readiness.check()
    with runtime.database.reading() as session:
        heard = any_worker_since(session, shared_now(session) - SILENT)
    return Readiness(status="ok", worker="heard" if heard else "silent")
