"""Shapes and parameters that routes of several rooms share."""

from typing import Annotated

from fastapi import Query

from app.api.http.shapes import Answer

Draws = Annotated[int, Query(ge=50, le=2000, description="Posterior draws")]
Seed = Annotated[int, Query(ge=0, le=2**32 - 1, description="The same seed gives the same answer")]


class IntervalOut(Answer):
    """A mean with its 90 % interval over the posterior's draws."""

    mean: float
    p05: float
    p95: float


class WarningOut(Answer):
    """What deserves a second look, and what to do about it."""

    code: str
    group: str | None
    source: str | None = None
    detail: str
