"""Calls that come at once, handled as one: a commit waits for the disk, and one wait can serve many."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from app.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 64


class Gathering(Generic[Item, Result]):
    """`handle` is called in one thread of its own, with all that came while it was at work before, up to `most`.
    Nothing waits for company: an item that comes alone is handled alone, at once.

    `handle` returns for each item its result, or the exception that its caller gets. It writes in one transaction, its
    last act: where it raises, nothing was done, and each item of the group is handled alone, so that one cannot harm
    the others. With Unavailable all get that: the database is as busy for each of them.
    """

    def __init__(self, handle: Callable[[Sequence[Item]], Sequence[Result | Exception]], most: int = MOST) -> None:
        self.handle = handle
        self.most = most
        self.waiting: SimpleQueue[tuple[Item, Future[Result]]] = SimpleQueue()
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="gathering")

    def submit(self, item: Item) -> Future[Result]:
        """Done when the group of `item` is. Cancelled before its turn, `item` is never handled."""
        future: Future[Result] = Future()
        self.waiting.put((item, future))
        # One turn for each item: whose group went with an earlier turn finds nothing left to do.
        self.thread.submit(self.take_turn)
        return future

    def take_turn(self) -> None:
        group = [one for one in self.next_group() if one[1].set_running_or_notify_cancel()]
        for (_, future), outcome in zip(group, self.outcomes([item for item, _ in group]), strict=True):
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def next_group(self) -> list[tuple[Item, Future[Result]]]:
        found: list[tuple[Item, Future[Result]]] = []
        with suppress(Empty):
            while len(found) < self.most:
                found.append(self.waiting.get_nowait())
        return found

    def outcomes(self, items: Sequence[Item]) -> list[Result | Exception]:
        if not items:
            return []
        try:
            return list(self.handle(items))
        except Exception as problem:  # noqa: BLE001 -- raised again, to whom it belongs
            if len(items) == 1 or isinstance(problem, Unavailable):
                return [problem] * len(items)
        return [outcome for item in items for outcome in self.outcomes([item])]

    def close(self) -> None:
        """Returns when all that was submitted is done."""
        self.thread.shutdown()
