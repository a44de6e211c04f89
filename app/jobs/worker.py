"""A worker: takes a seat, runs jobs until it is told to stop, and looks after what other workers left."""

import logging
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from app.errors import Unavailable
from app.jobs.client import JobClient
from app.jobs.engine import POOL_SIZE, running_engine
from app.jobs.reaper import hand_back, reap
from app.jobs.registry import WORKFLOWS
from app.jobs.upkeep import keep_up
from app.jobs.whereabouts import this_process
from app.jobs.workflows import Context
from app.services.curves.fits import Fits
from app.services.jobs.workers import Seat, take_seat
from app.services.planning.looks import AnswerOf
from app.services.webhooks.sweep import send_what_is_late
from app.settings import Settings
from app.store import jobs as store
from app.store.db import Database, connect
from app.telemetry.holdings import count_holdings
from app.telemetry.jobs import JobWatch
from app.telemetry.metrics import Metrics, listen

log = logging.getLogger(__name__)

BEAT_S = 5.0
UPKEEP_EVERY_S = 3600.0
SWEEP_EVERY_S = 60.0
GRACE_S = 20
"""What is under way at a stop gets so long to finish; then it is handed back to the queues."""


def work(settings: Settings, clock: Callable[[], datetime], answer_of: AnswerOf, stop: threading.Event) -> int:
    """Run jobs until `stop` is set; 0, or 1 where the worker was taken for dead and has to start anew."""
    database = connect(settings.model_copy(update={"pool_size": max(POOL_SIZE, settings.pool_size)}))
    client = JobClient(database)
    context = Context(settings, database, clock, Fits(settings.cache_mb * 1_000_000), client.enqueue, answer_of)
    with database.writing() as session:
        name = settings.worker_id or socket.gethostname()
        seat = take_seat(session, name, this_process(), store.shared_now(session))
    metrics = Metrics()
    count_holdings(metrics, lambda: database, lambda: context.fits)
    listen(metrics, settings)
    with running_engine(settings, seat.id, context, WORKFLOWS, GRACE_S, JobWatch(metrics)):
        log.info("worker %s runs jobs", seat.id)
        kept = look_after(settings, database, client, seat, stop)
    if kept:
        hand_back(database, client, seat)
    client.close()
    database.close()
    return 0 if kept else 1


def look_after(settings: Settings, database: Database, client: JobClient, seat: Seat, stop: threading.Event) -> bool:
    """Show that the worker lives, resume what dead ones left, delete what is old; False where the seat was lost."""
    next_reap = next_upkeep = next_sweep = monotonic()
    while not stop.wait(BEAT_S):
        try:
            with database.writing() as session:
                if not store.heard_of(session, seat.id, seat.life, store.shared_now(session)):
                    log.error("worker %s was taken for dead; it ends, and its jobs run elsewhere", seat.id)
                    return False
            if monotonic() >= next_reap:
                reap(database, client)
            if monotonic() >= next_upkeep and keep_up(database, client, settings):
                next_upkeep = monotonic() + UPKEEP_EVERY_S
            if monotonic() >= next_sweep:
                with database.writing() as session:
                    send_what_is_late(session, store.shared_now(session), client.enqueue)
                next_sweep = monotonic() + SWEEP_EVERY_S
        except Unavailable as error:
            log.warning("the worker cannot show that it lives: %s", error.detail)
            # The others could not either. They come first when the database is back.
            next_reap = monotonic() + 3 * BEAT_S
    return True
