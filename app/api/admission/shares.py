"""So much of something for all at once, and at most half of it for one of them."""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from app.errors import RateLimited, Unavailable


class Shares:
    """What one process has under way at once, by owner: at most `total`, of one owner at most half of it.

    of: what is counted, for the words of a refusal. come_back_s: what the refused are told to wait. Used from the event
    loop alone.
    """

    def __init__(self, total: int, of: str, come_back_s: int) -> None:
        self.total, self.of = total, of
        self.each = max(1, total // 2)
        self.held: Counter[Hashable] = Counter()
        self.all_held = 0
        self.come_back = {"Retry-After": str(come_back_s)}

    @contextmanager
    def room(self, owner: Hashable, amount: int = 0) -> Iterator["Room"]:
        """Room of `owner`'s own, given back at the end. Raises as `Room.grow_to`."""
        room = Room(self, owner)
        try:
            room.grow_to(amount)
            yield room
        finally:
            self.change(owner, -room.amount)

    def change(self, owner: Hashable, by: int) -> None:
        self.all_held += by
        self.held[owner] += by
        if not self.held[owner]:
            del self.held[owner]


class Room:
    """What one call has of the whole."""

    def __init__(self, shares: Shares, owner: Hashable) -> None:
        self.shares, self.owner, self.amount = shares, owner, 0

    def grow_to(self, amount: int) -> None:
        """Raises RateLimited where the owner would have more than its share, Unavailable where all have it all."""
        shares, more = self.shares, amount - self.amount
        if more <= 0:
            return
        if shares.held[self.owner] + more > shares.each:
            detail = (
                f"This workspace has as many {shares.of} under way as one may have ({shares.each:,}). Wait for them."
            )
            raise RateLimited(detail, headers=shares.come_back)
        if shares.all_held + more > shares.total:
            detail = f"As many {shares.of} are under way as this process takes ({shares.total:,}). Try again."
            raise Unavailable(detail, headers=shares.come_back)
        shares.change(self.owner, more)
        self.amount = amount
