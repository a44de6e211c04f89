"""How rows are read: one by what its columns hold, lists in the order of a key part by part, rows by many keys."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, inspect, select
from sqlalchemy.orm import InstrumentedAttribute, Session

Row = TypeVar("Row")
Query = Select[*tuple[Any, ...]]
KEYS_PER_QUERY = 500


def find(session: Session, kind: type[Row], *, lock: bool = False, **columns: object) -> Row | None:
    """The row whose columns hold this; `lock` keeps its other writers waiting until this transaction ends."""
    query: Select[Row] = select(kind).filter_by(**columns)
    return session.scalar(query.with_for_update() if lock else query)


def load_undone(session: Session) -> None:
    """Read anew the rows that a savepoint's rollback left unread, so that they can be shown after the session."""
    for row in list(session):
        if inspect(row).expired:
            session.refresh(row)


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """The rows of `query` by `key`, a column that tells them apart and is of the first thing that they are made of."""

    session: Session
    query: Query
    key: InstrumentedAttribute[Any]
    newest_first: bool = False

    def read_place(self, text: str) -> Any:
        """The key that `text` is written of. Raises ValueError where it is none that a row could have."""
        kind = self.key.type.python_type
        place = kind(text)
        if str(place) != text or "\0" in text or (kind is int and abs(place) >= 2**63):
            raise ValueError("is no place in this list")
        return place

    def after(self, last: Any, limit: int | None) -> list[Row]:
        """The first `limit` rows behind the key `last`; None for the beginning."""
        query = self.query.order_by(self.key.desc() if self.newest_first else self.key)
        if last is not None:
            query = query.where(self.key < last if self.newest_first else self.key > last)
        return rows_of(self.session, query.limit(limit))

    def part(self, place: Any, limit: int) -> tuple[list[Row], Any]:
        """As `after`, and the place of the last of these rows where others follow, else None."""
        rows = self.after(place, limit + 1)
        return rows[:limit], self.place(rows[limit - 1]) if len(rows) > limit else None

    def place(self, row: Row) -> Any:
        return getattr(row[0] if isinstance(row, tuple) else row, self.key.key)


def rows_of(session: Session, query: Query) -> list[Any]:
    """What is one thing as such, what is several as a tuple."""
    return [row[0] if len(row) == 1 else tuple(row) for row in session.execute(query)]


def parts_of(session: Session, query: Query, values: Sequence[Any], **place: object) -> Iterator[Any]:
    """The rows of a statement that is made once: its parameter `some` gets `values` part by part, the others are
    `place`."""
    for start in range(0, len(values), KEYS_PER_QUERY):
        yield from session.execute(query, {**place, "some": values[start : start + KEYS_PER_QUERY]})


def in_parts(session: Session, query: Query, column: Any, values: Iterable[Any]) -> Iterator[Any]:
    """The rows of `query` whose `column` is among `values`, however many these are, part by part."""
    wanted = list(values)
    for start in range(0, len(wanted), KEYS_PER_QUERY):
        some = query.where(column.in_(wanted[start : start + KEYS_PER_QUERY]))
        yield from rows_of(session, some)
