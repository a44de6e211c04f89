"""A trial and its outcomes as bytes, so that parts of one simulation can be played by different workers.

NumPy's own archive, without pickled objects; what is no array is JSON beside them.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import ARRAYS, Diagnostics, Posterior
from app.planner.curves.transfer import Transfer
from app.planner.problem.problem import Limit
from app.planner.problem.sources import Source
from app.planner.simulation.game import GameResult, Player, Rules
from app.planner.simulation.trial import Trial
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective
from app.services.curves.prior import prior_for

BY_GROUP = ("weights", "targets", "reference_loss", "min_count", "max_count")
TOLD = ("counts", "utility", "worst", "benefit", "spent")

METRIC, OBJECTIVE = TypeAdapter(Metric), TypeAdapter(Objective)
SOURCES, LIMITS = TypeAdapter(tuple[Source, ...]), TypeAdapter(tuple[Limit, ...])


def freeze(trial: Trial) -> bytes:
    rules, truths = trial.rules, trial.truths
    arrays = {name: getattr(truths, name) for name in ARRAYS}
    arrays |= {name: values for name in BY_GROUP if (values := getattr(rules, name)) is not None}
    arrays |= {"start": trial.start, "shared": trial.shared}
    if truths.transfer is not None:
        moved = truths.transfer
        arrays |= {"transfer": moved.weights, "kappa": moved.kappa, "held": moved.held, "off": moved.off}
    words = {
        "keys": rules.keys,
        "metric": asdict(rules.metric),
        "objective": asdict(rules.objective),
        "sources": [asdict(source) for source in rules.sources],
        "limits": [asdict(limit) for limit in rules.limits],
        "budget": rules.budget,
        "rounds": rules.rounds,
        "draws": rules.draws,
        "seed": trial.seed,
    }
    return archive(arrays, words)


def thaw(frozen: bytes) -> Trial:
    arrays, words = unpack(frozen)
    keys, metric = tuple(words["keys"]), METRIC.validate_python(words["metric"])
    rules = Rules(
        keys=keys,
        weights=arrays["weights"],
        targets=arrays["targets"],
        reference_loss=arrays.get("reference_loss"),
        metric=metric,
        objective=OBJECTIVE.validate_python(words["objective"]),
        sources=SOURCES.validate_python(words["sources"]),
        budget=words["budget"],
        rounds=words["rounds"],
        prior=prior_for(metric.span),
        draws=words["draws"],
        min_count=arrays.get("min_count"),
        max_count=arrays.get("max_count"),
        limits=LIMITS.validate_python(words["limits"]),
    )
    return Trial(rules, truths_of(keys, arrays), arrays["start"], arrays["shared"], words["seed"])


def truths_of(keys: tuple[str, ...], arrays: Mapping[str, FloatArray]) -> Posterior:
    transfer = None
    if "transfer" in arrays:
        nothing = ((),) * len(keys)
        transfer = Transfer(arrays["transfer"], arrays["kappa"], arrays["held"], arrays["off"], nothing)
    return Posterior(
        keys=keys,
        **{name: arrays[name] for name in ARRAYS},
        diagnostics=(Diagnostics(0, 0, 0.0, 0),) * len(keys),
        residuals=(np.zeros(0),) * len(keys),
        warnings=(),
        transfer=transfer,
        errors=None,
    )


def freeze_outcomes(outcomes: Mapping[Player, GameResult]) -> bytes:
    """Of the counts only the first and the last are kept."""
    arrays: dict[str, Any] = {}
    for place, one in enumerate(outcomes.values()):
        arrays |= {f"{name}{place}": getattr(one, name) for name in TOLD}
        arrays[f"counts{place}"] = one.counts[:, [0, -1]]
    return archive(arrays, {"players": list(outcomes)})


def thaw_outcomes(frozen: bytes) -> dict[Player, GameResult]:
    arrays, words = unpack(frozen)
    return {
        player: GameResult(player=player, **{name: arrays[f"{name}{place}"] for name in TOLD})
        for place, player in enumerate(words["players"])
    }


def archive(arrays: Mapping[str, Any], words: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    said = np.frombuffer(json.dumps(words).encode(), dtype=np.uint8)
    np.savez_compressed(file, words=said, **arrays)
    return file.getvalue()


def unpack(frozen: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    with np.load(io.BytesIO(frozen), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    words: dict[str, Any] = json.loads(arrays.pop("words").tobytes())
    return arrays, words
