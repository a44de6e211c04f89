"""The report's charts: drawn on the server, as parts of the page."""

from collections.abc import Mapping
from dataclasses import replace

from app.charts.inline import inline
from app.charts.theme import Spec
from app.drawing import apart
from app.services.exports import charts
from app.services.exports.charts import Asked
from app.services.exports.dossier import Dossier
from app.store.models.projects import Group

CURVES, COLUMNS = 6, 2
"""Groups whose curves are drawn, and how many beside each other: what a printed page holds legibly."""
MAKERS = {
    "standing": charts.make_standing,
    "margins": charts.make_margins,
    "curves": charts.make_curves,
    "utility": charts.make_utility,
    "targets": charts.make_targets,
    "scenarios": charts.make_scenarios,
    "spending": charts.make_spending,
    "progress": charts.make_progress,
}
"""By the report's names."""


def drawn(specs: Mapping[str, Spec]) -> dict[str, str]:
    """Charts by their names as markup: Vega escapes every text in it."""
    return {name: inline(apart.svg(spec), f"{name}-", str(spec["description"])) for name, spec in specs.items()}


def spec_of(name: str, asked: Asked) -> Spec:
    if name == "curves":
        shown = tuple(group.key for group in curve_groups(asked.dossier))
        asked = replace(asked, groups=shown, columns=COLUMNS)
    return MAKERS[name](asked)


def curve_groups(dossier: Dossier) -> list[Group]:
    """The groups that get the most money; where fewer get any, those whose next sample gains the most per cost."""
    planned = {one.key: one for one in dossier.allocation.plan.groups}

    def rank(group: Group) -> tuple[float, float]:
        one = planned[group.key]
        return -one.cost, -(one.marginal_now or 0.0)

    return sorted(dossier.groups, key=rank)[:CURVES]
