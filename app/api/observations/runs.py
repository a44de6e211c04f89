"""Runs as JSON documents: each metric with its error, or all with one that the run states."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Discriminator, Field, Tag

from app.api.http.shapes import Count, InstantIn, NonNegative, Real, Shape, ShortText, Text, Whole
from app.api.keys.keys import Key, Keyed
from app.errors import Fault, escape, refuse
from app.services.curves.readings import Reading
from app.services.observations.drafts import MOST_CANDIDATES, Draft, without_none
from app.services.projects.changes import MAX_FAULTS

EvalSize = Annotated[int, Field(strict=True, ge=1, le=10**12), Whole]
ChosenFrom = Annotated[int, Field(strict=True, ge=1, le=MOST_CANDIDATES), Whole]
Stated = TypeVar("Stated", EvalSize, NonNegative)


class ReadingIn(Shape):
    """A metric measured on one group, with its standard error or, for a proportion, the evaluation's size."""

    value: Real
    stderr: NonNegative | None = None
    eval_size: EvalSize | None = None


def as_reading(given: object) -> object:
    """A bare number is the value."""
    return {"value": given} if isinstance(given, int | float) and not isinstance(given, bool) else given


def way_of(given: object) -> str:
    return "each" if isinstance(given, dict) else "all"


ReadingGiven = Annotated[ReadingIn, BeforeValidator(as_reading, json_schema_input_type=ReadingIn | float)]
ForAll = Annotated[
    Annotated[Stated, Tag("all")] | Annotated[dict[Key, Stated], Keyed, Tag("each")], Discriminator(way_of)
]


Origin = Annotated[dict[Key, Annotated[dict[Key, Count], Keyed]], Keyed]


class ObservationIn(Shape):
    """One evaluated training run: the samples of each group it was trained on, the metric measured on each: a number,
    or an object with its error. `from`: by source and group how many of the counts came from there; the rest is
    clean. `chosen_from`: how many candidates, recipes or checkpoints, were compared on the holdout to choose this one.
    `eval_size` and `stderr` are those of every metric that says none itself, or by group."""

    external_id: Text | None = None
    counts: Annotated[dict[Key, Count], Keyed]
    metrics: Annotated[dict[Key, ReadingGiven], Keyed]
    origin: Annotated[Origin | None, Field(alias="from")] = None
    eval_size: ForAll[EvalSize] | None = None
    stderr: ForAll[NonNegative] | None = None
    holdout: ShortText | None = None
    recipe: ShortText | None = None
    chosen_from: ChosenFrom = 1
    observed_at: InstantIn | None = None


class Observations(Shape):
    observations: list[ObservationIn]


def drafts_of(runs: Iterable[tuple[str, ObservationIn]]) -> list[Draft]:
    """The runs with where they stand. Raises Invalid naming what contradicts itself."""
    faults: list[Fault] = []
    found = []
    for at, run in runs:
        faults += [Fault(f"{at}{place}", detail) for place, detail in contradictions(run)]
        found.append(draft(run, at))
    refuse(faults[:MAX_FAULTS])
    return found


def contradictions(run: ObservationIn) -> Iterator[tuple[str, str]]:
    """Where a run's own error and a metric's differ, and errors of groups that were not measured, by pointer."""
    for name in ("eval_size", "stderr"):
        said = getattr(run, name)
        for key in said if isinstance(said, dict) else ():
            if key not in run.metrics:
                yield f"/{name}/{escape(key)}", f"'{key}' has no metric in this run"
        for key, metric in run.metrics.items():
            own, common = getattr(metric, name), of_group(said, key)
            if own is not None and common is not None and own != common:
                yield f"/metrics/{escape(key)}/{name}", f"is {own:g} here and {common:g} in the run's {name}; say one"


def of_group(said: Any, key: str) -> Any:
    """What the run states of one group."""
    return said.get(key) if isinstance(said, dict) else said


def draft(run: ObservationIn, at: str) -> Draft:
    def reading(key: str, metric: ReadingIn) -> Reading:
        stderr = of_group(run.stderr, key) if metric.stderr is None else metric.stderr
        eval_size = of_group(run.eval_size, key) if metric.eval_size is None else metric.eval_size
        return Reading(metric.value, stderr, eval_size)

    return Draft(
        at=at,
        external_id=run.external_id,
        counts=dict(run.counts),
        metrics={key: reading(key, metric) for key, metric in run.metrics.items()},
        origin=without_none(run.origin or {}),
        holdout=run.holdout,
        recipe=run.recipe,
        chosen_from=run.chosen_from,
        observed_at=run.observed_at,
    )
