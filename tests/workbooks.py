"""A workbook's sheets as tables by the names of their columns."""

from typing import Any


def sheet_of(book: Any, name: str) -> tuple[list[str], list[Any]]:
    """The names of a sheet's columns, as the first sheet tells them by their headings, and its rows but their sum."""
    names, sheet = {}, ""
    for first, heading, _, column in book["About"].iter_rows(values_only=True, max_col=4):
        sheet = first or sheet
        if sheet == name and column is not None:
            names[heading] = column
    header, *rows = list(book[name].iter_rows(values_only=True))
    return [names[heading] for heading in header], [row for row in rows if row[0] != "Sum"]
