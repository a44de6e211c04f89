"""The plan of a project on one screen: what to buy next and why, how sure that is, what was spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query

from app.api.planning.allocations import AllocationOut, allocation_json, allocation_shape
from app.api.planning.plans import GroupPlanOut, SourcePlanOut
from app.api.purchases.rounds import QueryIn
from app.charts.words import percent
from app.errors import Conflict, Fault, TrancheError, invalid
from app.money import payable
from app.report.words import purchase, worth
from app.services.ledger.holdings import left_of
from app.services.planning.looks import look_at
from app.services.planning.policies import CHOICES, PLAYERS
from app.services.projects import projects
from app.services.purchases import proposals
from app.store.ledger import money_of_project
from app.store.models.projects import Group, Project
from app.store.projects import members
from app.web.plan_query import OWN, PlanQuery, objective_choices, slider_step
from app.web.site.chips import licence_chips
from app.web.site.signing import screen_parts
from app.web.site.visit import Answer, Visit, acts, pages, sees, tried

router = pages()

PER_PAGE = 50
SIGNED = {"budget", "utility", "verdict", "groups", "sources", "stop", "warnings"}
"""What of an answer the screen is made of."""
CHIPS = 20
"""Sources that are named with their licences."""
CURVES = 12
"""Groups whose curves are drawn: those of the page that get the most."""


def plan_query(
    budget: Annotated[str, Query(max_length=50)] = "",
    policy: Annotated[str, Query(max_length=50)] = "optimal",
    objective: Annotated[str, Query(max_length=50)] = OWN,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> PlanQuery:
    return PlanQuery(budget.strip(), policy, objective, page)


@router.get("/projects/{project_id}")
def project_page(
    project_id: str,
    visit: Annotated[Visit, sees("read")],
    query: Annotated[PlanQuery, Depends(plan_query)],
    fragment: bool = False,
) -> Answer:
    return shown(visit, visit.project(project_id), query, fragment=fragment)


@router.post("/projects/{project_id}/propose")
def propose(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    """The plan that was looked at becomes a round. Where the data moved since, the new plan is shown instead."""
    project = visit.project(project_id)
    query = PlanQuery(visit.said("budget"), visit.said("policy") or "optimal", visit.said("objective") or OWN)
    try:
        with visit.trying():
            number = proposed(visit, project, query)
    except TrancheError as error:
        return shown(visit, project, query, error)
    return visit.redirect(f"/projects/{project.id}/rounds/{number}", f"Round {number} is proposed.")


def proposed(visit: Visit, project: Project, query: PlanQuery) -> int:
    """The number of the round proposed. Raises Conflict where the plan follows another objective."""
    question = query.question()
    if query.changes(project):
        raise Conflict("This plan follows another objective than the project's. Make it the project's objective first.")
    asked = QueryIn.model_validate({"budget": query.budget or None, "policy": question.policy})
    version, fits = version_of(visit.said("data_version")), visit.runtime.fits
    proposal = proposals.Proposal(None, version, question, asked.model_dump(mode="json"))
    row = proposals.propose(visit.session, fits, project, proposal, allocation_json, visit.caller, visit.now)
    return row.number


def version_of(text: str) -> int:
    """A data version. Raises Invalid."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise invalid(Fault("/data_version", "say which plan was looked at: the data version that the page shows"))
    return int(text)


@router.post("/projects/{project_id}/objective")
def choose_objective(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    query = PlanQuery(visit.said("budget"), visit.said("policy") or "optimal", visit.said("objective") or OWN)
    try:
        query.question()
        with visit.trying():
            projects.update_project(visit.session, project, query.changes(project), visit.now)
    except TrancheError as error:
        return shown(visit, project, query, error)
    return visit.redirect(f"/projects/{project.id}", "The objective is the project's now.")


@dataclass(frozen=True)
class Line:
    """A group's row, with its name and the warnings that concern it."""

    plan: GroupPlanOut
    name: str
    warnings: Sequence[Any]


def shown(
    visit: Visit, project: Project, query: PlanQuery, error: TrancheError | None = None, fragment: bool = False
) -> Answer:
    """The page, or its part that depends on the query; with what went wrong, and a plan where there is one."""
    plan, refused = tried(lambda: planned(visit, project, query))
    context = frame_of(visit, project, query, plan) | (plan_of(visit, project, plan, query) if plan else {})
    return visit.render("_plan.html" if fragment else "project.html", error=error or refused, plan=plan, **context)


def planned(visit: Visit, project: Project, query: PlanQuery) -> AllocationOut:
    question = query.question()
    varied, allocation = look_at(visit.session, visit.runtime.fits, project, query.changes(project), question)
    return allocation_shape(varied, question, allocation, only_bought=False)


def frame_of(visit: Visit, project: Project, query: PlanQuery, plan: AllocationOut | None) -> dict[str, Any]:
    """What the page shows whatever the plan."""
    money = money_of_project(visit.session, project.id)
    left = left_of(project, money)
    return {
        "project": project,
        "query": query,
        "money": money,
        "left": left,
        "step": slider_step(left),
        "budget": query.budget or (f"{payable(plan.budget.available, project.currency, down=True)}" if plan else ""),
        "policies": CHOICES,
        "objectives": objective_choices(project),
    }


def plan_of(visit: Visit, project: Project, plan: AllocationOut, query: PlanQuery) -> dict[str, Any]:
    groups = members(visit.session, Group, project.id)
    names = {group.key: group.name or group.key for group in groups}
    ranked = sorted(plan.groups, key=lambda one: (-one.cost, -one.add))
    bought = [one for one in ranked if one.add]
    begin = (query.page - 1) * PER_PAGE
    part = ranked[begin : begin + PER_PAGE]
    known = {one.group for one in part}
    answer = plan.model_dump(mode="json", include=SIGNED)
    return {
        "screen": screen_parts(visit, project, answer, left_of(project, money_of_project(visit.session, project.id))),
        "currency": project.currency,
        "lines": [Line(one, names.get(one.group, one.group), warnings_of(plan, one.group)) for one in part],
        "general": [one for one in plan.warnings if one.group not in known and (one.group is None or query.page == 1)],
        "names": names,
        "bought": bought,
        "awaited": any(one.pending for one in part),
        "last": -(-len(ranked) // PER_PAGE),
        "other_objective": bool(query.changes(project)),
        "drawings": f"/projects/{project.id}/charts",
        "drawn": "".join(f"{urlencode({'group': one.group})}&" for one in part[:CURVES]),
        "asked": urlencode(
            ({"budget": query.budget} if query.budget else {}) | {"policy": query.policy, "objective": query.objective}
        ),
        "part": urlencode(
            {
                "budget": f"{payable(plan.verdict.budget, project.currency, down=True)}",
                "policy": query.policy,
                "objective": query.objective,
            }
        )
        if plan.verdict and plan.verdict.budget is not None
        else "",
        "has_targets": any(group.target is not None for group in groups),
        "worth": [worth_words(project, one) for one in doubtful_sources(plan)[:PER_PAGE]],
        "finding": purchase([(names.get(one.group, one.group), one.add) for one in bought]),
        **rule_of(plan),
        **licences_of(visit, project, plan, query),
    }


def licences_of(visit: Visit, project: Project, plan: AllocationOut, query: PlanQuery) -> dict[str, Any]:
    """The sources that the plan orders from, those that the licence rule leaves out, their chips, and the address of
    the two scenarios that say what the rule costs."""
    ordered = sorted((one for one in plan.sources if one.order), key=lambda one: -one.cost)[:CHIPS]
    named = [*(one.source for one in ordered), *(one.source for one in plan.excluded[:CHIPS])]
    chips = licence_chips(visit.session, project, named)
    rows = [("with the licence rule", OWN), ("without it", "none")]
    asked = [("budget", query.budget), ("policy", query.policy), ("objective", query.objective), ("orders", "")]
    pairs = [pair for name, rule in rows for pair in [("name", name), *asked, ("licence_rule", rule)]]
    return {
        "ordered": [one for one in ordered if one.source in chips],
        "excluded": plan.excluded[:CHIPS],
        "chips": chips,
        "without_rule": f"/projects/{project.id}/scenarios?{urlencode(pairs)}",
    }


PILOT = 250
"""Samples of the pilot that is proposed for a source of which it is undecided whether it is worth its price."""


def doubtful_sources(plan: AllocationOut) -> list[SourcePlanOut]:
    """Those whose samples are not as good as clean ones for sure, the undecided first."""
    found = [one for one in plan.sources if (one.quality.p05, one.quality.p95) != (1.0, 1.0)]
    return sorted(found, key=lambda one: one.verdict != "undecided")


def worth_words(project: Project, one: SourcePlanOut) -> dict[str, str]:
    """What a source is worth, in words, and where a pilot of it is planned."""
    known = one.quality
    words = worth(known.mean, known.p05, known.p95, one.break_even, project.currency)
    pilot = urlencode({"pilot": f"{one.source}:{PILOT}"})
    return {
        "source": one.source,
        "verdict": one.verdict,
        "words": words,
        "pilot": f"/projects/{project.id}/measurement-plan?{pilot}" if one.verdict == "undecided" else "",
    }


def rule_of(plan: AllocationOut) -> dict[str, str]:
    """The best simple rule, by its name in sentences, and the chance to beat it."""
    if plan.utility is None:
        return {}
    rule = plan.utility.best_simple_rule
    return {"rule": PLAYERS[rule.policy].lower(), "better": percent(rule.gain.p_better)}


def warnings_of(plan: AllocationOut, key: str) -> list[Any]:
    return [one for one in plan.warnings if one.group == key]
