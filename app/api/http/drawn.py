"""A chart's specification as JSON, SVG or PNG, with the headers it needs."""

import json
from typing import Annotated, Any, Literal

from fastapi import Query

from app.drawing import apart
from app.services.computing import Work, computed
from app.store.db import Session

Format = Literal["json", "svg", "png"]
MEDIA_TYPES = {"json": "application/json", "svg": "image/svg+xml", "png": "image/png"}
HEADERS = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


CELLS = 100_000
"""A drawing is let in as what takes as long to compute."""


def drawn(session: Session, spec: bytes, format: Format) -> bytes:
    """The last thing that a call does: it reads no more."""
    if format == "json":
        return spec

    def draw() -> bytes:
        return apart.svg(json.loads(spec)).encode() if format == "svg" else apart.png(json.loads(spec))

    return computed(session, ("drawn", format, spec), Work(CELLS, draw))


def contract_of(json: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI contents of a chart in every format; `json`: that of its specification."""
    return {
        MEDIA_TYPES["json"]: json,
        MEDIA_TYPES["svg"]: {"schema": {"type": "string"}, "example": "<svg …/>"},
        MEDIA_TYPES["png"]: {"schema": {"type": "string", "format": "binary"}, "example": "…"},
    }
