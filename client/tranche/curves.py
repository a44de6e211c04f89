"""Learning curves by group."""

from collections.abc import Mapping
from dataclasses import dataclass

from tranche.answers import Estimate, Json, Remark, known
from tranche.rows import Row, banded


@dataclass(frozen=True, slots=True)
class Parameter:
    """A curve's parameter over the posterior; None for a number that is not finite."""

    mean: float | None
    p05: float | None
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """A group's learning curve: `bands` maps each requested count to the metric expected there, `now` is the metric
    with the `count` clean samples held and the `pending` ones awaited."""

    group: str
    count: int
    pending: int
    now: Estimate
    parameters: Mapping[str, Parameter]
    bands: Mapping[int, Estimate]
    points: tuple[Json, ...]
    warnings: tuple[Remark, ...]

    @classmethod
    def of(cls, answer: Json) -> "Curve":
        return known(
            cls,
            answer,
            parameters={name: known(Parameter, item) for name, item in answer["parameters"].items()},
            now=known(Estimate, answer["now"]),
            bands={item["count"]: known(Estimate, item) for item in answer["bands"]},
            points=tuple(answer["points"]),
            warnings=Remark.all_of(answer),
        )

    def row(self) -> Row:
        """Counts, the metric now, every parameter, and the metric at each count asked for (`at_100`)."""
        row = {"group": self.group, "count": self.count, "pending": self.pending, **banded("now", self.now)}
        for name, parameter in self.parameters.items():
            row |= banded(name, parameter)
        for count, band in self.bands.items():
            row |= banded(f"at_{count}", band)
        return row
