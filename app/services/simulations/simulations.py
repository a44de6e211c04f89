"""Simulations: policies compared on a project's own posterior before any money is spent.

A job freezes what the games are played on, cuts them into parts, and hands each to a job of its own; each that ends
puts what was played together, the last one all. Every step may run again: a part has one outcome, whoever brings it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Fault, NotFound, TooManyComputations, invalid
from app.money import MILLION, amount
from app.planner.errors import InfeasibleError, SolverError
from app.planner.policies import PolicyName
from app.planner.simulation import (
    ORACLE,
    Estimate,
    GameResult,
    Player,
    Rules,
    Standing,
    Trial,
    chance_better,
    holdout_errors,
    joined,
    play_part,
    standings,
    unplayed,
)
from app.services.computing import give_back
from app.services.curves.fits import Fits
from app.services.curves.prior import prior_for
from app.services.enqueue import Enqueue
from app.services.forecasts.curves import finite
from app.services.ids import as_uuid, new_id
from app.services.jobs import jobs
from app.services.jobs.jobs import start_job
from app.services.ledger.holdings import left_of
from app.services.planning.situations import FAR_APART, known_situation
from app.services.planning.variations import Scenario, named_in, vary
from app.services.simulations.frozen import freeze_outcomes, thaw_outcomes
from app.store import jobs as job_store
from app.store import simulations as store
from app.store.access import wait_for_lock
from app.store.models.jobs import Job
from app.store.models.projects import Group, Project
from app.store.models.simulations import Simulation, SimulationPart
from app.store.projects import members, present_project
from app.store.reading import find

SIMULATE, PART = "simulate", "simulate_part"
PARTS = 16
"""Games are cut into at most so many parts: enough to spread, few enough to fit many curves at once."""
FIRST_GAMES = 10
"""After so many there is a first result. Where parts are larger, two of half of it go before."""
MAX_ATTEMPTS = 5
MAX_WORK = 4_000_000
"""Games × players × rounds × groups of one simulation: half an hour of two cores."""
LEAST_DRAWS = 50
TOO_MANY = "the simulation ended {} workers in a row; ask for fewer games, policies or rounds"

Told = Callable[[float], None]


@dataclass(frozen=True)
class SimulationQuestion:
    """`chosen` is compared with the other `policies`. budget: for all rounds, None: what the project has left; rounds,
    None: those it has left. draws: of the posteriors that policies fit within a game. objective: None: the project's.
    """

    policies: Sequence[PolicyName]
    chosen: PolicyName
    replicates: int
    rounds: int | None
    budget: Decimal | None
    draws: int
    seed: int
    objective: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "budget": None if self.budget is None else str(self.budget)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "SimulationQuestion":
        budget = stored["budget"]
        return cls(**{**stored, "budget": None if budget is None else Decimal(budget)})


def start_simulation(
    session: Session, project: Project, question: SimulationQuestion, most: int, now: datetime, enqueue: Enqueue
) -> tuple[Simulation, Job]:
    """Raises Invalid for a project without groups and for more work than one simulation may be, TooManyComputations
    while `most` of the workspace wait or run."""
    groups = len(members(session, Group, project.id))
    if not groups:
        raise invalid(Fault("/groups", "the project has no groups yet; add them first"))
    rounds = question.rounds or project.budget_rounds
    work = question.replicates * (len(question.policies) + 1) * rounds * groups
    if work > MAX_WORK:
        said = f"{question.replicates} games × {len(question.policies)} policies × {rounds} rounds × {groups} groups"
        most = question.replicates * MAX_WORK // work
        raise invalid(Fault("/replicates", f"{said} are too many for one simulation; ask for at most {most} games"))
    refuse_many(session, project.workspace_id, most)
    simulation_id = new_id()
    args = {"simulation_id": str(simulation_id)}
    job = start_job(session, project.workspace_id, project.id, SIMULATE, args, now, enqueue)
    row = Simulation(
        id=simulation_id,
        project_id=project.id,
        job_id=job.id,
        question=question.to_json(),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row, job


def refuse_many(session: Session, workspace_id: UUID, most: int) -> None:
    """Raises TooManyComputations while as many of the workspace wait or run."""
    wait_for_lock(session, json.dumps(["simulations", str(workspace_id)]))
    under_way = job_store.count_under_way(session, workspace_id, SIMULATE)
    if under_way >= most:
        raise TooManyComputations(
            f"{under_way} simulations of this workspace wait or run, and at most {most} may. Wait for one to end, or"
            " cancel its job.",
            headers={"Retry-After": "60"},
        )


def get_simulation(session: Session, project: Project, simulation_id: str) -> tuple[Simulation, Job]:
    """Raises NotFound."""
    row = find(session, Simulation, project_id=project.id, id=as_uuid(simulation_id))
    job = job_store.job_by_id(session, row.job_id) if row is not None else None
    if row is None or job is None:
        raise NotFound("There is no such simulation in this project.")
    return row, job


def trial_now(session: Session, fits: Fits, simulation_id: UUID) -> tuple[Trial, int]:
    """What the games are played on as the project is now, and its data version. Raises NotFound for an archived
    project, and as `trial_of`."""
    row = session.get(Simulation, simulation_id)
    project = present_project(session, row.project_id) if row is not None else None
    if row is None or project is None:
        raise NotFound("The project is archived.")
    return trial_of(session, fits, project, SimulationQuestion.from_json(row.question)), project.data_version


def trial_of(session: Session, fits: Fits, project: Project, question: SimulationQuestion) -> Trial:
    """What the games are played on. Raises Conflict where nothing is known of the metric, Invalid."""
    draws = max(question.replicates, LEAST_DRAWS)
    situation = known_situation(session, fits, project, draws, question.seed)
    budget = left_of(project, situation.holdings.money) if question.budget is None else question.budget
    changes: dict[str, Any] = {} if question.objective is None else {"objective": dict(question.objective)}
    scenario = Scenario("simulation", budget, project=changes)
    named = named_in(session, project, scenario)
    give_back(session)
    varied = vary(situation, named, scenario, "", draws, question.seed)
    rounds = question.rounds or max(1, project.budget_rounds - situation.holdings.rounds)
    problem = varied.problem
    prior = prior_for(problem.metric.span)
    rules = Rules(unplayed(problem, prior), rounds, prior, draws=question.draws)
    truths = problem.posterior
    start = problem.held if problem.pending is None else problem.held + problem.pending
    return Trial(rules, truths, start, holdout_errors(situation.fitted.observations), question.seed)


def prepare(session: Session, simulation_id: UUID, frozen: bytes, data_version: int, enqueue: Enqueue) -> None:
    """Keep the frozen trial and enqueue its parts, unless that is done."""
    row = find(session, Simulation, lock=True, id=simulation_id)
    if row is None or row.frozen is not None:
        return
    row.frozen, row.data_version = frozen, data_version
    first = 0
    for number, count in enumerate(sizes_of_parts(int(row.question["replicates"]))):
        session.add(SimulationPart(simulation_id=row.id, number=number, first=first, count=count, attempts=0))
        first += count
        args = {"simulation_id": str(row.id), "number": number}
        enqueue(session, PART, args, f"simulation:{row.id}:{number}", queue="cpu")


def sizes_of_parts(games: int) -> list[int]:
    """At most PARTS, which together are all the games."""
    small = FIRST_GAMES // 2
    begin = [small, small] if games > PARTS * small else []
    left = games - sum(begin)
    size = -(-left // (PARTS - len(begin)))
    return [*begin, *(min(size, left - at) for at in range(0, left, size))]


@dataclass(frozen=True)
class Begun:
    """A part under way: games `first` to `first + count` of the frozen trial; `attempts` counts its starts, this one
    included."""

    job_id: UUID
    question: SimulationQuestion
    frozen: bytes
    first: int
    count: int
    attempts: int


def begin_part(session: Session, simulation_id: UUID, number: int, now: datetime) -> Begun | None:
    """The part, where it is still wanted."""
    row, part = session.get(Simulation, simulation_id), session.get(SimulationPart, (simulation_id, number))
    if row is None or part is None or row.frozen is None or part.outcome is not None:
        return None
    job = job_store.job_by_id(session, row.job_id, lock=True)
    if job is None or job.state != "running":
        return None
    if job.cancel_requested_at:
        jobs.stop(session, job.id, now)
        return None
    if part.attempts >= MAX_ATTEMPTS:
        jobs.fail(session, job.id, TOO_MANY.format(part.attempts), now)
        return None
    part.attempts += 1
    question = SimulationQuestion.from_json(row.question)
    return Begun(job.id, question, row.frozen, part.first, part.count, part.attempts)


def note_progress(session: Session, simulation_id: UUID, job_id: UUID, share: float) -> None:
    """A part is done to `share`. Raises JobCancelled where the job is no longer wanted."""
    done, every = store.count_parts(session, simulation_id)
    job = job_store.job_by_id(session, job_id, lock=True)
    before = job.progress if job is not None else 0.0
    jobs.report(session, job_id, max(before, (done + share) / every))


def play(part: Begun, trial: Trial, told: Told) -> bytes:
    """The outcomes of a part. Raises Invalid where no purchase keeps the project's constraints."""
    players: list[Player] = list(part.question.policies)
    try:
        return freeze_outcomes(play_part(trial, players, part.first, part.count, told))
    except InfeasibleError as error:
        raise invalid(Fault("", f"a round's share of the money cannot keep the constraints: {error}")) from None
    except SolverError:
        raise invalid(Fault("", FAR_APART)) from None


def finish_part(
    session: Session, simulation_id: UUID, number: int, outcome: bytes, result: Mapping[str, Any] | None, now: datetime
) -> bool:
    """Keep a part's outcome; with the last one, and the `result` of all, the job is done. False, and nothing kept,
    where it is the last and there is no result yet. Raises JobCancelled."""
    row = find(session, Simulation, lock=True, id=simulation_id)
    part = session.get(SimulationPart, (simulation_id, number))
    if row is None or part is None or part.outcome is not None:
        return True
    done, every = store.count_parts(session, simulation_id)
    if done + 1 == every and result is None:
        return False
    part.outcome = outcome
    session.flush()
    job = job_store.job_by_id(session, row.job_id, lock=True)
    jobs.report(session, row.job_id, max(job.progress if job else 0.0, (done + 1) / every))
    if done + 1 == every:
        row.result = dict(result or {})
        jobs.succeed(session, row.job_id, {"simulation_id": str(row.id)}, now)
    return True


def keep_first_result(session: Session, simulation_id: UUID, result: Mapping[str, Any]) -> None:
    """Of the games played so far, in the place of one of fewer; none of too few."""
    row = find(session, Simulation, lock=True, id=simulation_id)
    least = FIRST_GAMES if row is None or row.result is None else row.result["games"] + 1
    if row is not None and result["games"] >= least:
        row.result = dict(result)


def outcomes_with(session: Session, simulation_id: UUID, number: int, outcome: bytes) -> list[bytes]:
    """The outcomes of all parts that are done, that of the one `number` with them."""
    kept = {one.number: one.outcome for one in store.parts_of(session, simulation_id) if one.outcome}
    return [one for _, one in sorted((kept | {number: outcome}).items())]


def result_of_parts(trial: Trial, question: SimulationQuestion, outcomes: Sequence[bytes]) -> dict[str, Any]:
    """Of the outcomes of parts, in their order."""
    return result_of(trial, question, joined([thaw_outcomes(one) for one in outcomes]))


def result_of(trial: Trial, question: SimulationQuestion, outcomes: Mapping[Player, GameResult]) -> dict[str, Any]:
    """The table of the games played, as JSON; money in the project's currency."""
    table = [standing_of(one, trial.rules.problem.keys) for one in standings(outcomes, question.chosen)]
    return {
        "games": len(outcomes["equal"].utility),
        "rounds": trial.rules.rounds,
        "budget": str(amount(trial.rules.problem.budget)),
        "draws": trial.rules.draws,
        "subsets": list(trial.rules.sizes),
        "transfer": trial.truths.transfer is not None,
        "chosen": question.chosen,
        "p_better_than_equal": chance_better(outcomes[question.chosen], outcomes["equal"]),
        "policies": [one for one in table if one["policy"] != ORACLE],
        "oracle": next(one for one in table if one["policy"] == ORACLE),
    }


def standing_of(one: Standing, keys: Sequence[str]) -> dict[str, Any]:
    return {
        "policy": one.player,
        "utility": estimate_of(one.utility),
        "worst": estimate_of(one.worst),
        "regret": finite(one.regret),
        "money_per_benefit": finite(one.money / float(MILLION)),
        "path": [estimate_of(after) for after in one.path],
        "added": dict(zip(keys, one.added.tolist(), strict=True)),
        "difference": estimate_of(one.ahead),
        "p_better": one.p_better,
    }


def estimate_of(one: Estimate) -> dict[str, float | None]:
    return {"mean": finite(one.mean), "se": finite(one.se)}


def fail_simulation(session: Session, simulation_id: UUID, error: str, now: datetime) -> None:
    row = session.get(Simulation, simulation_id)
    if row is not None:
        jobs.fail(session, row.job_id, error, now)
