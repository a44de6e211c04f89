"""What if: a project as it is and as it might be, planned side by side on the same draws."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.errors import Fault, Invalid, refuse
from app.planner.errors import InfeasibleError, SolverError
from app.planner.plan import Gain, Plan, UtilityMeasure, evaluate, gain_of, make_plan
from app.planner.problem import Problem
from app.services.computing import Work, computed
from app.services.curves.fits import Fits
from app.services.ledger.payable import payably
from app.services.planning.allocations import widened
from app.services.planning.problem import Budget
from app.services.planning.situations import FAR_APART, answer_key, culprit_faults, situation_of
from app.services.planning.variations import Scenario, Varied, named_in, vary
from app.services.projects.changes import MAX_FAULTS
from app.store.models.projects import Project


@dataclass(frozen=True)
class ScenarioResult:
    """A scenario's plan, or the culprits that leave it none. `gain` over the first scenario by the first's objective,
    None where either has no plan or nothing is known of the metric."""

    scenario: Scenario
    budget: Budget
    known: bool
    plan: Plan | None
    culprits: tuple[Fault, ...]
    gain: Gain | None


def what_if(
    session: Session, fits: Fits, project: Project, scenarios: Sequence[Scenario], draws: int, seed: int
) -> Sequence[ScenarioResult]:
    """The outcome of every scenario. Raises Invalid naming every fault of every scenario."""
    key = answer_key("compared", project, [*map(vars, scenarios), draws, seed])
    return computed(session, key, comparing(session, fits, project, scenarios, draws, seed))


def comparing(
    session: Session, fits: Fits, project: Project, scenarios: Sequence[Scenario], draws: int, seed: int
) -> Work[Sequence[ScenarioResult]]:
    """What `what_if` takes to compute; the faults of scenarios are found there."""
    situation = situation_of(session, fits, project, draws, seed)
    named = [named_in(session, project, scenario) for scenario in scenarios]

    def imagined(index: int) -> Varied:
        return vary(situation, named[index], scenarios[index], f"/scenarios/{index}", draws, seed)

    def compare() -> Sequence[ScenarioResult]:
        refuse(faults_of(imagined, len(scenarios))[:MAX_FAULTS])
        return outcomes_of(map(imagined, range(len(scenarios))), seed)

    return Work(situation.cells * len(scenarios), compare)


def faults_of(imagined: Callable[[int], Varied], count: int) -> list[Fault]:
    """All that is wrong with any of so many scenarios."""
    faults: list[Fault] = []
    for index in range(count):
        try:
            imagined(index)
        except Invalid as error:
            faults.extend(error.faults)
    return faults


def outcomes_of(varied: Iterator[Varied], seed: int) -> list[ScenarioResult]:
    """The outcomes with their gains over the first. One problem at a time, as each keeps what its plan asked of the
    draws."""
    outcomes: list[ScenarioResult] = []
    measure = base = None
    for one in varied:
        outcome = outcome_of(one, seed)
        if outcome.plan is not None:
            if not outcomes and outcome.known:
                measure = UtilityMeasure.of(one.problem)
                base = measure.outlook(one.problem, orders_of(outcome.plan))
            if measure is not None and base is not None:
                gain = gain_of(measure.outlook(one.problem, orders_of(outcome.plan)), base)
                outcome = replace(outcome, gain=gain)
        outcomes.append(outcome)
    return outcomes


def outcome_of(one: Varied, seed: int) -> ScenarioResult:
    """Its gain over the first is left open."""
    scenario, situation = one.scenario, one.situation
    try:
        plan = payably(one.problem, lambda problem: planned(problem, one, seed))
    except InfeasibleError as error:
        culprits = culprit_faults(situation.project, error.culprits)
        return ScenarioResult(scenario, one.budget, situation.known, None, culprits, None)
    except SolverError:
        return ScenarioResult(scenario, one.budget, situation.known, None, (Fault("", FAR_APART),), None)
    plan = widened(plan, one.problem.metric, situation.widening)
    return ScenarioResult(scenario, one.budget, situation.known, plan, (), None)


def planned(problem: Problem, one: Varied, seed: int) -> Plan:
    scenario = one.scenario
    if scenario.orders is not None:
        return evaluate(problem, scenario.orders)
    if not one.situation.known:
        return make_plan(problem, "equal_spend")
    return make_plan(problem, scenario.policy, exploration=scenario.exploration, seed=seed)


def orders_of(plan: Plan) -> dict[str, int]:
    return {source.key: source.order for source in plan.sources}
