"""Seats of workers. The engine knows a worker by its seat, and gives the jobs that an earlier holder of a seat left
unfinished to the next one; the jobs of a seat that nobody takes again are recovered by whoever notices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.ids import new_id
from app.store import jobs as store
from app.store.models.jobs import Worker

SILENT = timedelta(seconds=60)
"""A worker not heard of for so long is given up."""
MAX_RECOVERIES = 10
"""A job that outlived so many workers is given up: it may be what ends them."""


@dataclass(frozen=True)
class Seat:
    """`life` is this process; whoever takes the seat after it has another."""

    id: str
    life: UUID


@dataclass(frozen=True)
class Process:
    """A worker's process. host: what only processes have in common that can see each other. began: tells it from
    others that have its number before or after it. lives: whether such a process of this host runs."""

    host: str
    pid: int
    began: str
    lives: Callable[[int, str], bool]


def take_seat(session: Session, name: str, process: Process, now: datetime) -> Seat:
    """The first free seat among `name`, `name-2`, `name-3` …: the same one again after a restart."""
    store.seat_one_by_one(session)
    numbers = count(1)
    while True:
        number = next(numbers)
        seat = Seat(name if number == 1 else f"{name}-{number}", new_id())
        holder = store.worker_by_id(session, seat.id)
        if holder is None:
            holder = Worker(id=seat.id)
            session.add(holder)
        elif not is_free(holder, process, now):
            continue
        holder.life, holder.host, holder.pid, holder.began = seat.life, process.host, process.pid, process.began
        holder.started_at = holder.seen_at = now
        session.flush()
        return seat


def is_free(holder: Worker, process: Process, now: datetime) -> bool:
    """Whether the holder is gone: silent for long, or a process of this host that has ended. Of another host nothing is
    known but that it is silent."""
    ended = holder.host == process.host and (holder.pid == process.pid or not process.lives(holder.pid, holder.began))
    return ended or holder.seen_at < now - SILENT


def give_up_silent(session: Session, now: datetime) -> Sequence[Seat]:
    """Seats whose holders are to be taken for dead, now held by the caller: a holder that lives after all finds its
    seat taken and ends. Another caller finds them silent again if this one does not get to forget them."""
    dead = store.silent_workers(session, now - SILENT)
    for worker in dead:
        worker.life = new_id()
        worker.seen_at = now
    return [Seat(worker.id, worker.life) for worker in dead]
