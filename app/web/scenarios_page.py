"""Scenarios side by side: other budgets, policies and objectives, and splits typed in."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query, Response

from app.api.exports.charts import source_of
from app.api.http.drawn import HEADERS, MEDIA_TYPES, Format, drawn
from app.api.planning.allocations import read_hold
from app.api.planning.scenarios import ScenarioOut, row_shape
from app.charts.theme import ThemeName, narrowed
from app.charts.words import percent
from app.errors import Fault, Invalid, refuse
from app.services.exports.charts import Asked, make_scenarios
from app.services.exports.dossier import Dossier
from app.services.planning.policies import CHOICES
from app.services.planning.variations import Scenario
from app.store.models.projects import Group, Project, Source
from app.store.projects import members
from app.web.plan_query import OWN, PlanQuery, objective_choices
from app.web.site.visit import Answer, Visit, pages, sees, tried

router = pages()

ROWS = 4
GROUPS = 50
LICENCE_RULES = [(OWN, "The project's"), ("none", "None")]
ORDER = re.compile(r"(.+?:\s*[0-9]+(?:\.0+)?)(?:[,;\s]+|$)", re.DOTALL)
Texts = Annotated[list[str] | None, Query(max_length=ROWS)]


@dataclass(frozen=True)
class Row:
    """A line of the form, as typed. orders: 'SOURCE:ORDER' parted by commas or blanks, empty for no split."""

    name: str = ""
    budget: str = ""
    policy: str = "optimal"
    objective: str = OWN
    orders: str = ""
    licence_rule: str = OWN

    @property
    def blank(self) -> bool:
        return self == Row()

    def scenario(self, project: Project, place: int) -> Scenario:
        """Raises Invalid."""
        query = PlanQuery(self.budget, self.policy, self.objective)
        question = query.question()
        parts = order_texts(self.orders)
        return Scenario(
            name=self.name[:200] or f"scenario {place + 1}",
            budget=question.budget,
            policy=question.policy,
            project=query.changes(project) | ({"licence_rule": None} if self.licence_rule == "none" else {}),
            orders=read_hold(parts) if parts else None,
        )


def order_texts(text: str) -> list[str]:
    """'north/1: 20, b 2:5' as its orders, each to its number; what is no order stays as it is, to be refused."""
    parts, rest = [], text.strip()
    while rest:
        found = ORDER.match(rest)
        parts.append(found[1] if found else rest)
        rest = rest[found.end() :] if found else ""
    return parts


def form_rows(
    name: Texts = None,
    budget: Texts = None,
    policy: Texts = None,
    objective: Texts = None,
    orders: Texts = None,
    licence_rule: Texts = None,
) -> list[Row]:
    given = zip_longest(*(one or [] for one in (name, budget, policy, objective, orders, licence_rule)), fillvalue="")
    rows = [Row(a.strip(), b.strip(), c or "optimal", d or OWN, e.strip(), f or OWN) for a, b, c, d, e, f in given]
    return [*rows, *(Row() for _ in range(ROWS - len(rows)))]


@router.get("/projects/{project_id}/scenarios")
def scenarios_page(
    project_id: str, visit: Annotated[Visit, sees("read")], rows: Annotated[list[Row], Depends(form_rows)]
) -> Answer:
    """The first row is what the others are compared with."""
    project = visit.project(project_id)
    outcomes, error = tried(lambda: dossier_of(visit, project, rows).outcomes)
    found = [row_shape(outcome, outcomes[0], True) for outcome in outcomes] if outcomes else []
    return visit.render("scenarios.html", error=error, **context_of(visit, project, rows, found))


@router.get("/projects/{project_id}/scenarios/chart.{format}")
def scenarios_picture(
    project_id: str,
    format: Format,
    visit: Annotated[Visit, sees("read")],
    rows: Annotated[list[Row], Depends(form_rows)],
    theme: ThemeName = "light",
    narrow: bool = False,
) -> Answer:
    """What the page's table says, drawn."""
    project = visit.project(project_id)
    made = make_scenarios(Asked(dossier_of(visit, project, rows), source_of(project), theme))
    spec = json.dumps(narrowed(made) if narrow else made, ensure_ascii=False, allow_nan=False).encode()
    return Response(drawn(visit.session, spec, format), headers=HEADERS, media_type=MEDIA_TYPES[format])


def dossier_of(visit: Visit, project: Project, rows: list[Row]) -> Dossier:
    """What the form's scenarios are answered from. Raises Invalid."""
    asked = read_rows(project, rows)
    return Dossier(visit.session, visit.runtime.fits, project, PlanQuery().question(), visit.now, asked)


def read_rows(project: Project, rows: list[Row]) -> list[Scenario]:
    """The rows that are filled in, or the plan as it is. Raises Invalid with the faults of all."""
    asked = [row for row in rows if not row.blank] or [Row(name="as planned")]
    faults: list[Fault] = []
    scenarios: list[Scenario] = []
    for place, row in enumerate(asked):
        try:
            scenarios.append(row.scenario(project, place))
        except Invalid as refused:
            faults += [Fault(f"/scenarios/{place}", fault.detail) for fault in refused.faults]
    refuse(faults)
    return scenarios


def address_of(rows: Sequence[Row]) -> str:
    """The rows that say something, as the form would send them."""
    return urlencode([pair for row in rows if not row.blank for pair in vars(row).items()])


def context_of(visit: Visit, project: Project, rows: list[Row], found: list[ScenarioOut]) -> dict[str, Any]:
    names = {group.key: group.name or group.key for group in members(visit.session, Group, project.id)}
    bought = {key: cell.add for one in found for key, cell in one.groups.items() if cell.add}
    shown = sorted(bought, key=lambda key: -max(one.groups[key].add if key in one.groups else 0 for one in found))
    return {
        "project": project,
        "rows": rows,
        "found": found,
        "names": names,
        "chart": f"/projects/{project.id}/scenarios/chart?{address_of(rows)}" if len(found) > 1 else None,
        "shown": shown[:GROUPS],
        "asked": visit.request.url.query,
        "left_out": max(0, len(shown) - GROUPS),
        "policies": CHOICES,
        "sources": members(visit.session, Source, project.id),
        "chance": percent,
        "objectives": objective_choices(project),
        "licence_rules": LICENCE_RULES,
    }
