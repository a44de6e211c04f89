"""Long lists, read part by part."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

PAGE = 200

Item = TypeVar("Item")


def paged(fetch: Callable[[Any, int], Sequence[Item]], position: Callable[[Item], Any]) -> Iterator[Item]:
    """All items of a list that `fetch(after, limit)` reads in parts."""
    after = None
    while True:
        some = fetch(after, PAGE)
        yield from some
        if len(some) < PAGE:
            return
        after = position(some[-1])
