"""Is the process alive, and can it serve?"""

from typing import Literal

from fastapi import APIRouter, Request

from app.api.http.problems import declared
from app.api.http.runtime import Runtime
from app.api.http.shapes import Answer
from app.errors import Unavailable
from app.store.db import busy_is_unavailable
from app.store.schema import is_current

router = APIRouter(tags=["service"])


class Health(Answer):
    status: Literal["ok"]


@router.get("/healthz", summary="Is the process alive?")
def health() -> Health:
    return Health(status="ok")


@router.get("/readyz", summary="Can it serve?", responses=declared(Unavailable))
def readiness(request: Request) -> Health:
    """Ready means: the database answers and has the newest schema."""
    runtime: Runtime = request.app.state.runtime
    with busy_is_unavailable():
        current = is_current(runtime.database)
    if not current:
        raise Unavailable("The database lacks the newest schema. Run: tranche migrate", headers={"Retry-After": "5"})
    return Health(status="ok")
