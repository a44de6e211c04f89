"""Every table that the dashboard shows, by its name."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from app.errors import NotFound, TrancheError
from app.services import plan_tables, record_tables
from app.services.dossier import Dossier
from app.tables.shape import Missing, Table

TABLES: Mapping[str, Callable[[Dossier], Table]] = MappingProxyType(
    {
        "allocation": plan_tables.allocation_table,
        "sources": plan_tables.sources_table,
        "groups": plan_tables.groups_table,
        "warnings": plan_tables.warnings_table,
        "budgets": plan_tables.budgets_table,
        "scenarios": plan_tables.scenarios_table,
        "scenario-groups": plan_tables.scenario_groups_table,
        "measurement-plan": plan_tables.measurement_table,
        "rounds": record_tables.rounds_table,
        "round-groups": record_tables.round_groups_table,
        "orders": record_tables.orders_table,
        "spending": record_tables.spending_table,
        "ledger": record_tables.ledger_table,
        "observations": record_tables.observations_table,
        "forecasts": record_tables.forecasts_table,
        "simulations": record_tables.simulations_table,
    }
)
"""In the order of a workbook's sheets. Each raises what its question raises before its first row is read."""


def table_of(dossier: Dossier, name: str) -> Table:
    """Raises NotFound, and as the table's question."""
    make = TABLES.get(name)
    if make is None:
        raise NotFound(f"There is no table '{name[:100]}'. There are: {', '.join(TABLES)}.")
    return make(dossier)


def all_tables(dossier: Dossier) -> Iterator[Table | Missing]:
    """One after the other; those whose question has no answer yet say why."""
    for name, make in TABLES.items():
        try:
            yield make(dossier)
        except TrancheError as error:
            yield Missing(name, f"The table {name}", error.detail)
