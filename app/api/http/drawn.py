"""A chart's specification as JSON, SVG or PNG, with the headers it needs."""

import json
from typing import Any, Literal

from app.charts import render

Format = Literal["json", "svg", "png"]
MEDIA_TYPES = {"json": "application/json", "svg": "image/svg+xml", "png": "image/png"}
HEADERS = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def drawn(spec: bytes, format: Format) -> bytes:
    if format == "json":
        return spec
    return render.svg(json.loads(spec)).encode() if format == "svg" else render.png(json.loads(spec))


def contract_of(json: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI contents of a chart in every format; `json`: that of its specification."""
    return {
        MEDIA_TYPES["json"]: json,
        MEDIA_TYPES["svg"]: {"schema": {"type": "string"}, "example": "<svg …/>"},
        MEDIA_TYPES["png"]: {"schema": {"type": "string", "format": "binary"}, "example": "…"},
    }
