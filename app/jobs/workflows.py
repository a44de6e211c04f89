"""What a job is: a small function that calls a service, run by the engine at least once, to its end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.services.curves.fits import Fits
from app.services.enqueue import Enqueue
from app.services.planning.looks import AnswerOf
from app.settings import Settings
from app.store.db import Database


@dataclass(frozen=True)
class Context:
    """What a job gets beside its arguments. It opens its own transactions, and makes calls to the outside between
    them."""

    settings: Settings
    database: Database
    clock: Callable[[], datetime]
    fits: Fits
    enqueue: Enqueue
    answer_of: AnswerOf


Workflow = Callable[[Context, Mapping[str, Any]], None]
"""May run again after a crash, or twice at once when its worker was given up too early: every effect must be one that
a repeat does not double."""
