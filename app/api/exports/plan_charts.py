"""Charts of the plan, from what was asked to their specifications."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from app.charts.budget import targets_chart, utility_chart
from app.charts.curves import curve_chart, curves_chart
from app.charts.margins import margins_chart
from app.charts.theme import Spec, ThemeName
from app.errors import Fault, invalid
from app.services.curves.fits import Fits
from app.services.exports.charts import CurveView, curve_panels, margin_rows
from app.services.planning.allocations import AllocationQuestion
from app.services.planning.looks import kept_allocation, kept_budget_rows
from app.services.projects.changes import get_member
from app.store.db import Session
from app.store.models.projects import Group, Project
from app.store.projects import members

MOST_CURVES = 20
"""Small multiples in one chart, and curves behind another."""


class ChartQuery(Protocol):
    """groups: keys, none for all."""

    @property
    def theme(self) -> ThemeName: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def question(self) -> AllocationQuestion: ...


class Asked(Protocol):
    """What a chart is made from; `source` says where its numbers come from."""

    @property
    def session(self) -> Session: ...
    @property
    def fits(self) -> Fits: ...
    @property
    def project(self) -> Project: ...
    @property
    def query(self) -> ChartQuery: ...
    @property
    def source(self) -> str: ...


def make_curve(asked: Asked) -> Spec:
    """The curve of the first group named, the others' behind it. Raises Invalid where none is named."""
    if not asked.query.groups:
        raise invalid(Fault("?group", "name the group whose curve is to be drawn; those named after it stand behind"))
    return curve_chart(panels_of(asked)[0], asked.source, asked.query.theme)


def make_curves(asked: Asked) -> Spec:
    """Small multiples of the groups named, or of the project's first."""
    return curves_chart(panels_of(asked), asked.source, theme=asked.query.theme)


def panels_of(asked: Asked) -> list[Mapping[str, object]]:
    shown = groups_of(asked)
    question = asked.query.question
    allocation = kept_allocation(asked.session, asked.fits, asked.project, question)
    after = {group.key: group.count + group.add for group in allocation.plan.groups if group.add}
    view = CurveView(shown, after, question.draws, question.seed)
    return [*curve_panels(asked.session, asked.fits, asked.project, view)]


def groups_of(asked: Asked) -> list[Group]:
    """The groups named, each once, in the order named. Raises NotFound, and Invalid for too many."""
    keys = list(dict.fromkeys(asked.query.groups))
    if len(keys) > MOST_CURVES:
        raise invalid(Fault("?group", f"{len(keys)} groups are named; name at most {MOST_CURVES}"))
    if keys:
        return [get_member(asked.session, asked.project, Group, key) for key in keys]
    return list(members(asked.session, Group, asked.project.id, limit=MOST_CURVES))


def make_margins(asked: Asked) -> Spec:
    allocation = kept_allocation(asked.session, asked.fits, asked.project, asked.query.question)
    groups = members(asked.session, Group, asked.project.id)
    only = asked.query.groups
    names = distinct_names(groups)
    rows = [row for row in margin_rows(allocation, names) if not only or row["group"] in only]
    return margins_chart(rows, asked.project.currency, asked.source, asked.query.theme)


def distinct_names(groups: Sequence[Group]) -> dict[str, str]:
    """Key → what the chart calls the group; where several have one name, with the key."""
    shared = Counter(group.name or group.key for group in groups)
    names = {group.key: group.name or group.key for group in groups}
    return {key: f"{name} ({key})" if shared[name] > 1 else name for key, name in names.items()}


def make_utility(asked: Asked) -> Spec:
    found = kept_budget_rows(asked.session, asked.fits, asked.project, asked.query.question)
    return utility_chart(found.rows, found.chosen, asked.project.currency, asked.source, asked.query.theme)


def make_targets(asked: Asked) -> Spec:
    found = kept_budget_rows(asked.session, asked.fits, asked.project, asked.query.question)
    return targets_chart(found.rows, found.chosen, asked.project.currency, asked.source, asked.query.theme)


PLAN_CHARTS: Mapping[str, Callable[[Asked], Spec]] = MappingProxyType(
    {
        "curve": make_curve,
        "curves": make_curves,
        "marginal-utility": make_margins,
        "budget-utility": make_utility,
        "budget-targets": make_targets,
    }
)
"""By name, each as its data version and question make it."""
