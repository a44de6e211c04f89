"""The files that pages name. Their address holds a hash of them all, so that browsers may keep them for ever and
modules still find each other by relative names."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import PurePath

from fastapi import APIRouter, Response

from app.errors import NotFound

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@cache
def assets() -> dict[str, bytes]:
    found = (files("app.web") / "static").iterdir()
    return {one.name: one.read_bytes() for one in found if PurePath(one.name).suffix in TYPES}


@cache
def release() -> str:
    whole = hashlib.sha256()
    for name, content in sorted(assets().items()):
        whole.update(f"{name} {len(content)} ".encode() + content)
    return whole.hexdigest()[:16]


def address(name: str) -> str:
    """Where the page finds the file `name` of app/web/static. Raises KeyError."""
    assets()[name]
    return f"/static/{release()}/{name}"


@router.get("/static/{named_release}/{name}")
def asset(named_release: str, name: str) -> Response:
    if name not in assets():
        raise NotFound("There is no such file.")
    headers = {
        "Cache-Control": FOR_EVER if named_release == release() else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(assets()[name], headers=headers, media_type=TYPES[PurePath(name).suffix])
