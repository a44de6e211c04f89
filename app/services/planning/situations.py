"""Where a project stands: all that a question about buying starts from."""

import json
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, Infeasible, invalid, refuse
from app.money import amount, minor_unit, payable, told
from app.planner.arrays import FloatArray
from app.planner.errors import LICENCE, Constraint, Culprit, InfeasibleError, SolverError
from app.planner.holdouts import optimism_of
from app.planner.problem import Problem
from app.services.curves.fit import fitted, metric_of
from app.services.curves.fits import Fits, Fitted
from app.services.forecasts.due import awaited, record_now
from app.services.ledger.holdings import Holdings, holdings_of, left_of
from app.services.planning.problem import Budget, problem_of
from app.store.member_rows import AnySource, GroupRow, SourceRow, group_rows, source_rows
from app.store.models.projects import Project
from app.store.observations import compared_on_holdouts, has_runs

Planned = TypeVar("Planned")
FAR_APART = "Its numbers lie too far apart to be planned with certainty. State prices, counts or limits in other units."
NO_HOLD: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Situation:
    """A project with its active groups and sources and the curves of the groups, in their order.

    `known` is False where nothing at all is known of the metric. `fitted`: with the gains that the record of past
    forecasts bears out. `widening`: the factors by which it widens bands. `holdings`: what was bought so far.
    `compared`: by a holdout's number in `fitted` how many candidates were held against each other on it, if several.
    """

    project: Project
    groups: Sequence[GroupRow]
    sources: Sequence[SourceRow]
    fitted: Fitted
    known: bool
    widening: FloatArray
    holdings: Holdings
    draws: int
    compared: Mapping[int, int] = field(default_factory=dict)

    @property
    def cells(self) -> int:
        """Groups × draws, which every answer goes over at least once."""
        return len(self.groups) * self.draws

    def problem(self, budget: Budget, hold: Mapping[str, int] = NO_HOLD) -> Problem:
        """What to buy for `budget`; `hold` fixes the orders of the named sources. Raises Invalid."""
        posterior = self.fitted.posterior
        problem = problem_of(self.project, self.groups, self.sources, self.holdings, posterior, budget, hold)
        optimism = optimism_of(self.fitted.observations, self.compared) if self.compared else None
        return replace(problem, widening=float(self.widening[-1]), optimism=optimism)


def situation_of(session: Session, fits: Fits, project: Project, draws: int, seed: int) -> Situation:
    """Raises Invalid for a project without groups."""
    groups = group_rows(session, project.id)
    if not groups:
        raise invalid(Fault("/groups", "the project has no groups yet; add them first"))
    known = (
        metric_of(project).span is not None
        or all(group.assumed_curve for group in groups)
        or has_runs(session, project.id, project.recipe)
    )
    sources = source_rows(session, project.id)
    learnt = fitted(session, fits, project, groups, draws, seed)
    record = record_now(session, fits, project)
    compared = compared_on_holdouts(session, project.id).items()
    return Situation(
        project=project,
        groups=groups,
        sources=sources,
        fitted=replace(learnt, posterior=record.curves(learnt)),
        known=known,
        widening=record.widening,
        holdings=holdings_of(session, project, sources, learnt.learnt),
        draws=draws,
        compared={learnt.holdouts[name]: count for name, count in compared if name in learnt.holdouts},
    )


def answer_key(kind: str, project: Project, question: Any) -> Hashable:
    """All that an answer depends on: the data version stands for the data, and for the forecasts made unless many are
    due; the objective may be another one that is only looked at. question: what JSON can say, or is told apart by its
    text."""
    asked = json.dumps([question, project.objective, project.stakeholders], sort_keys=True, default=str)
    return kind, project.id, project.data_version, awaited(project), asked


def known_situation(session: Session, fits: Fits, project: Project, draws: int, seed: int) -> Situation:
    """As `situation_of`. Raises Conflict where nothing at all is known of the metric."""
    situation = situation_of(session, fits, project, draws, seed)
    refuse_unknown(situation)
    return situation


def refuse_unknown(situation: Situation) -> None:
    """Raises Conflict where nothing at all is known of the metric."""
    if not situation.known:
        raise Conflict(
            "Nothing is known of the metric yet. Post one evaluated run, or give every group a curve to assume."
        )


def round_budget(project: Project, holdings: Holdings, asked: Decimal | None, pointer: str = "?budget") -> Budget:
    """What is neither spent nor committed, shared by the rounds to come, the last one taking the rest; `asked`, which
    stands at `pointer`, overrides the share, up to the whole. Raises Invalid beyond that."""
    left = left_of(project, holdings.money)
    if asked is None:
        rounds = max(1, project.budget_rounds - holdings.rounds)
        return Budget(payable(left / rounds, project.currency, down=True), left)
    if asked > left:
        raise invalid(Fault(pointer, f"{asked} is more than the {left} that the project has left"))
    return Budget(asked, left)


def refuse_unknown_sources(sources: Sequence[AnySource], keys: Sequence[str], where: Callable[[str], str]) -> None:
    """Raises Invalid for keys that are no active source's; `where` points from a key into the request."""
    known = {source.key for source in sources}
    faults = [Fault(where(key), f"there is no source '{key}' in this project") for key in keys if key not in known]
    refuse(faults)


def feasibly(project: Project, plan: Callable[[], Planned]) -> Planned:
    """`plan()`. Raises Infeasible with all the culprits where no plan keeps all constraints, Conflict where the numbers
    are beyond what can be computed."""
    try:
        return plan()
    except SolverError:
        raise Conflict(FAR_APART) from None
    except InfeasibleError as error:
        faults = culprit_faults(project, error.culprits)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise Infeasible(f"{faults[0].pointer}: {faults[0].detail}{more}", faults) from None


def culprit_faults(project: Project, culprits: Sequence[Culprit]) -> tuple[Fault, ...]:
    """Each culprit with the field that it is, what there is, what is needed and the least change."""
    return tuple(Fault(bound_pointer(project, one.constraint), detail_of(project, one)) for one in culprits)


def detail_of(project: Project, culprit: Culprit) -> str:
    """The least change, with both sides of what is a number."""
    return culprit.change if culprit.constraint == LICENCE else f"{culprit.change} ({words_of(project, culprit)})"


def bound_pointer(project: Project, constraint: Constraint) -> str:
    """Where the project says it: a group's min_count at '/groups/KEY/min_count'."""
    if constraint.kind == "budget":
        return "/budget"
    if constraint == LICENCE:
        return "/licence_rule"
    if constraint.kind == "set":
        names = [limit["name"] for limit in project.set_limits]
        return f"/set_limits/{names.index(constraint.key)}"
    return f"/{constraint.kind}s/{constraint.key}/{constraint.field}"


def words_of(project: Project, culprit: Culprit) -> str:
    """Both sides of the constraint, the needed one rounded so that it still makes room."""
    measure = measure_of(project, culprit.constraint)
    if measure == "cost":
        unit = minor_unit(project.currency)
        need = amount(math.ceil(culprit.need / unit - 1e-9) * unit)
        return f"have {told(amount(round(culprit.have)), project.currency)}, need {told(need, project.currency)}"
    if measure == "share":
        return f"have {culprit.have:.6g}, need {culprit.need:.6g}"
    outward = math.floor if culprit.need < culprit.have else math.ceil
    return f"have {culprit.have:,.0f}, need {outward(culprit.need):,}"


def measure_of(project: Project, constraint: Constraint) -> str:
    """'cost' in millionths, 'share', or 'count'."""
    if constraint.kind != "set":
        return "cost" if constraint.kind == "budget" else "count"
    measures = {limit["name"]: str(limit["measure"]) for limit in project.set_limits}
    return measures[constraint.key].rpartition("_")[2]
