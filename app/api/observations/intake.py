"""Observations as they come in: JSON or one JSON object per line, each to the same drafts."""

from pydantic import TypeAdapter

from app.api.http.bulk import JSON, json_lines, validated
from app.api.observations.runs import ObservationIn, Observations, drafts_of
from app.errors import Fault, invalid
from app.services.observations.drafts import Draft
from app.services.observations.observations import MAX_OBSERVATIONS
from app.strict_json import as_float, parse_json

OBSERVATION: TypeAdapter[ObservationIn] = TypeAdapter(ObservationIn)
OBSERVATIONS: TypeAdapter[Observations] = TypeAdapter(Observations)


def read_observations(kind: str, body: bytes) -> list[Draft]:
    """The runs in a body of content type `kind`, which is not CSV. Raises Malformed, Invalid naming every bad item."""
    if kind == JSON:
        document = parse_json(body, as_float)
        listed = document.get("observations") if isinstance(document, dict) else None
        refuse_too_many(len(listed) if isinstance(listed, list) else 0)
        runs = validated(OBSERVATIONS, document).observations
        return drafts_of((f"/observations/{index}", run) for index, run in enumerate(runs))
    lines = json_lines(body)
    refuse_too_many(len(lines))
    return drafts_of((f"line {n} ", validated(OBSERVATION, line, f"line {n} ")) for n, line in lines)


def refuse_too_many(count: int) -> None:
    """Raises Invalid for more than one request may hold."""
    if count > MAX_OBSERVATIONS:
        raise invalid(Fault("", f"{count:,} observations; send at most {MAX_OBSERVATIONS:,} in one request"))
