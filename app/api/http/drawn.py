"""A chart's specification as JSON, SVG or PNG, with the headers it needs."""

import json
from typing import Annotated, Any, Literal

from fastapi import Query

from app.charts import render

Format = Literal["json", "svg", "png"]
MEDIA_TYPES = {"json": "application/json", "svg": "image/svg+xml", "png": "image/png"}
HEADERS = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


Scale = Annotated[int, Query(ge=1, le=3, description="Of a PNG: pixels per unit, 2 for sharp screens and print")]


def drawn(spec: bytes, format: Format, scale: int = 1) -> bytes:
    if format == "json":
        return spec
    return render.svg(json.loads(spec)).encode() if format == "svg" else render.png(json.loads(spec), scale)


def contract_of(json: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI contents of a chart in every format; `json`: that of its specification."""
    return {
        MEDIA_TYPES["json"]: json,
        MEDIA_TYPES["svg"]: {"schema": {"type": "string"}, "example": "<svg …/>"},
        MEDIA_TYPES["png"]: {"schema": {"type": "string", "format": "binary"}, "example": "…"},
    }
