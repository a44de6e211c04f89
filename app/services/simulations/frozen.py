"""A trial and its outcomes as bytes, so that parts of one simulation can be played by different workers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from app.planner.arrays import FloatArray
from app.planner.curves import ARRAYS, Diagnostics, Posterior, Transfer
from app.planner.problem import Limit, Problem, Source
from app.planner.simulation import GameResult, Player, Rules, Trial, unplayed
from app.planner.utility import Metric, Objective, Stakeholder
from app.services.curves.archive import archive, unpack
from app.services.curves.prior import prior_for

BY_GROUP = ("weights", "targets", "reference_loss", "min_count", "max_count")
TOLD = ("counts", "utility", "worst", "benefit", "spent")

PLAIN: Mapping[str, TypeAdapter[Any]] = {
    "keys": TypeAdapter(tuple[str, ...]),
    "metric": TypeAdapter(Metric),
    "objective": TypeAdapter(Objective),
    "sources": TypeAdapter(tuple[Source, ...]),
    "limits": TypeAdapter(tuple[Limit, ...]),
    "stakeholders": TypeAdapter(tuple[Stakeholder, ...]),
    "budget": TypeAdapter(int),
}
"""Of a problem what is no array."""
USUALLY = {"quality_variance": 0.0, "acceptance_weight": None, "excluded": False}
"""Fields of a source that are written only where they say something else: earlier versions wrote none of them."""


def freeze(trial: Trial) -> bytes:
    rules, truths = trial.rules, trial.truths
    arrays = {name: getattr(truths, name) for name in ARRAYS if name != "threshold" or truths.threshold.any()}
    arrays |= {name: values for name in BY_GROUP if (values := getattr(rules.problem, name)) is not None}
    arrays |= {"start": trial.start, "shared": trial.shared}
    if truths.transfer is not None:
        moved = truths.transfer
        arrays |= {"transfer": moved.weights, "kappa": moved.kappa, "held": moved.held, "off": moved.off}
        arrays |= {"conflict": moved.conflict} if moved.clashes else {}
    words = {name: kind.dump_python(getattr(rules.problem, name)) for name, kind in PLAIN.items()}
    words["sources"] = [
        {name: value for name, value in source.items() if name not in USUALLY or value != USUALLY[name]}
        for source in words["sources"]
    ]
    if not words["stakeholders"]:
        del words["stakeholders"]
    words |= {"rounds": rules.rounds, "draws": rules.draws, "seed": trial.seed}
    return archive(arrays, words)


def thaw(frozen: bytes) -> Trial:
    arrays, words = unpack(frozen)
    # Stakeholders are written only where there are some.
    plain = {name: kind.validate_python(words[name]) for name, kind in PLAIN.items() if name in words}
    by_group: dict[str, Any] = {name: arrays.get(name) for name in BY_GROUP}
    truths = truths_of(plain["keys"], arrays)
    prior = prior_for(plain["metric"].span)
    problem = unplayed(Problem(**plain, **by_group, held=arrays["start"], posterior=truths), prior)
    rules = Rules(problem, words["rounds"], prior, draws=words["draws"])
    return Trial(rules, truths, arrays["start"], arrays["shared"], words["seed"])


def truths_of(keys: tuple[str, ...], arrays: Mapping[str, FloatArray]) -> Posterior:
    transfer = None
    if "transfer" in arrays:
        nothing = ((),) * len(keys)
        weights, kappa, held, off = (arrays[name] for name in ("transfer", "kappa", "held", "off"))
        transfer = Transfer.of_fit(weights, kappa, held, off, nothing, arrays.get("conflict"))
    # Where no curve waits there are no thresholds.
    drawn: dict[str, Any] = {name: arrays.get(name, np.zeros_like(arrays["asymptote"])) for name in ARRAYS}
    return Posterior(
        keys=keys,
        **drawn,
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
