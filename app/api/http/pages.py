"""Pages of a list: a cursor names the last item shown, and works on its own list only."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query

from app.api.http.shapes import Answer
from app.api.http.transactions import Call
from app.errors import Fault, invalid

LIMIT_MAX = 500

Item = TypeVar("Item")
Row = TypeVar("Row")


class Page(Answer, Generic[Item]):
    items: list[Item]
    next_cursor: str | None


Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items on a page")]
Cursor = Annotated[str | None, Query(max_length=500, description="next_cursor of the page before")]
Archived = Annotated[bool, Query(description="Read archived ones instead")]


def page(
    call: Call,
    cursor: str | None,
    limit: int,
    fetch: Callable[[str | None, int], Sequence[Row]],
    shape: Callable[[Row], Item],
    position: Callable[[Row], object],
) -> Page[Item]:
    """`fetch(after, n)` gives the first n rows behind position `after`; one more than shown tells if any follow."""
    after = None if cursor is None else read_cursor(call, cursor)
    rows = fetch(after, limit + 1)
    last = write_cursor(call, position(rows[limit - 1])) if len(rows) > limit else None
    return Page(items=[shape(row) for row in rows[:limit]], next_cursor=last)


def position(after: str | None) -> int | None:
    """A cursor's position in a list that is ordered by whole numbers."""
    return None if after is None else int(after)


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
