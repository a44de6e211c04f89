"""Tables whose rows are read already: on disk where they are many, so that whoever writes them needs no database."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from tempfile import SpooledTemporaryFile
from typing import IO

from app.tables.shape import Row, Table

IN_MEMORY = 1_000_000
"""Bytes of a table that are held in memory; more go to disk."""
ROWS = 500
"""Read back at once."""


def held(table: Table) -> Table:
    """The same table, all of its rows read."""
    file: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 -- as long as the table
    rows = iter(table.rows)
    while some := list(islice(rows, ROWS)):
        pickle.dump(some, file, pickle.HIGHEST_PROTOCOL)
    columns = [replace(column, cell=itemgetter(place)) for place, column in enumerate(table.columns)]
    return replace(table, columns=columns, items=Held(file, file.tell()))


class Held:
    """Rows that were written to a file of this process's own, from its start."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self.file, self.end = file, end

    def __iter__(self) -> Iterator[Row]:
        self.file.seek(0)
        while self.file.tell() < self.end:
            yield from pickle.load(self.file)  # noqa: S301 -- written above
