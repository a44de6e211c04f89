"""Lists that are read part by part, in the order of a key."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

Row = TypeVar("Row")


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """The rows of `query` by `key`, a column that tells them apart and is of the first thing that they are made of."""

    session: Session
    query: Select[*tuple[Any, ...]]
    key: InstrumentedAttribute[Any]
    newest_first: bool = False

    def after(self, place: object, limit: int | None) -> list[Row]:
        """The first `limit` rows behind `place`, a key or its text; None for the beginning."""
        query = self.query.order_by(self.key.desc() if self.newest_first else self.key)
        if place is not None:
            last = self.key.type.python_type(str(place))
            query = query.where(self.key < last if self.newest_first else self.key > last)
        rows: list[Any] = [tuple(row) for row in self.session.execute(query.limit(limit))]
        return [row[0] if len(row) == 1 else row for row in rows]

    def part(self, place: object, limit: int) -> tuple[list[Row], Any]:
        """As `after`, and the place of the last of these rows where others follow, else None."""
        rows = self.after(place, limit + 1)
        return rows[:limit], self.place(rows[limit - 1]) if len(rows) > limit else None

    def place(self, row: Row) -> Any:
        return getattr(row[0] if isinstance(row, tuple) else row, self.key.key)
