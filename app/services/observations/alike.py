"""Runs that say the same under other ids: what tells them, and the warning that names those of a request."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.planner.wording import Warning
from app.services.curves.repeats import repeated_runs, repeats_of
from app.store.models.projects import Project
from app.store.observations import AlikeRun, NewRun, alike_runs

HASH_LENGTH = 32


def trained_hash(holdout: str, counts: Mapping[str, int], origin: Mapping[str, Any] | None = None) -> str:
    """Alike for runs on the same samples, of the same origin, and holdout."""
    some = {key: count for key, count in counts.items() if count}
    return digest([holdout, some, origin] if origin else [holdout, some])[:HASH_LENGTH]


def said_hash(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Alike for runs that measured the same: equal numbers are the same, as 1 and 1.0 are, and 0.0 and -0.0."""
    same = {key: {name: float(part) + 0.0 for name, part in reading.items()} for key, reading in metrics.items()}
    return digest(same)[:HASH_LENGTH]


def digest(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def repeated(session: Session, project: Project, runs: Sequence[NewRun]) -> list[Warning]:
    """The warning that names those of `runs`, which are not stored yet, that say what another one says, stored or among
    them. Stored runs that say less than they are named with the plan."""
    mine = [run for run in runs if run.recipe == project.recipe]
    before = alike_runs(session, project.id, project.recipe, mine) if mine else []
    every: list[NewRun | AlikeRun] = [*before, *mine]
    trained = Counter(run.trained_hash for run in every)
    return repeated_runs(mine, repeats_of([run for run in every if trained[run.trained_hash] > 1]))
