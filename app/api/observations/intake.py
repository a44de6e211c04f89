"""Observations as they come in: JSON or one JSON object per line, each to the same drafts."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from app.api.http.bulk import JSON, json_lines, validated
from app.api.http.shapes import Count, InstantIn, NonNegative, Real, Shape, ShortText, Text
from app.errors import Fault, invalid
from app.services.curves.readings import Reading
from app.services.observations.observations import MAX_OBSERVATIONS, Draft
from app.strict_json import parse_json


class ReadingIn(Shape):
    """A metric measured on one group, with its standard error or, for a proportion, the evaluation's size."""

    value: Real
    stderr: NonNegative | None = None
    eval_size: Annotated[int, Field(strict=True, ge=1, le=10**12)] | None = None


class ObservationIn(Shape):
    """One evaluated training run: the samples of each group it was trained on, the metric measured on each."""

    external_id: Text | None = None
    counts: dict[str, Count]
    metrics: dict[str, ReadingIn]
    holdout: ShortText | None = None
    recipe: ShortText | None = None
    observed_at: InstantIn | None = None


class Observations(Shape):
    observations: list[ObservationIn]


OBSERVATION: TypeAdapter[ObservationIn] = TypeAdapter(ObservationIn)
OBSERVATIONS: TypeAdapter[Observations] = TypeAdapter(Observations)


def read_observations(kind: str, body: bytes) -> list[Draft]:
    """The runs in a body of content type `kind`, which is not CSV. Raises Malformed, Invalid naming every bad item."""
    if kind == JSON:
        document = parse_json(body)
        listed = document.get("observations") if isinstance(document, dict) else None
        refuse_too_many(len(listed) if isinstance(listed, list) else 0)
        runs = validated(OBSERVATIONS, document).observations
        return [draft(run, f"/observations/{index}") for index, run in enumerate(runs)]
    lines = json_lines(body)
    refuse_too_many(len(lines))
    return [draft(validated(OBSERVATION, line, f"line {n} "), f"line {n} ") for n, line in lines]


def refuse_too_many(count: int) -> None:
    """Raises Invalid for more than one request may hold."""
    if count > MAX_OBSERVATIONS:
        raise invalid(Fault("", f"{count:,} observations; send at most {MAX_OBSERVATIONS:,} in one request"))


def draft(run: ObservationIn, at: str) -> Draft:
    return Draft(
        at=at,
        external_id=run.external_id,
        counts=dict(run.counts),
        metrics={key: Reading(metric.value, metric.stderr, metric.eval_size) for key, metric in run.metrics.items()},
        holdout=run.holdout,
        recipe=run.recipe,
        observed_at=run.observed_at,
    )
