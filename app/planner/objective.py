"""Which utility is maximised: the kinds of planner.md 3 and their parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

Kind = Literal["utilitarian", "isoelastic", "maximin"]

PARAMETERS: dict[Kind, dict[str, float]] = {
    "utilitarian": {},
    "isoelastic": {"aversion": 1.0},
    "maximin": {"stop_ratio": 0.0},
}
"""Each kind's parameters and their defaults."""

MAX_AVERSION = 50.0
"""Above this the isoelastic utility is the worst group's in floating point: `maximin` says it better."""


class ObjectiveError(ValueError):
    """An unknown kind of utility, or a parameter it does not take."""


@dataclass(frozen=True)
class Objective:
    """A kind of utility. aversion ≥ 0 is used by `isoelastic`, 0 ≤ stop_ratio < 1 by `maximin`."""

    kind: Kind
    aversion: float = 0.0
    stop_ratio: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ObjectiveError(f"the objective's kind is {self.kind!r}; it must be one of {', '.join(PARAMETERS)}")
        if not 0.0 <= self.aversion <= MAX_AVERSION:
            raise ObjectiveError(
                f"aversion is {self.aversion}; it must lie from 0 to {MAX_AVERSION:g}, beyond which use maximin"
            )
        if not 0.0 <= self.stop_ratio < 1.0:
            raise ObjectiveError(f"stop_ratio is {self.stop_ratio}; it must be at least 0 and below 1")

    @classmethod
    def parse(cls, kind: str, parameters: Mapping[str, float]) -> "Objective":
        """The objective named `kind` with its parameters by name; those left out take their defaults."""
        if kind not in PARAMETERS:
            raise ObjectiveError(f"the objective's kind is {kind!r}; it must be one of {', '.join(PARAMETERS)}")
        known = PARAMETERS[kind]
        for name, value in parameters.items():
            if name not in known:
                takes = f"takes {', '.join(known)}" if known else "takes no parameters"
                raise ObjectiveError(f"the objective {kind} does not know {name!r}; it {takes}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise ObjectiveError(f"the objective's {name} is {value!r}; it must be a finite number")
        return cls(kind, **{name: float(value) for name, value in (known | dict(parameters)).items()})
