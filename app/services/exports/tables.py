"""Every table that the dashboard shows, by its name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.errors import NotFound, TrancheError
from app.services.exports import plan_tables, purchase_tables, record_tables
from app.services.exports.columns import Content, flat
from app.services.exports.dossier import Dossier
from app.services.exports.summary_table import summary_table
from app.tables.shape import Missing, Table


@dataclass(frozen=True)
class Kind:
    """`make` raises what its question raises before its first row is read."""

    title: str
    make: Callable[[Dossier], Content[Any]]

    def table(self, name: str, dossier: Dossier) -> Table:
        columns, items = self.make(dossier)
        return Table(name, self.title, flat(columns), items)


TABLES: Mapping[str, Kind] = MappingProxyType(
    {
        "summary": Kind("What is signed: the verdict, its figures and the orders", summary_table),
        "allocation": Kind("What to buy next, group by group", plan_tables.allocation_table),
        "sources": Kind("What to order where", plan_tables.sources_table),
        "groups": Kind("Where the groups stand, and their learning curves", plan_tables.groups_table),
        "stakeholders": Kind("How the stakeholders fare under the plan", plan_tables.stakeholders_table),
        "warnings": Kind("What to check before relying on the plan", plan_tables.warnings_table),
        "budgets": Kind("What more or less money would do", plan_tables.budgets_table),
        "scenarios": Kind("Scenarios side by side", plan_tables.scenarios_table),
        "scenario-groups": Kind("What each scenario buys, group by group", plan_tables.scenario_groups_table),
        "measurement-plan": Kind(
            "On which compositions of what is held to retrain next", plan_tables.measurement_table
        ),
        "rounds": Kind("Rounds, oldest first", purchase_tables.rounds_table),
        "round-groups": Kind(
            "What each round planned for each group beside what came", purchase_tables.round_groups_table
        ),
        "orders": Kind("Orders of all rounds beside what came", purchase_tables.orders_table),
        "spending": Kind("What the rounds have cost", purchase_tables.spending_table),
        "source-values": Kind("What each source's deliveries have been worth", purchase_tables.source_values_table),
        "hindsight": Kind(
            "What other splits of closed rounds' money would have come to", purchase_tables.hindsight_table
        ),
        "ledger": Kind("The ledger: every total is a sum of these", purchase_tables.ledger_table),
        "provenance": Kind("Where every sample comes from, lot by lot", purchase_tables.provenance_table),
        "manifests": Kind("What came, manifest by manifest and rule by rule", purchase_tables.manifests_table),
        "observations": Kind("Every evaluated training run, a line per group", record_tables.observations_table),
        "forecasts": Kind(
            "What was forecast of each run before it was posted, and how that fared", record_tables.forecasts_table
        ),
        "simulations": Kind("Policies compared in simulated games", record_tables.simulations_table),
    }
)
"""In the order of a workbook's sheets."""


def table_of(dossier: Dossier, name: str) -> Table:
    """Raises NotFound, and as the table's question."""
    kind = TABLES.get(name)
    if kind is None:
        raise NotFound(f"There is no table '{name[:100]}'. There are: {', '.join(TABLES)}.")
    return kind.table(name, dossier)


def all_tables(dossier: Dossier) -> Iterator[Table | Missing]:
    """One after the other; those whose question has no answer yet say why. Raises what passes."""
    for name, kind in TABLES.items():
        try:
            yield kind.table(name, dossier)
        except TrancheError as error:
            if error.passes:
                raise
            yield Missing(name, kind.title, error.detail)
