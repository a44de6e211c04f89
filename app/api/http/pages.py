"""Pages of a list: a cursor names the last item shown, and works on its own list only."""

import base64
import hashlib
from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

from fastapi import Query

from app.api.http.shapes import Answer
from app.api.http.transactions import Call
from app.errors import Fault, invalid
from app.store.reading import Listing

LIMIT_MAX = 500

Item = TypeVar("Item")
Row = TypeVar("Row")


class Page(Answer, Generic[Item]):
    items: list[Item]
    next_cursor: str | None


Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items on a page")]
Cursor = Annotated[str | None, Query(max_length=500, description="next_cursor of the page before")]
Archived = Annotated[bool, Query(description="Read archived ones instead")]


def page(call: Call, cursor: str | None, limit: int, rows: Listing[Row], shape: Callable[[Row], Item]) -> Page[Item]:
    shown, last = rows.part(None if cursor is None else read_cursor(call, cursor), limit)
    next_cursor = None if last is None else write_cursor(call, last)
    return Page(items=[shape(row) for row in shown], next_cursor=next_cursor)


def list_name(call: Call) -> str:
    """A cursor is of one workspace's one list: elsewhere it is refused."""
    return hashlib.sha256(f"{call.caller.workspace_id}{call.path}".encode()).hexdigest()[:16]


def write_cursor(call: Call, position: object) -> str:
    return base64.urlsafe_b64encode(f"{list_name(call)}.{position}".encode()).decode()


def read_cursor(call: Call, cursor: str) -> str:
    """Where the next page begins. Raises Invalid for a cursor of another list."""
    try:
        name, _, position = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition(".")
    except ValueError:
        name, position = "", ""
    if name != list_name(call) or not position:
        raise invalid(Fault("?cursor", "is not a cursor of this list; take next_cursor of its page before"))
    return position
