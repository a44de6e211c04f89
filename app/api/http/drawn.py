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


Scale = Annotated[int, Query(ge=1, le=3, description="Of a PNG: pixels per unit, 2 for sharp screens and print")]
CELLS = 100_000
"""A drawing is let in as what takes as long to compute."""


def drawn(session: Session, spec: bytes, format: Format, scale: int = 1) -> bytes:
    """The last thing that a call does: it reads no more."""
    if format == "json":
        return spec

    def draw() -> bytes:
        return apart.svg(json.loads(spec)).encode() if format == "svg" else apart.png(json.loads(spec), scale)

    return computed(session, ("drawn", format, scale, spec), Work(CELLS, draw))


def contract_of(json: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI contents of a chart in every format; `json`: that of its specification."""
    return {
        MEDIA_TYPES["json"]: json,
        MEDIA_TYPES["svg"]: {"schema": {"type": "string"}, "example": "<svg …/>"},
        MEDIA_TYPES["png"]: {"schema": {"type": "string", "format": "binary"}, "example": "…"},
    }
