"""Fits that a job made, stored for every process: a warm project's requests fit no curves.

One fit of a project is stored, the newest with the draws and the seed that questions share, up to MOST_BYTES: of
larger projects each process fits the curves itself, which there takes about as long as reading them would.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.planner.arrays import FloatArray
from app.planner.curves import (
    ARRAYS,
    AssumedCurve,
    Diagnostics,
    Errors,
    Observations,
    Points,
    Posterior,
    Received,
    Transfer,
)
from app.planner.quality import QUALITIES, Quality, Worth
from app.planner.wording import Warning
from app.services.curves.archive import archive, unpack
from app.services.curves.fits import DRAWS, SEED, FitKey, Fitted
from app.services.ledger.worths import Learnt, Trained
from app.store import forecasts as store

MOST_BYTES = 32_000_000
POINTS = ("counts", "losses", "stderrs", "holdouts")
ERRORS = ("node", "sigma", "kappa")
TRANSFER = ("weights", "kappa", "held", "off", "conflict")
WARNING = ("code", "detail", "group", "source")


def kept_fit(session: Session, key: FitKey) -> bytes | None:
    """The fit as a job with this very code made it, to be thawed; None where none is stored."""
    if (key.draws, key.seed) != (DRAWS, SEED):
        return None
    return store.kept_fit(session, key.project_id, key.data_version, stamp())


def keep_fit(session: Session, project_id: UUID, data_version: int, content: bytes | None) -> None:
    """Store what `freeze` made of the project's newest fit, in the place of an older one."""
    if content is not None and len(content) <= MOST_BYTES:
        store.keep_fit(session, project_id, data_version, stamp(), content)


def worth_freezing(fitted: Fitted) -> bool:
    return fitted.posterior.nbytes <= MOST_BYTES


@cache
def stamp() -> str:
    """What tells fits of this code from those of another: a hash of the planner, of what makes its input, and of the
    prior that ships."""
    digest = hashlib.sha256()
    for package in ("app.planner", "app.services.curves"):
        for file in sources_of(files(package)):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def sources_of(folder: Traversable) -> list[Traversable]:
    """The Python and data files in and below a folder, in a fixed order."""
    found: list[Traversable] = []
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.is_dir():
            found += sources_of(one)
        elif one.name.endswith((".py", ".json")):
            found.append(one)
    return found


def freeze(fitted: Fitted) -> bytes:
    """The fit as bytes, `thaw` of which is the same to the last bit."""
    posterior, data, learnt = fitted.posterior, fitted.observations, fitted.learnt
    arrays: dict[str, Any] = {name: getattr(posterior, name) for name in ARRAYS}
    arrays |= flat("residuals", posterior.residuals)
    words: dict[str, Any] = {
        "keys": posterior.keys,
        "warnings": [[getattr(one, name) for name in WARNING] for one in posterior.warnings],
        "diagnostics": [[plain(value) for value in one] for one in posterior.diagnostics],
        "error_correlation": plain(posterior.error_correlation),
        "span": data.span,
        "assumed": [None if curve is None else vars(curve) for curve in data.assumed],
        "attributes": [dict(one) for one in data.attributes],
        "parent": data.parent,
        "joint": data.joint,
        "holdouts": fitted.holdouts,
        "qualities": [[key, worth.mean, worth.sd, one.runs] for (key, worth), one in learnt.qualities.items()],
        "bare": learnt.bare,
        "trained": {key: [one.clean, one.came] for key, one in learnt.trained.items()},
    }
    arrays |= flat("quality_weights", [one.weights for one in learnt.qualities.values()])
    if posterior.errors is not None:
        arrays |= {f"errors_{name}": getattr(posterior.errors, name) for name in ERRORS}
    if posterior.transfer is not None:
        arrays |= {f"transfer_{name}": getattr(posterior.transfer, name) for name in TRANSFER}
        words["received"] = [
            [[one.source, one.mean, one.p05, one.p95] for one in group] for group in posterior.transfer.received
        ]
    for name in POINTS:
        arrays |= flat(name, [getattr(one, name) for one in data.points])
    arrays["held"] = data.held
    if data.runs is not None and data.run_of is not None:
        arrays |= {"runs": data.runs, **flat("run_of", data.run_of)}
    return archive(arrays, words, compressed=False)


def thaw(content: bytes) -> Fitted:
    arrays, words = unpack(content)
    drawn: dict[str, Any] = {name: arrays[name] for name in ARRAYS}
    errors = Errors(*(arrays[f"errors_{name}"] for name in ERRORS)) if "errors_node" in arrays else None
    transfer = None
    if "received" in words:
        received = tuple(tuple(Received(*one) for one in group) for group in words["received"])
        weights, kappa, held, off, conflict = (arrays[f"transfer_{name}"] for name in TRANSFER)
        transfer = Transfer.of_fit(weights, kappa, held, off, received, conflict)
    keys = tuple(words["keys"])
    posterior = Posterior(
        keys=keys,
        **drawn,
        diagnostics=tuple(Diagnostics(*one) for one in words["diagnostics"]),
        residuals=parted("residuals", arrays),
        warnings=tuple(Warning(*one) for one in words["warnings"]),
        transfer=transfer,
        errors=errors,
        error_correlation=words["error_correlation"],
    )
    columns = [parted(name, arrays) for name in POINTS]
    observations = Observations(
        keys=keys,
        points=tuple(Points(*one) for one in zip(*columns, strict=True)),
        assumed=tuple(None if curve is None else AssumedCurve(**curve) for curve in words["assumed"]),
        held=arrays["held"],
        span=words["span"],
        runs=arrays.get("runs"),
        run_of=parted("run_of", arrays) if "runs" in arrays else None,
        attributes=tuple(words["attributes"]),
        parent=tuple(words["parent"]),
        joint=words["joint"],
    )
    qualities = {
        (key, Worth(mean, sd)): Quality(QUALITIES, weights, runs)
        for (key, mean, sd, runs), weights in zip(words["qualities"], parted("quality_weights", arrays), strict=True)
    }
    trained = {key: Trained(clean, came) for key, (clean, came) in words["trained"].items()}
    return Fitted(posterior, observations, words["holdouts"], Learnt(qualities, trained, words["bare"]))


def plain(value: Any) -> Any:
    """A number as JSON can say it."""
    return value.item() if isinstance(value, np.generic) else value


def flat(name: str, parts: Sequence[Any]) -> dict[str, Any]:
    """Arrays of many lengths as one, and where each ends."""
    ends = np.cumsum([len(one) for one in parts], dtype=np.int64)
    return {name: np.concatenate(parts) if len(parts) else np.zeros(0), f"{name}_ends": ends}


def parted(name: str, arrays: dict[str, FloatArray]) -> tuple[Any, ...]:
    ends = arrays[f"{name}_ends"]
    return tuple(np.split(arrays[name], ends[:-1])) if len(ends) else ()
