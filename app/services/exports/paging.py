"""Long lists, read part by part."""

from collections.abc import Iterator
from typing import TypeVar

from app.store.reading import Listing

PAGE = 200

Item = TypeVar("Item")


def paged(rows: Listing[Item]) -> Iterator[Item]:
    after = None
    while True:
        some, after = rows.part(after, PAGE)
        yield from some
        if after is None:
            return
