"""The reverse question: what it takes that every group reaches its target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sqlalchemy.orm import Session

from app.errors import Fault, escape, invalid
from app.money import millionths
from app.planner.requirements import Requirements, requirements
from app.planner.wording import Warning
from app.services.computing import Work, computed
from app.services.curves.fits import Fits
from app.services.ledger.holdings import left_of
from app.services.ledger.payable import rounded
from app.services.planning.problem import Budget
from app.services.planning.situations import answer_key, feasibly, known_situation
from app.services.planning.variations import varied_members
from app.services.projects.groups import check_targets
from app.store.models.projects import Project

JOINT_TIMES = 20
"""About so often the draws are gone over where all groups are to reach their targets together."""


@dataclass(frozen=True)
class RequirementQuestion:
    """`targets` stand in for the groups' own, None taking one away; at `budgets` the chances are told too."""

    chance: float
    joint: bool
    draws: int
    seed: int
    targets: Mapping[str, float | None] = field(default_factory=dict)
    budgets: Sequence[Decimal] = ()


def requirements_of(
    session: Session, fits: Fits, project: Project, question: RequirementQuestion
) -> tuple[Requirements, tuple[Warning, ...]]:
    """Raises Invalid for unknown groups, targets the metric cannot take, or none at all; Conflict while nothing is
    known of the metric; Infeasible."""
    situation = known_situation(session, fits, project, question.draws, question.seed)
    changes = {key: {"target": target} for key, target in question.targets.items()}
    groups = varied_members("group", situation.groups, changes, "/targets")
    check_targets(project, [one for one in groups if one.key in changes], lambda key: f"/targets/{escape(key)}")
    if all(group.target is None for group in groups):
        raise invalid(Fault("/targets", "no group has a target; give the groups targets, or name some here"))
    situation = replace(situation, groups=groups)
    budget = Budget(project.budget_total, left_of(project, situation.holdings.money))
    budgets = [millionths(one) for one in question.budgets]

    def solve() -> Requirements:
        problem = situation.problem(budget)
        found = feasibly(project, lambda: requirements(problem, question.chance, question.joint, budgets))
        return to_pay(found, problem.payable)

    work = Work(situation.cells * (JOINT_TIMES if question.joint else 1), solve)
    found = computed(session, answer_key("requirements", project, vars(question)), work)
    return found, situation.fitted.posterior.warnings


def to_pay(found: Requirements, unit: int) -> Requirements:
    """With each order at what is to be paid for it; unit: the smallest amount that can be, in millionths."""
    sources = tuple(replace(one, cost=rounded(one.cost, unit)) for one in found.sources)
    return replace(found, sources=sources, spend=sum(one.cost for one in sources))
