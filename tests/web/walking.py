"""Tables and amounts as pages show them, whatever their layout: by captions, headings and names of rows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import unescape

from app.money import DECIMALS

BENEATH = r'</tr>\s*<tr class="why"><td[^>]*>'
"""What stands between a row and the sentence on it."""
AMOUNT = r"[−-]?\d[\d,]*(?:\.\d+)?"


def words(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", markup)).split())


@dataclass(frozen=True)
class Shown:
    """A table: the headings of its columns, and its rows and foot as they stand there."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    foot: Sequence[Sequence[str]]

    def column(self, *starts: str) -> int:
        """The place of the one column whose heading is this, or starts so, whatever follows."""
        said = [heading.lower() for heading in self.headings]
        [place] = [at for at, heading in enumerate(said) if heading in starts] or [
            at for at, heading in enumerate(said) if heading.startswith(starts)
        ]
        return place

    def by_name(self, *starts: str) -> dict[str, str]:
        """What stands in a column, by the row's name without its second line."""
        at = self.column(*starts)
        return {row[0]: row[at] for row in self.rows}

    def total(self, *starts: str) -> str:
        [foot] = self.foot
        return foot[self.column(*starts)]


def tables_of(page: str) -> Iterator[Shown]:
    for body in re.findall(r"<table[^>]*>(.*?)</table>", page, re.DOTALL):
        [caption] = re.findall(r"<caption>(.*?)</caption>", body, re.DOTALL)
        parts = {
            name: re.findall(rf"<{name}[^>]*>(.*?)</{name}>", body, re.DOTALL) for name in ("thead", "tbody", "tfoot")
        }
        lines = {name: [row for part in found for row in _rows(part)] for name, found in parts.items()}
        yield Shown(words(caption), lines["thead"][0], lines["tbody"], lines["tfoot"])


def table_of(page: str, caption: str) -> Shown:
    """The one table whose caption starts so."""
    [found] = [table for table in tables_of(page) if table.caption.startswith(caption)]
    return found


def _rows(part: str) -> list[list[str]]:
    """Without those that are a sentence on the row above."""
    rows = re.findall(r"<tr(?! class=.why)[^>]*>(.*?)</tr>", part, re.DOTALL)
    cells = [re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[words(re.split("<br>|<small>", first)[0]), *map(words, others)] for first, *others in cells]


def number_in(cell: str) -> Decimal:
    """The first number of a cell."""
    [first, *_] = re.findall(AMOUNT, cell)
    return Decimal(first.replace(",", "").replace("−", "-"))


def total_of(cells: Mapping[str, str]) -> Decimal:
    return sum((number_in(cell) for cell in cells.values()), Decimal(0))


PAID = ("cost", "spent", "committed", "total", "planned cost", "spend")
"""How headings of columns begin that hold amounts; a unit cost is a price, which may be finer than what can be paid."""


def amounts_of(page: str, currency: str) -> Iterator[str]:
    """Every amount that stands beside the currency, or in a column of money."""
    yield from (one for one, _ in re.findall(rf"({AMOUNT}) {currency}\b(?! a piece)( )?", words(page) + " "))
    for table in tables_of(page):
        for at, heading in enumerate(table.headings):
            if heading.lower().startswith(PAID):
                yield from (row[at] for row in [*table.rows, *table.foot] if re.fullmatch(AMOUNT, row[at]))


def too_fine(page: str, currency: str) -> list[str]:
    """The amounts with more digits than the currency has."""
    most = DECIMALS.get(currency, 2)
    return [one for one in amounts_of(page, currency) if len(one.partition(".")[2]) > most]
