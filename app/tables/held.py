"""Tables whose rows are read already, packed in memory, so that whoever writes them needs no database."""

import pickle
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter

from app.tables.shape import Row, Table

ROWS = 500
"""Packed together."""


@dataclass(frozen=True)
class Held:
    """Rows, packed by this very process."""

    packed: Sequence[bytes]

    def __iter__(self) -> Iterator[Row]:
        for some in self.packed:
            yield from pickle.loads(zlib.decompress(some))  # noqa: S301 -- see `held`


def held(table: Table) -> Table:
    """The same table, all of its rows read. They take a tenth of what they would as objects."""
    rows, packed = iter(table.rows), []
    while some := list(islice(rows, ROWS)):
        packed.append(zlib.compress(pickle.dumps(some, pickle.HIGHEST_PROTOCOL), 1))
    columns = [replace(column, cell=itemgetter(place)) for place, column in enumerate(table.columns)]
    return replace(table, columns=columns, items=Held(packed))
