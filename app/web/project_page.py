"""The plan of a project on one screen: what to buy next and why, how sure that is, what was spent."""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query
from pydantic import ValidationError

from app.api.planning.allocations import AllocationOut, allocation_json, allocation_shape
from app.api.planning.plans import SourcePlanOut
from app.api.purchases.rounds import QueryIn
from app.charts.words import percent
from app.errors import Conflict, Fault, TrancheError, invalid
from app.money import payable
from app.report.words import purchase, worth
from app.services.ledger.holdings import left_of
from app.services.planning.looks import last_plan, look_at, plan_mark
from app.services.planning.policies import CHOICES, PLAYERS
from app.services.purchases import proposals
from app.services.signing import Members, screen_of
from app.store.ledger import money_of_project
from app.store.models.projects import Project
from app.web.plan_query import OWN, PlanQuery, objective_choices, slider_step
from app.web.site.chips import licence_chips, source_names
from app.web.site.group_table import SHOWS, SORTS, check_view, group_table
from app.web.site.signing import words_in
from app.web.site.visit import Answer, Visit, acts, pages, sees, tried

router = pages()

MOST_WORTH = 50
"""Sources whose worth is told."""
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
    show: Annotated[str, Query(max_length=50)] = "all",
    sort: Annotated[str, Query(max_length=50)] = "cost",
    level: Annotated[str, Query(max_length=500)] = "",
) -> PlanQuery:
    return PlanQuery(budget.strip(), policy, objective, page, show, sort, level)


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
    asked = QueryIn.model_validate({"budget": query.plain_budget or None, "policy": question.policy})
    version, fits = version_of(visit.said("data_version")), visit.runtime.fits
    words = words_in(visit)
    proposal = proposals.Proposal(None, version, question, asked.model_dump(mode="json"), words.note, words.reference)
    row = proposals.propose(
        visit.session, fits, project, proposal, allocation_json, visit.caller, visit.now, visit.enqueue
    )
    return row.number


def version_of(text: str) -> int:
    """A data version. Raises Invalid."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise invalid(Fault("/data_version", "say which plan was looked at: the data version that the page shows"))
    return int(text)


def shown(
    visit: Visit, project: Project, query: PlanQuery, error: TrancheError | None = None, fragment: bool = False
) -> Answer:
    """The page, or its part that depends on the query; with what went wrong, and a plan where there is one."""
    kept = kept_plan(visit, project, query) if error is None else None
    plan, refused = (kept.answer, None) if kept else tried(lambda: planned(visit, project, query))
    context = frame_of(visit, project, query, plan) | (plan_of(visit, project, plan, query) if plan else {})
    context["renewing"] = plan_mark(visit.session, project) if kept and not kept.renewed else ""
    return visit.render("_plan.html" if fragment else "project.html", error=error or refused, plan=plan, **context)


@dataclass(frozen=True)
class KeptAnswer:
    """As services.planning.kept_plans.LastPlan."""

    answer: AllocationOut
    renewed: bool


def kept_plan(visit: Visit, project: Project, query: PlanQuery) -> KeptAnswer | None:
    """The plan that a job made, where it is the one that is asked for."""
    if query != PlanQuery(page=query.page):
        return None
    last = last_plan(visit.session, project)
    if last is None:
        return None
    try:
        return KeptAnswer(AllocationOut.model_validate(last.answer), last.renewed)
    except ValidationError:  # of another release
        return None


@router.get("/projects/{project_id}/progress")
def default_plan_mark(project_id: str, visit: Annotated[Visit, sees("read")]) -> Answer:
    """Whether the plan shown is being renewed, and of which data it is."""
    return visit.mark(plan_mark(visit.session, visit.project(project_id)))


def planned(visit: Visit, project: Project, query: PlanQuery) -> AllocationOut:
    question = query.question()
    check_view(query.show, query.sort)
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
    them = Members.of(visit.session, project)
    bought = sorted((one for one in plan.groups if one.add), key=lambda one: (-one.cost, -one.add))
    left = left_of(project, money_of_project(visit.session, project.id))
    screen = screen_of(project, plan.model_dump(mode="json", include=SIGNED), them, left)
    table = group_table(project, plan, them, screen, (query.show, query.sort, query.level), query.page)
    return {
        "screen": screen,
        "currency": project.currency,
        "table": table,
        "shows": SHOWS,
        "sorts": SORTS,
        "lines": table.lines,
        "bought": bought,
        "awaited": any(line.plan.pending for line in table.lines),
        "other_objective": query.changes(project).get("objective", {}),
        "drawings": f"/projects/{project.id}/charts",
        "curves": [(line.name, urlencode({"group": line.plan.group})) for line in table.lines[:CURVES]],
        "asked": urlencode(
            ({"budget": query.plain_budget} if query.budget else {})
            | {"policy": query.policy, "objective": query.objective}
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
        "has_targets": bool(them.targets),
        "worth": [worth_words(project, one) for one in doubtful_sources(plan)[:MOST_WORTH]],
        "finding": purchase([(them.group(one.group), one.add) for one in bought]),
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
        "called": source_names(visit.session, project, [*named, *(one.source for one in doubtful_sources(plan))]),
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
