"""A chart's specification as JSON, SVG or PNG, with the headers it needs."""

import json
from typing import Literal

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
