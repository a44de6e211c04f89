"""Keys in paths: percent-encoded there, `/` and `%` in them too.

A server decodes the whole path before it is matched with the routes, so that a slash in a key would part it. Here the
path is decoded part by part, and `%2F` and `%25` stay as they are until a route reads its key.
"""

from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Path
from pydantic import AfterValidator
from starlette.types import ASGIApp, Receive, Scope, Send


class WholeParts:
    """Hands on requests with the path decoded part by part."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # In place: what answers errors outside looks for the route in this very scope.
            scope["path"] = part_by_part(scope)
        await self.app(scope, receive, send)


def part_by_part(scope: Scope) -> str:
    """The path with each part decoded, but for the signs `/` and `%` in it. Servers that keep no raw path lose the
    slashes only."""
    raw = scope.get("raw_path")
    if not raw:
        return str(scope["path"]).replace("%", "%25")
    parts = raw.partition(b"?")[0].decode("ascii", "replace").split("/")
    return "/".join(unquote(part).replace("%", "%25").replace("/", "%2F") for part in parts)


def part_of(key: str) -> str:
    """A key as a part of a path. `.` and `..`, which clients resolve however they are encoded, get a blank, which
    reading takes away again."""
    return f"%20{key}" if key in (".", "..") else quote(key, safe="")


KeyInPath = Annotated[
    str,
    Path(description="Percent-encoded, `/` as `%2F`; `.` and `..` with a blank before them (`%20.`)"),
    AfterValidator(unquote),
]
