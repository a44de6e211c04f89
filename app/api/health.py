"""Is the process alive, and can it serve?"""

from typing import Literal

from fastapi import APIRouter, Request

from app.api.http.problems import declared
from app.api.http.runtime import Runtime
from app.api.http.shapes import Answer
from app.errors import Unavailable

router = APIRouter(tags=["service"])


class Health(Answer):
    status: Literal["ok"]


@router.get("/healthz", summary="Is the process alive?")
def health() -> Health:
    return Health(status="ok")


@router.get("/readyz", summary="Can it serve?", responses=declared(Unavailable))
def readiness(request: Request) -> Health:
    """Ready means: the database answers, has the newest schema, and takes what is written to it."""
    runtime: Runtime = request.app.state.runtime
    runtime.readiness.check()
    return Health(status="ok")
