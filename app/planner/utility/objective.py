"""Which utility is maximised: the kinds of planner.md 3 and their parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, get_args

Kind = Literal["utilitarian", "isoelastic", "maximin", "cvar", "targets", "gap", "robust"]
Mode = Literal["worst_case", "regret"]

WeightVector = tuple[float, ...]

DEFAULTS: dict[Kind, dict[str, Any]] = {
    "utilitarian": {},
    "isoelastic": {"aversion": 1.0},
    "maximin": {"stop_ratio": 0.0},
    "cvar": {"tail": 0.25},
    "targets": {"power": 1},
    "gap": {"lambda": 1.0},
    "robust": {"mode": "worst_case"},
}
"""Each kind's parameters and their defaults; every kind takes `risk` too, and `robust` needs `weight_vectors`."""

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

    kind: Kind
    aversion: float = 0.0
    stop_ratio: float = 0.0
    tail: float = 1.0
    power: Literal[1, 2] = 1
    lambda_: float = 0.0
    mode: Mode = "worst_case"
    weight_vectors: tuple[WeightVector, ...] = ()
    risk: float | None = None

    def __post_init__(self) -> None:
        _check_kind(self.kind)
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

    @classmethod
    def parse(cls, kind: str, parameters: Mapping[str, Any], keys: Sequence[str] = ()) -> "Objective":
        """The objective named `kind` with its parameters by the names of planner.md 3.

        Those left out or null take their defaults. `weight_vectors` are maps from the groups' `keys` to weights; a
        group left out of one weighs 0 in it. Raises ObjectiveError.
        """
        vectors = {"weight_vectors": ()} if kind == "robust" else {}
        known = DEFAULTS[_check_kind(kind)] | vectors | {"risk": None}
        given = {name: value for name, value in parameters.items() if value is not None}
        for name in given:
            if name not in known:
                raise ObjectiveError(f"the objective {kind} does not know {name!r}; it takes {', '.join(known)}")
        chosen = {name: value for name, value in (known | given).items() if value is not None}
        read: dict[str, Any] = {name: _READERS.get(name, _number)(name, value, keys) for name, value in chosen.items()}
        if "lambda" in read:
            read["lambda_"] = read.pop("lambda")
        return cls(kind=_check_kind(kind), **read)

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


def _check_kind(kind: str) -> Kind:
    for known in get_args(Kind):
        if kind == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped; these are the literals of Kind
    raise ObjectiveError(f"the objective's kind is {kind!r}; it must be one of {', '.join(DEFAULTS)}")


def _within(name: str, value: object, fits: bool, allowed: str) -> None:
    if not fits:
        raise ObjectiveError(f"{name} is {value}; it must be {allowed}")


def _check_vectors(vectors: Sequence[WeightVector]) -> None:
    if not 1 <= len(vectors) <= MAX_VECTORS:
        raise ObjectiveError(f"robust has {len(vectors)} weight_vectors; give 1 to {MAX_VECTORS}")
    for at, vector in enumerate(vectors):
        if not all(isfinite(weight) and weight >= 0.0 for weight in vector) or not any(vector):
            raise ObjectiveError(
                f"weight vector {at + 1} must have finite weights, at least 0, and one of them above 0"
            )


def _number(name: str, value: object, _: Sequence[str]) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ObjectiveError(f"the objective's {name} is {value!r}; it must be a finite number")
    return float(value)


def _whole(name: str, value: object, keys: Sequence[str]) -> int:
    number = _number(name, value, keys)
    if number != int(number):
        raise ObjectiveError(f"{name} is {value}; it must be a whole number")
    return int(number)


def _word(name: str, value: object, _: Sequence[str]) -> str:
    if not isinstance(value, str):
        raise ObjectiveError(f"the objective's {name} is {value!r}; it must be a word")
    return value


def _vectors(name: str, value: object, keys: Sequence[str]) -> tuple[WeightVector, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise ObjectiveError(f"{name} must be a list of maps from group to weight")
    return tuple(_vector(f"{name}[{at}]", one, keys) for at, one in enumerate(value))


def _vector(name: str, value: object, keys: Sequence[str]) -> WeightVector:
    if not isinstance(value, Mapping):
        raise ObjectiveError(f"{name} is {value!r}; it must be a map from group to weight")
    unknown = sorted(str(key) for key in set(value) - set(keys))
    if unknown:
        raise ObjectiveError(f"{name} weighs {', '.join(unknown)}, which no group is called; use the groups' keys")
    return tuple(_number(f"{name}.{key}", value.get(key, 0.0), keys) for key in keys)


_READERS: dict[str, Callable[[str, object, Sequence[str]], Any]] = {
    "power": _whole,
    "mode": _word,
    "weight_vectors": _vectors,
}
"""How parameters that are not plain numbers are read."""
