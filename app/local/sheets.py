"""The tables that stand beside a project's file, read as the API and its pages read them."""

from app.api.observations.run_tables import runs_of_table
from app.api.projects.group_tables import GroupTable, group_table
from app.errors import refuse
from app.services.observations.drafts import Draft


def read_runs(body: bytes) -> list[Draft]:
    """Raises Malformed, Invalid naming lines."""
    return runs_of_table(body)[0]


def read_groups(body: bytes, currency: str) -> GroupTable:
    """Groups whose prices are in the currency. Raises Malformed, Invalid naming lines."""
    found = group_table(body, ignore_extra=False, decimal=None, currency=currency)
    refuse(found.faults)
    return found
