"""Every chart of a project by its name, from what was asked to its specification."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from app.charts.budget import targets_chart, utility_chart
from app.charts.curves import COLUMNS, curve_chart, curves_chart
from app.charts.margins import margins_chart
from app.charts.money import RoundMoney, spending
from app.charts.progress import GroupRow, progress
from app.charts.scenarios import scenarios_chart
from app.charts.standing import standing_chart
from app.charts.theme import Spec, ThemeName
from app.errors import Fault, NotFound, invalid
from app.money import amount
from app.services.exports.curve_panels import CurveView, curve_panels
from app.services.exports.dossier import Dossier
from app.services.exports.round_charts import progress_data, spending_data
from app.services.planning.allocations import Allocation
from app.services.planning.scenarios import ScenarioResult
from app.services.projects.changes import get_member
from app.services.purchases.rounds import get_round
from app.store.models.projects import Group
from app.store.projects import members

MOST_KINDS = 6
"""Levels of an attribute by which the groups that are not shown are put together."""
MOST_CURVES = 20
"""Small multiples in one chart, and curves behind another."""


@dataclass(frozen=True)
class Asked:
    """What a chart is made from. `source`: where its numbers come from, as it says itself. `groups`: keys of those that
    are shown, none for all. `round`: None for the newest accepted one. `columns`: of small multiples."""

    dossier: Dossier
    source: str
    theme: ThemeName = "light"
    groups: tuple[str, ...] = ()
    round: int | None = None
    columns: int = COLUMNS

    @property
    def currency(self) -> str:
        return self.dossier.project.currency

    def shows(self, group: str) -> bool:
        return not self.groups or group in self.groups


def make_curve(asked: Asked) -> Spec:
    """The curve of the first group named, the others' behind it. Raises Invalid where none is named."""
    if not asked.groups:
        raise invalid(Fault("?group", "name the group whose curve is to be drawn; those named after it stand behind"))
    return curve_chart(panels_of(asked)[0], asked.source, asked.theme)


def make_curves(asked: Asked) -> Spec:
    """Small multiples of the groups named, or of the project's first."""
    return curves_chart(panels_of(asked), asked.source, asked.columns, asked.theme)


def panels_of(asked: Asked) -> list[Mapping[str, object]]:
    shown, dossier = groups_of(asked), asked.dossier
    plans = {group.key: group for group in dossier.allocation.plan.groups}
    view = CurveView(shown, plans, dossier.question.draws, dossier.question.seed)
    return [*curve_panels(dossier.session, dossier.fits, dossier.project, view)]


def groups_of(asked: Asked) -> list[Group]:
    """The groups named, each once, in the order named. Raises NotFound, and Invalid for too many."""
    session, project = asked.dossier.session, asked.dossier.project
    keys = list(dict.fromkeys(asked.groups))
    if len(keys) > MOST_CURVES:
        raise invalid(Fault("?group", f"{len(keys)} groups are named; name at most {MOST_CURVES}"))
    if keys:
        return [get_member(session, project, Group, key) for key in keys]
    return list(members(session, Group, project.id, limit=MOST_CURVES))


def make_margins(asked: Asked) -> Spec:
    rows = margin_rows(asked.dossier.allocation, asked.dossier.labels)
    shown = [row for row in rows if asked.shows(row["group"])]
    return margins_chart(shown, asked.currency, asked.source, asked.theme)


def margin_rows(allocation: Allocation, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The groups' marginal utilities per cost; `names` by key."""
    known = allocation.known
    return [
        {
            "group": group.key,
            "name": names.get(group.key, group.key),
            "now": group.marginal_now if known else None,
            "after": group.marginal_after if known else None,
            "add": group.add,
        }
        for group in allocation.plan.groups
    ]


def scenario_rows(outcomes: Sequence[ScenarioResult]) -> list[dict[str, Any]]:
    return [
        {
            "name": outcome.scenario.name,
            "spend": None if outcome.plan is None else float(amount(outcome.plan.spend)),
            "gain": None if outcome.gain is None else vars(outcome.gain),
        }
        for outcome in outcomes
    ]


def make_utility(asked: Asked) -> Spec:
    found = asked.dossier.budgets
    return utility_chart(found.rows, found.chosen, asked.currency, asked.source, asked.theme)


def make_targets(asked: Asked) -> Spec:
    found = asked.dossier.budgets
    return targets_chart(found.rows, found.chosen, asked.currency, asked.source, asked.theme)


def make_standing(asked: Asked) -> Spec:
    """Of the plan asked for, or of the allocation that the round named keeps."""
    dossier = asked.dossier
    project, targets = dossier.project, {group.key: group.target for group in dossier.groups}
    if asked.round is None:
        plan = dossier.allocation.plan if dossier.allocation.known else None
        groups = (
            []
            if plan is None
            else [standing_row(vars(one.metric_now), vars(one.metric_after), one.key, one.add) for one in plan.groups]
        )
    else:
        kept = get_round(dossier.session, project, asked.round).allocation["groups"]
        groups = [
            standing_row(one["metric_now"], one["metric_after"], one["group"], one["add"])
            for one in kept
            if one["metric_now"]
        ]
    kinds = kinds_of(dossier.groups)
    rows = [
        {**row, "name": dossier.labels.get(key, key), "target": targets.get(key), "kind": kinds.get(key)}
        for row in groups
        if asked.shows(key := row["name"])
    ]
    share = (project.metric_lower, project.metric_upper) == (0.0, 1.0)
    return standing_chart(rows, project.metric_name, project.metric_goal, share, asked.source, asked.theme)


def kinds_of(groups: Sequence[Group]) -> dict[str, str]:
    """By group, its level of the first attribute that puts all groups together in a few; none where none does."""
    told = [group.attributes or {} for group in groups]
    for name in sorted({name for one in told for name in one}):
        levels = {str(one[name]) if name in one else "" for one in told}
        if 1 < len(levels) <= MOST_KINDS and "" not in levels:
            return {group.key: str(one[name]) for group, one in zip(groups, told, strict=True)}
    return {}


def standing_row(now: Mapping[str, Any], after: Mapping[str, Any], key: str, add: int) -> dict[str, Any]:
    return {
        "name": key,
        "now": now["mean"],
        "after": after["mean"],
        "p05": after["p05"],
        "p95": after["p95"],
        "add": add,
    }


def make_progress(asked: Asked) -> Spec:
    """Of the round asked for, or of the newest accepted one."""
    dossier = asked.dossier
    found = progress_data(dossier.session, dossier.project, asked.round)
    rows = [
        cast(GroupRow, {**row, "group": dossier.labels[row["group"]]})
        for row in found.rows
        if asked.shows(row["group"])
    ]
    return progress(found.number, rows, asked.source, asked.theme)


def make_spending(asked: Asked) -> Spec:
    project = asked.dossier.project
    rows = [cast(RoundMoney, row) for row in spending_data(asked.dossier.session, project)]
    return spending(rows, float(project.budget_total), asked.currency, asked.source, asked.theme)


def make_scenarios(asked: Asked) -> Spec:
    return scenarios_chart(scenario_rows(asked.dossier.outcomes), asked.currency, asked.source, asked.theme)


@dataclass(frozen=True)
class Chart:
    """follows_version: nothing but the data version, what is asked and the software changes it."""

    make: Callable[[Asked], Spec]
    follows_version: bool = True


CHARTS: Mapping[str, Chart] = MappingProxyType(
    {
        "curve": Chart(make_curve),
        "curves": Chart(make_curves),
        "marginal-utility": Chart(make_margins),
        "budget-utility": Chart(make_utility),
        "budget-targets": Chart(make_targets),
        "progress": Chart(make_progress, follows_version=False),
        "spending": Chart(make_spending, follows_version=False),
        "standing": Chart(make_standing, follows_version=False),
    }
)
"""Those that a project, a question and a name are enough for."""


def chart_named(name: str) -> Chart:
    """Raises NotFound."""
    if name not in CHARTS:
        raise NotFound(f"There is no chart '{name[:100]}'. There are: {', '.join(sorted(CHARTS))}.")
    return CHARTS[name]
