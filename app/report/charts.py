"""The report's charts: drawn on the server, as parts of the page."""

from dataclasses import dataclass
from typing import cast

from app.charts import render
from app.charts.budget import targets_chart, utility_chart
from app.charts.curves import curves_chart
from app.charts.inline import inline
from app.charts.margins import margins_chart
from app.charts.money import RoundMoney, spending
from app.charts.progress import GroupRow, progress
from app.charts.scenarios import scenarios_chart
from app.charts.theme import Spec
from app.services.exports.charts import CurveView, curve_panels, margin_rows, scenario_rows
from app.services.exports.dossier import Dossier
from app.services.exports.round_charts import progress_data, spending_data
from app.store.models.projects import Group

CURVES, COLUMNS = 6, 2
"""Groups whose curves are drawn, and how many beside each other: what a printed page holds legibly."""


@dataclass(frozen=True)
class Charts:
    """What the report draws of one dossier. `source` stands beneath each chart."""

    dossier: Dossier
    source: str

    def curves(self) -> str:
        dossier = self.dossier
        shown = curve_groups(dossier)
        after = {group.key: group.count + group.add for group in dossier.allocation.plan.groups if group.add}
        view = CurveView(shown, after, dossier.question.draws, dossier.question.seed)
        panels = curve_panels(dossier.session, dossier.fits, dossier.project, view)
        return drawn("curves", curves_chart(panels, self.source, COLUMNS))

    def margins(self) -> str:
        rows = margin_rows(self.dossier.allocation, self.dossier.labels)
        return drawn("margins", margins_chart(rows, self.dossier.project.currency, self.source))

    def utility(self) -> str:
        found = self.dossier.budgets
        return drawn("utility", utility_chart(found.rows, found.chosen, self.dossier.project.currency, self.source))

    def targets(self) -> str:
        found = self.dossier.budgets
        return drawn("targets", targets_chart(found.rows, found.chosen, self.dossier.project.currency, self.source))

    def scenarios(self) -> str:
        rows = scenario_rows(self.dossier.outcomes)
        return drawn("scenarios", scenarios_chart(rows, self.dossier.project.currency, self.source))

    def spending(self) -> str:
        project = self.dossier.project
        rows = [cast(RoundMoney, row) for row in spending_data(self.dossier.session, project)]
        return drawn("spending", spending(rows, float(project.budget_total), project.currency, self.source))

    def progress(self) -> str:
        found = progress_data(self.dossier.session, self.dossier.project, None)
        rows = [cast(GroupRow, {**row, "group": self.dossier.labels[row["group"]]}) for row in found.rows]
        return drawn("progress", progress(found.number, rows, self.source))


def drawn(name: str, spec: Spec) -> str:
    return inline(render.svg(spec), f"{name}-", str(spec["description"]))


def curve_groups(dossier: Dossier) -> list[Group]:
    """The groups that get the most money; where fewer get any, those whose next sample gains the most per cost."""
    planned = {one.key: one for one in dossier.allocation.plan.groups}

    def rank(group: Group) -> tuple[float, float]:
        one = planned[group.key]
        return -one.cost, -(one.marginal_now or 0.0)

    return sorted(dossier.groups, key=rank)[:CURVES]
