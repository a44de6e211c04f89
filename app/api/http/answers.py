"""Shapes and parameters that routes of several rooms share."""

import re
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator

from app.api.http.shapes import Answer
from app.errors import NotFound

DIGITS = 18
"""Numbers of more may be larger than a column of 64 bits holds."""


def known_number(text: object) -> object:
    """`text`. Raises NotFound for a whole number that no round has."""
    if isinstance(text, str) and re.fullmatch(r"[-+]?[0-9]+", text) and len(text.lstrip("-+0")) > DIGITS:
        raise NotFound(f"There is no round {text[:30]} in this project.")
    return text


RoundNumber = Annotated[int, BeforeValidator(known_number)]
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
