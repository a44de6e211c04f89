"""Tables of text as spreadsheets and programs write them, read without guessing. The standard library alone."""

from tranche.sheets.faults import SheetError, SheetFault, SheetFaults
from tranche.sheets.grid import best_separator, without_sep_line
from tranche.sheets.instants import read_instant
from tranche.sheets.numbers import typed_number
from tranche.sheets.table import Column, ReadAs, Sheet, decimal_mark, plain, read_table
from tranche.sheets.tables import (
    GROUP_COLUMNS,
    RUN_COLUMNS,
    SOURCE_COLUMNS,
    read_groups,
    read_runs,
    read_sources,
    template,
)
from tranche.sheets.text import decoded

__all__ = [
    "GROUP_COLUMNS",
    "RUN_COLUMNS",
    "SOURCE_COLUMNS",
    "Column",
    "ReadAs",
    "Sheet",
    "SheetError",
    "SheetFault",
    "SheetFaults",
    "best_separator",
    "decimal_mark",
    "decoded",
    "plain",
    "read_groups",
    "read_instant",
    "read_runs",
    "read_sources",
    "read_table",
    "template",
    "typed_number",
    "without_sep_line",
]
