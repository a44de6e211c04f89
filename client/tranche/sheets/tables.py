"""The tables that Tranche reads: groups, sources, and training runs with a line per run and group."""

from tranche.sheets.numbers import Mark
from tranche.sheets.table import Column, Sheet, read_table

RUN_COLUMNS = (
    Column("external_id", needed=True),
    Column("group", needed=True),
    Column("source"),
    Column("n", "count", needed=True),
    Column("value", "real", needed=True),
    Column("stderr", "real", alike="value"),
    Column("eval_size", "count"),
    Column("holdout"),
    Column("recipe"),
    Column("chosen_from", "count"),
    Column("observed_at", "instant"),
)
EXPORTED = (Column("observation"), Column("voided_at"), Column("void_reason"))
"""What Tranche's own table of observations says of a run beside them."""
GROUP_COLUMNS = (
    Column("key", needed=True, aliases=("group",)),
    Column("name"),
    Column("parent"),
    Column("unit_cost", "money"),
    Column("weight", "real"),
    Column("target", "real"),
    Column("initial_count", "count"),
    Column("min_count", "count"),
    Column("max_count", "count"),
)
SOURCE_COLUMNS = (
    Column("key", needed=True, aliases=("source",)),
    Column("name"),
    Column("kind"),
    Column("group"),
    Column("yields"),
    Column("unit_cost", "money"),
    Column("billed"),
    Column("fixed_cost", "money"),
    Column("price_tiers"),
    Column("labels_per_item", "count"),
    Column("min_order", "count"),
    Column("max_order", "count"),
    Column("lot_size", "count"),
    Column("max_total", "count"),
    Column("acceptance_rate", "real"),
    Column("quality"),
    Column("lead_time_days", "count"),
    Column("license"),
    Column("method"),
)
"""`yields` and `price_tiers` are texts, their parts with a bar between them."""


def read_runs(body: bytes | str, *, ignore_extra: bool = False, decimal: Mark | None = None) -> Sheet:
    """A line per run and group. Voided runs of an export are left out; a run without an id of its owner's has that of
    its observation. Raises SheetError."""
    sheet = read_table(body, (*RUN_COLUMNS, *EXPORTED), ignore_extra=ignore_extra, decimal=decimal)
    kept = []
    for line, cells in sheet.rows:
        observation, voided, _ = (cells.pop(column.name, None) for column in EXPORTED)
        if voided is not None:
            sheet.read_as.voided += 1
            continue
        if observation is not None:
            cells.setdefault("external_id", observation)
        kept.append((line, cells))
    return Sheet(kept, sheet.faults, sheet.read_as)


def read_groups(body: bytes | str, *, ignore_extra: bool = False, decimal: Mark | None = None) -> Sheet:
    """A line per group. Raises SheetError."""
    return read_table(body, GROUP_COLUMNS, ignore_extra=ignore_extra, decimal=decimal)


def read_sources(body: bytes | str, *, ignore_extra: bool = False, decimal: Mark | None = None) -> Sheet:
    """A line per source. Raises SheetError."""
    return read_table(body, SOURCE_COLUMNS, ignore_extra=ignore_extra, decimal=decimal)


def template(columns: tuple[Column, ...]) -> str:
    """The header of a table to start from."""
    return ",".join(column.name for column in columns) + "\r\n"
