"""The jobs of a simulation: one that freezes what is played on and deals out the parts, and one for each part."""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.errors import TrancheError, Unavailable
from app.jobs.tracked import note_job, sparingly
from app.jobs.workflows import Context
from app.services.computing import settled
from app.services.jobs import jobs
from app.services.jobs.jobs import JobCancelled
from app.services.simulations import simulations as service
from app.services.simulations.frozen import freeze, thaw
from app.store.models.jobs import Job
from app.store.models.simulations import Simulation
from app.telemetry.notes import note_ids, note_outcome

log = logging.getLogger(__name__)


def simulate(context: Context, args: Mapping[str, Any]) -> None:
    """Its job goes on running until the last part has ended."""
    simulation_id, job_id = UUID(args["simulation_id"]), UUID(args["job_id"])
    with context.database.writing() as session:
        wanted = jobs.begin(session, job_id, context.clock())
        note_job(session.get(Job, job_id), wanted)
    if not wanted:
        return
    try:
        trial, data_version = settled(
            context.database.reading, lambda session: service.trial_now(session, context.fits, simulation_id)
        )
        frozen = freeze(trial)
        with context.database.writing() as session:
            service.prepare(session, simulation_id, frozen, data_version, context.enqueue)
    except Exception as error:
        with context.database.writing() as session:
            if is_final(error) or not jobs.release(session, job_id):
                note_outcome("failed")
                service.fail_simulation(session, simulation_id, words(error), context.clock())
                return
        raise


def simulate_part(context: Context, args: Mapping[str, Any]) -> None:
    simulation_id, number = UUID(args["simulation_id"]), int(args["number"])
    with context.database.writing() as session:
        begun = service.begin_part(session, simulation_id, number, context.clock())
        row = session.get(Simulation, simulation_id)
        if row is not None:
            note_ids(project_id=row.project_id)
    if begun is None:
        return
    job_id = begun.job_id

    def note(share: float) -> None:
        with context.database.writing() as session:
            service.note_progress(session, simulation_id, job_id, share)

    try:
        trial = thaw(begun.frozen)
        outcome = service.play(begun, trial, sparingly(note))

        def so_far() -> Mapping[str, Any]:
            with context.database.reading() as session:
                outcomes = service.outcomes_with(session, simulation_id, number, outcome)
            return service.result_of_parts(trial, begun.question, outcomes)

        result = None
        while not finished(context, simulation_id, number, outcome, result):
            result = so_far()
        if result is None:
            result = so_far()
            with context.database.writing() as session:
                service.keep_first_result(session, simulation_id, result)
    except JobCancelled:
        note_outcome("cancelled")
        with context.database.writing() as session:
            jobs.stop(session, job_id, context.clock())
    except Exception as error:
        if not is_final(error) and begun.attempts < service.MAX_ATTEMPTS:
            raise
        note_outcome("failed")
        log.exception("part %s of simulation %s has failed for good", number, simulation_id)
        with context.database.writing() as session:
            service.fail_simulation(session, simulation_id, words(error), context.clock())


def finished(
    context: Context, simulation_id: UUID, number: int, outcome: bytes, result: Mapping[str, Any] | None
) -> bool:
    with context.database.writing() as session:
        return service.finish_part(session, simulation_id, number, outcome, result, context.clock())


def is_final(error: Exception) -> bool:
    """Whether trying again would end the same way."""
    return isinstance(error, TrancheError) and not isinstance(error, Unavailable)


def words(error: Exception) -> str:
    return (
        error.detail if isinstance(error, TrancheError) else "Something failed on our side; the worker's log says what."
    )
