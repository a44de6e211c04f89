"""A project as it might be: rows that are changed for the sake of a question and never stored."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import TypeVar

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Fault, Invalid, escape, invalid, refuse
from app.planner.arrays import FloatArray
from app.planner.borrowing import fit_together
from app.planner.curves import AssumedCurve, Observations, Points, Posterior, stating
from app.planner.policies import PolicyName
from app.planner.problem import Problem
from app.services.curves.fit import metric_of
from app.services.curves.prior import prior_for
from app.services.ledger.holdings import Holdings
from app.services.planning.problem import Budget
from app.services.planning.situations import Situation, refuse_unknown_sources, round_budget
from app.services.projects.changes import Fields
from app.services.projects.groups import check_bounds, check_targets
from app.services.projects.references import named_faults
from app.services.projects.sources import terms_faults
from app.store.member_rows import GroupRow, SourceRow
from app.store.models.projects import Project
from app.store.projects import unstored

Row = TypeVar("Row", GroupRow, SourceRow)


@dataclass(frozen=True)
class Scenario:
    """What is to be different, None and empty being as it is. `project`: objective, set_limits and licence_rule.
    `groups`, `sources`: column values by key. `hold` fixes some orders; `orders` are a whole split typed in."""

    name: str
    budget: Decimal | None = None
    policy: PolicyName = "optimal"
    exploration: float | None = None
    project: Fields = field(default_factory=dict)
    groups: Mapping[str, Fields] = field(default_factory=dict)
    sources: Mapping[str, Fields] = field(default_factory=dict)
    hold: Mapping[str, int] = field(default_factory=dict)
    orders: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Varied:
    """A scenario with the situation and the problem that it makes."""

    scenario: Scenario
    situation: Situation
    budget: Budget
    problem: Problem


@dataclass(frozen=True)
class Imagined:
    """The project with a scenario's objective and limits, and what is wrong with the names in those."""

    project: Project
    faults: Sequence[Fault] = ()


def named_in(session: Session, project: Project, scenario: Scenario) -> Imagined:
    """What `vary` needs that is to be read."""
    if not scenario.project:
        return Imagined(project)
    varied = unstored(project, scenario.project)
    return Imagined(varied, named_faults(session, varied))


def vary(situation: Situation, named: Imagined, scenario: Scenario, at: str, draws: int, seed: int) -> Varied:
    """The situation as the scenario would have it; `at` is where it stands in the request. Raises Invalid."""
    check_split(situation, scenario, at)
    with below(at):
        project = named.project
        refuse(named.faults)
        groups = varied_groups(project, situation.groups, scenario.groups)
        sources = varied_members("source", situation.sources, scenario.sources, "/sources")
        check_terms(sources, scenario.sources)
        changed = replace(
            situation,
            project=project,
            groups=groups,
            sources=sources,
            fitted=replace(situation.fitted, posterior=varied_curves(situation, groups, scenario, draws, seed)),
            known=situation.known or all(group.assumed_curve for group in groups),
        )
        budget = scenario_budget(project, situation.holdings, scenario)
        return Varied(scenario, changed, budget, changed.problem(budget, scenario.hold))


@contextmanager
def below(at: str) -> Iterator[None]:
    """Faults inside point below `at`. Raises Invalid."""
    try:
        yield
    except Invalid as error:
        raise invalid(*(Fault(at + fault.pointer, fault.detail) for fault in error.faults)) from None


def scenario_budget(project: Project, holdings: Holdings, scenario: Scenario) -> Budget:
    """Money may be imagined beyond what the project has."""
    as_is = round_budget(project, holdings, None)
    return as_is if scenario.budget is None else Budget(scenario.budget, as_is.remaining)


def key_pointer(place: str, key: str) -> str:
    return f"{place}/{escape(key)}"


def check_split(situation: Situation, scenario: Scenario, at: str) -> None:
    """Raises Invalid for unknown sources, or orders beside what would choose them."""
    for name, keys in (("hold", scenario.hold), ("orders", scenario.orders or {})):
        refuse_unknown_sources(situation.sources, list(keys), partial(key_pointer, f"{at}/{name}"))
    if scenario.orders is not None and (scenario.hold or scenario.exploration or scenario.policy != "optimal"):
        detail = "these orders are the whole split; leave out policy, exploration and hold"
        raise invalid(Fault(f"{at}/orders", detail))


def varied_project(session: Session, project: Project, changes: Fields) -> Project:
    """The project with the changes, never stored. Raises Invalid."""
    if not changes:
        return project
    varied = unstored(project, changes)
    faults = named_faults(session, varied)
    refuse(faults)
    return varied


def varied_members(word: str, rows: Sequence[Row], changes: Mapping[str, Fields], place: str) -> list[Row]:
    """The rows of what is called `word`, those that `changes`, which stand at `place`, name as they say. Raises Invalid
    for unknown keys."""
    unknown = sorted(changes.keys() - {row.key for row in rows})
    if unknown:
        raise invalid(
            *(Fault(key_pointer(place, key), f"there is no {word} '{key}' in this project") for key in unknown)
        )
    return [unstored(row, changes[row.key]) if row.key in changes else row for row in rows]


def varied_groups(project: Project, rows: Sequence[GroupRow], changes: Mapping[str, Fields]) -> list[GroupRow]:
    """The groups with the changes, never stored. Raises Invalid."""
    groups = varied_members("group", rows, changes, "/groups")
    named = [group for group in groups if group.key in changes]
    check_targets(project, named, lambda key: f"/groups/{escape(key)}/target")
    check_bounds(named, lambda key: f"/groups/{escape(key)}/min_count")
    if not any(group.weight > 0 for group in groups):
        raise invalid(Fault("/groups", "every group has weight 0; give at least one a weight above 0"))
    return groups


def check_terms(sources: Sequence[SourceRow], changes: Mapping[str, Fields]) -> None:
    """Raises Invalid where a changed source's tiers or orders cannot be."""
    faults = [
        Fault(f"/sources/{escape(source.key)}/{name}", detail)
        for source in sources
        if source.key in changes
        for name, detail in terms_faults(source)
    ]
    refuse(faults)


def varied_curves(
    situation: Situation, groups: Sequence[GroupRow], scenario: Scenario, draws: int, seed: int
) -> Posterior:
    """The fitted curves, with those that the scenario states in their place."""
    posterior = situation.fitted.posterior
    places = [at for at, group in enumerate(groups) if "assumed_curve" in scenario.groups.get(group.key, {})]
    if not places:
        return posterior
    stated = [groups[at] for at in places]
    return stating(posterior, np.array(places, dtype=np.int64), stated_curves(situation.project, stated, draws, seed))


def stated_curves(project: Project, groups: Sequence[GroupRow], draws: int, seed: int) -> Posterior:
    """Draws of the groups' assumed curves, all alike."""
    nothing: FloatArray = np.zeros(0)
    span = metric_of(project).span
    observations = Observations(
        keys=tuple(group.key for group in groups),
        points=tuple(Points(nothing, nothing, nothing, np.zeros(0, dtype=np.int64)) for _ in groups),
        assumed=tuple(AssumedCurve(**(group.assumed_curve or {})) for group in groups),
        held=np.array([group.initial_count for group in groups], dtype=np.float64),
        span=span,
    )
    return fit_together(observations, prior_for(span), seed, draws)
