"""Which utility is maximised: a kind of method.md 5 and its parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

KindName = Literal["utilitarian", "isoelastic", "maximin", "cvar", "targets", "gap", "robust", "compromise"]
Mode = Literal["worst_case", "regret"]

WeightVector = tuple[float, ...]

MAX_AVERSION = 50.0
"""Above this the isoelastic utility is the worst group's in floating point: `maximin` says it better."""
MAX_LAMBDA = 1e6
MAX_VECTORS = 50


class ObjectiveError(ValueError):
    """An unknown kind of utility, a parameter it does not take, or one out of its range."""


@dataclass(frozen=True)
class Objective:
    """A kind of utility; each parameter is used by the kinds that know it and has no meaning to the others.

    aversion ε: `isoelastic`. stop_ratio: `maximin`. tail α: `cvar`. power p: `targets`. lambda_: `gap`.
    mode, weight_vectors [vectors][groups, in the order of the problem's]: `robust`; every vector is normalised.
    risk: the mean over draws is that of the worst `risk` of them (None: of all), in every kind.
    """

    kind: KindName
    aversion: float = 0.0
    stop_ratio: float = 0.0
    tail: float = 1.0
    power: Literal[1, 2] = 1
    lambda_: float = 0.0
    mode: Mode = "worst_case"
    weight_vectors: tuple[WeightVector, ...] = ()
    risk: float | None = None

    def __post_init__(self) -> None:
        """Raises ObjectiveError where the kind is unknown, or a parameter is out of its range."""
        check_kind(self.kind)
        _within("aversion", self.aversion, 0.0 <= self.aversion <= MAX_AVERSION, AVERSION_RANGE)
        _within("stop_ratio", self.stop_ratio, 0.0 <= self.stop_ratio < 1.0, "at least 0 and below 1")
        _within("tail", self.tail, 0.0 < self.tail <= 1.0, "above 0 and at most 1")
        _within("power", self.power, self.power in (1, 2), "1 or 2")
        _within("lambda", self.lambda_, 0.0 <= self.lambda_ <= MAX_LAMBDA, f"from 0 to {MAX_LAMBDA:g}")
        _within("mode", self.mode, self.mode in get_args(Mode), "'worst_case' or 'regret'")
        if self.risk is not None:
            _within("risk", self.risk, 0.0 < self.risk <= 1.0, "above 0 and at most 1, the share of the worst draws")
        if self.kind == "robust":
            _check_vectors(self.weight_vectors)
        if self.kind == "compromise" and self.risk is not None:
            raise ObjectiveError("a compromise takes no risk; each stakeholder's objective may have its own")

    def check(self, groups: int, targets: int) -> None:
        """Raises ObjectiveError unless the objective suits so many groups, and `targets` of them that have a target."""
        if self.kind == "targets" and not targets:
            raise ObjectiveError(
                "the objective targets needs a group with a weight above 0 that has a target; give one a target"
            )
        for at, vector in enumerate(self.weight_vectors if self.kind == "robust" else ()):
            if len(vector) != groups:
                raise ObjectiveError(f"weight vector {at + 1} has {len(vector)} weights for {groups} groups")


AVERSION_RANGE = f"from 0 to {MAX_AVERSION:g}, beyond which use maximin"


def check_kind(kind: str) -> KindName:
    """The kind of that name. Raises ObjectiveError where there is none."""
    known: tuple[KindName, ...] = get_args(KindName)
    if kind in known:
        return known[known.index(kind)]
    raise ObjectiveError(f"the objective's kind is {kind!r}; it must be one of {', '.join(known)}")


def _within(name: str, value: object, fits: bool, allowed: str) -> None:
    """Raises ObjectiveError unless it fits."""
    if not fits:
        raise ObjectiveError(f"{name} is {value}; it must be {allowed}")


def _check_vectors(vectors: Sequence[WeightVector]) -> None:
    """Raises ObjectiveError where there are too many, or one weighs nothing."""
    if not 1 <= len(vectors) <= MAX_VECTORS:
        raise ObjectiveError(f"robust has {len(vectors)} weight_vectors; give 1 to {MAX_VECTORS}")
    for at, vector in enumerate(vectors):
        if not all(isfinite(weight) and weight >= 0.0 for weight in vector) or not any(vector):
            raise ObjectiveError(
                f"weight vector {at + 1} must have finite weights, at least 0, and one of them above 0"
            )
