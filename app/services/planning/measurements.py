"""On which compositions of what is held to retrain next, and with which pilots of a source."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Fault, invalid
from app.planner.information import MeasurementPlan, measurement_plan, too_little_is_known, usual_plan
from app.planner.problem import Problem
from app.planner.quality import Pilot, plan_pilot
from app.services.computing import Work, computed
from app.services.curves.fits import Fits
from app.services.planning.situations import (
    Situation,
    answer_key,
    feasibly,
    refuse_unknown,
    refuse_unknown_sources,
    round_budget,
    situation_of,
)
from app.services.planning.verdicts import verdicts_of
from app.store.models.projects import Project

USUAL_RUNS = 3
"""So many runs with a pilot, unless said otherwise."""


@dataclass(frozen=True)
class PilotPlan:
    """Runs with a pilot of `count` samples of the source, `of_group` of them of the group. break_even: the quality at
    which it is worth its price. clean: samples by group that every run takes of the others."""

    source: str
    group: str
    count: int
    of_group: int
    break_even: float | None
    clean: Mapping[str, int]
    plan: Pilot


def pilot_of(
    session: Session, fits: Fits, project: Project, source: str, count: int, runs: int | None, draws: int, seed: int
) -> PilotPlan:
    """On which subsets of the clean samples to train with a pilot of the source, of the group that it delivers most of.
    Raises Invalid for a source that there is not, or of which `count` samples bring none; Conflict while nothing is
    known of the metric."""
    situation = situation_of(session, fits, project, draws, seed)
    refuse_unknown(situation)
    refuse_unknown_sources(situation.sources, [source], lambda _: "?pilot")
    budget = round_budget(project, situation.holdings, None)

    def plan() -> PilotPlan:
        return planned_pilot(situation, source, count, runs or USUAL_RUNS, situation.problem(budget), seed)

    key = answer_key("pilot", project, [source, count, runs, draws, seed])
    return computed(session, key, Work(situation.cells, plan))


def planned_pilot(situation: Situation, source: str, count: int, runs: int, problem: Problem, seed: int) -> PilotPlan:
    """Raises as `pilot_of`."""
    [row] = [one for one in situation.sources if one.key == source]
    offer = next(one for one in problem.sources if one.key == source)
    at, share = max(offer.yields, key=lambda one: (one[1], -one[0]))
    of_group = int(count * share * offer.acceptance_rate)
    if not of_group:
        raise invalid(Fault("?pilot", f"{count} samples of '{source}' bring none that is accepted; ask for more"))
    quality = situation.holdings.record(row).quality
    even = verdicts_of(problem, situation.sources, situation.holdings)[source].break_even
    break_even = quality.mean * offer.unit_cost / even.mean if even is not None and even.mean > 0.0 else None
    clean = {group.key: situation.holdings.clean(group) for group in situation.groups}
    key = problem.keys[at]
    curve = replace(problem.posterior, warnings=()).select(np.array([at]))
    plan = plan_pilot(curve, quality, clean[key], of_group, runs, break_even, seed)
    return PilotPlan(source, key, count, of_group, break_even, clean, plan)


def measurement_plan_of(
    session: Session, fits: Fits, project: Project, runs: int | None, draws: int, seed: int
) -> MeasurementPlan:
    """Up to `runs` next training runs, by default as many as are usual, judged at what the next round would buy. Raises
    Invalid and, where it is not by the usual runs, Infeasible, and Conflict while nothing is known of the metric."""
    situation = situation_of(session, fits, project, draws, seed)
    observations = situation.fitted.observations
    if too_little_is_known(observations):
        return usual_plan(observations, runs)
    refuse_unknown(situation)
    budget = round_budget(project, situation.holdings, None)

    def plan() -> MeasurementPlan:
        problem = situation.problem(budget)
        return feasibly(project, lambda: measurement_plan(problem, observations, runs, seed))

    key = answer_key("measurement-plan", project, [runs, draws, seed])
    return computed(session, key, Work(situation.cells * (runs or USUAL_RUNS), plan))
