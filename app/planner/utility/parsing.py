"""Objectives as they are asked for: a kind by name and its parameters by the names of method.md 5."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from app.planner.utility.kinds import KINDS
from app.planner.utility.objective import Objective, ObjectiveError, WeightVector, check_kind


def parse(kind: str, parameters: Mapping[str, Any], keys: Sequence[str] = ()) -> Objective:
    """The objective named `kind` with its parameters.

    Those left out or null take their defaults. `weight_vectors` are maps from the groups' `keys` to weights; a group
    left out of one weighs 0 in it. Raises ObjectiveError.
    """
    row = KINDS[check_kind(kind)]
    vectors = {"weight_vectors": ()} if row.needs_vectors else {}
    known = {**row.parameters, **vectors, "risk": None}
    given = {name: value for name, value in parameters.items() if value is not None}
    for name in given:
        if name not in known:
            raise ObjectiveError(f"the objective {kind} does not know {name!r}; it takes {', '.join(known)}")
    chosen = {name: value for name, value in (known | given).items() if value is not None}
    read: dict[str, Any] = {name: _READERS.get(name, _number)(name, value, keys) for name, value in chosen.items()}
    if "lambda" in read:
        read["lambda_"] = read.pop("lambda")
    return Objective(kind=row.key, **read)


def _number(name: str, value: object, _: Sequence[str]) -> float:
    """A finite number. Raises ObjectiveError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ObjectiveError(f"the objective's {name} is {value!r}; it must be a finite number")
    return float(value)


def _whole(name: str, value: object, keys: Sequence[str]) -> int:
    """A whole number. Raises ObjectiveError."""
    number = _number(name, value, keys)
    if number != int(number):
        raise ObjectiveError(f"{name} is {value}; it must be a whole number")
    return int(number)


def _word(name: str, value: object, _: Sequence[str]) -> str:
    """A word. Raises ObjectiveError."""
    if not isinstance(value, str):
        raise ObjectiveError(f"the objective's {name} is {value!r}; it must be a word")
    return value


def _vectors(name: str, value: object, keys: Sequence[str]) -> tuple[WeightVector, ...]:
    """A list of weight vectors. Raises ObjectiveError."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise ObjectiveError(f"{name} must be a list of maps from group to weight")
    return tuple(_vector(f"{name}[{at}]", one, keys) for at, one in enumerate(value))


def _vector(name: str, value: object, keys: Sequence[str]) -> WeightVector:
    """One weight per group, 0 where none is given. Raises ObjectiveError."""
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
