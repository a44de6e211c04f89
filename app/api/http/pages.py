"""Pages of a list: a cursor names the last item shown, and works on its own list only."""

import base64
import hashlib
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

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
    shown, last = rows.part(None if cursor is None else read_cursor(call, cursor, rows), limit)
    next_cursor = None if last is None else write_cursor(call, str(last))
    return Page(items=[shape(row) for row in shown], next_cursor=next_cursor)


def write_cursor(call: Call, position: str) -> str:
    """A cursor is of one workspace's one list, and of one place there: elsewhere, or changed, it is refused."""
    name = hashlib.sha256(f"{call.caller.workspace_id}{call.path} {position}".encode()).hexdigest()[:16]
    return base64.urlsafe_b64encode(f"{name}.{position}".encode()).decode()


def read_cursor(call: Call, cursor: str, rows: Listing[Any]) -> Any:
    """Where the next page begins. Raises Invalid for what is no cursor of this list."""
    try:
        position = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition(".")[2]
        if cursor == write_cursor(call, position):
            return rows.read_place(position)
    except ValueError:
        pass
    raise invalid(Fault("?cursor", "is not a cursor of this list; take next_cursor of its page before"))
