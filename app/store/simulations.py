"""Simulations and their parts."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from app.store.models.jobs import Job
from app.store.models.simulations import Simulation, SimulationPart
from app.store.reading import Listing


def listed_simulations(session: Session, project_id: UUID) -> Listing[tuple[Simulation, Job]]:
    """Newest first, each with its job."""
    query = select(Simulation, Job).join(Job, Job.id == Simulation.job_id).where(Simulation.project_id == project_id)
    return Listing(session, query, Simulation.id, newest_first=True)


def parts_of(session: Session, simulation_id: UUID) -> Sequence[SimulationPart]:
    """All parts with their outcomes, in order."""
    query = select(SimulationPart).where(SimulationPart.simulation_id == simulation_id)
    query = query.options(undefer(SimulationPart.outcome)).order_by(SimulationPart.number)
    return session.scalars(query).all()


def count_parts(session: Session, simulation_id: UUID) -> tuple[int, int]:
    """How many parts are done, and how many there are."""
    query = select(func.count(SimulationPart.outcome), func.count()).where(
        SimulationPart.simulation_id == simulation_id
    )
    done, every = session.execute(query).one()
    return done, every
