"""How far what is held is like the population that it is meant for."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.api.http.answers import WarningOut
from app.api.http.etags import question_tag
from app.api.http.shapes import Answer, MoneyOut
from app.api.http.transactions import Call, Route, reads
from app.services.representation.standing import Representation, RepresentationQuestion, representation_of
from app.store.models.projects import Project

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["planning"], route_class=Route)

Attributes = Annotated[
    str | None,
    Query(
        max_length=650,
        description="Up to six, with commas between; left out, those of the population, or else all that groups have",
    ),
]
Pairs = Annotated[bool, Query(description="Also every two of the attributes together")]


def asked_representation(attributes: Attributes = None, pairs: Pairs = False) -> RepresentationQuestion:
    names = None if attributes is None else tuple(one.strip() for one in attributes.split(",") if one.strip())
    return RepresentationQuestion(names or None, pairs)


Asked = Annotated[RepresentationQuestion, Depends(asked_representation)]


class LevelOut(Answer):
    """What is held of a level of one attribute or of two: its share, the population's (null where it says none), their
    standardised difference, and what one of its samples is to weigh on average, null where no weights are."""

    attributes: list[str]
    level: str
    held: int
    share: float | None
    target: float | None
    difference: float | None
    weight: float | None


class GroupWeightOut(Answer):
    """What each sample of the group is to weigh, 1 on average over all."""

    group: str
    weight: float | None


class HoleOut(Answer):
    """A level of which no sample is held: `no_group` has it, or its groups have `no_samples`."""

    attributes: list[str]
    level: str
    target: float | None
    because: str


class NextSampleOut(Answer):
    """By how much the effective size grows by one more sample of the group, and by those that 1,000 of the currency buy
    at `unit_cost`, what an accepted one costs at the cheapest source; null where no source offers any."""

    group: str
    unit_cost: MoneyOut | None
    effective_size_per_sample: float
    effective_size_per_1000: float | None


class RepresentationOut(Answer):
    """`size` samples, weighted to be like the population, tell as much as `effective_size` drawn from it. `overlaps`
    are groups of the same attributes."""

    data_version: int
    data_at: datetime
    size: int
    effective_size: float | None
    levels: list[LevelOut]
    groups: list[GroupWeightOut]
    holes: list[HoleOut]
    overlaps: list[list[str]]
    next: list[NextSampleOut]
    warnings: list[WarningOut]


def representation_shape(project: Project, found: Representation) -> RepresentationOut:
    return RepresentationOut.of(found, project)


@router.get("/representation", summary="Say whom the samples are like")
def read_representation(project_id: str, call: Annotated[Call, reads("read")], question: Asked) -> RepresentationOut:
    """Held samples by attribute beside the population's shares, and weights that make up for the difference. It
    informs; nothing is planned by it."""
    project = call.project(project_id)
    call.unless_matched(question_tag(project, "representation", *vars(question).values()))
    return representation_shape(project, representation_of(call.session, project, question))
