"""How to train on what is held: shares, repeats and loss weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import isnan
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from app.api.http.answers import WarningOut
from app.api.http.downloads import disposition, spooled
from app.api.http.etags import question_tag
from app.api.http.problems import declared
from app.api.http.runtime import SOFTWARE_VERSION
from app.api.http.shapes import Answer
from app.api.http.transactions import Call, Route, reads
from app.errors import Conflict
from app.planner.training import Mix
from app.services.training.mixes import GroupHeld, MixQuestion, TrainingMix, training_mix_of
from app.store.models.projects import Project
from app.tables.csv_file import write_csv
from app.tables.shape import Column, Stamp, Table

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["planning"], route_class=Route)

CSV = "text/csv; charset=utf-8; header=present"
Temperature = Annotated[
    float, Query(ge=1, le=100, description="1 takes the samples as they are, 100 nearly all groups alike")
]
Samples = Annotated[
    int | None, Query(ge=1, le=10**15, description="Samples that the run sees, repeats counted; as many as are held")
]
Repeats = Annotated[float | None, Query(gt=0, le=10**6, description="No sample is shown more often")]
LateShare = Annotated[
    float | None, Query(gt=0, lt=1, description="The last part of the run, which is a phase of its own")
]
LateTemperature = Annotated[float | None, Query(ge=1, le=100, description="In that part; 1 where it is left out")]


def asked_mix(
    temperature: Temperature = 1.0,
    samples: Samples = None,
    max_repeats: Repeats = None,
    late_share: LateShare = None,
    late_temperature: LateTemperature = None,
) -> MixQuestion:
    return MixQuestion(temperature, samples, max_repeats, late_share, late_temperature)


Asked = Annotated[MixQuestion, Depends(asked_mix)]


class MixPartOut(Answer):
    """Of the group's samples those of one source, null for what was held at the start; within a group each sample is
    shown as often as the others."""

    source: str | None
    held: int
    share: float


class MixItemOut(Answer):
    """`share` of the phase's samples, how many times each of the group's samples is shown in it, and the weight of its
    loss that does the same in expectation without showing any sample more often, null where none is held."""

    group: str
    held: int
    share: float
    repeats: float
    loss_weight: float | None
    sources: list[MixPartOut]


class MixPhaseOut(Answer):
    """From `start` to `end` of the run, as shares of its samples. `variance_factor`: by how much more the gradients
    scatter than on the samples as they are; `effective_size`: so many of these would do as well."""

    start: float
    end: float
    temperature: float
    variance_factor: float
    effective_size: float
    items: list[MixItemOut]


class TrainingMixOut(Answer):
    data_version: int
    data_at: datetime
    samples: int
    phases: list[MixPhaseOut]
    warnings: list[WarningOut]


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    phase: int
    mix: Mix
    group: GroupHeld
    at: int
    source: str | None
    held: int

    @property
    def share(self) -> float:
        return float(self.mix.share[self.at]) * self.held / max(1, self.group.held)


def lines_of(found: TrainingMix) -> Iterator[Line]:
    for number, mix in enumerate(found.mixes, start=1):
        for at, group in enumerate(found.groups):
            for part in group.parts:
                yield Line(number, mix, group, at, part.source, part.held)


def weight_of(mix: Mix, at: int) -> float | None:
    weight = float(mix.loss_weight[at])
    return None if isnan(weight) else weight


def item_shape(mix: Mix, at: int, group: GroupHeld) -> MixItemOut:
    share = float(mix.share[at])
    return MixItemOut(
        group=group.key,
        held=group.held,
        share=share,
        repeats=float(mix.repeats[at]),
        loss_weight=weight_of(mix, at),
        sources=[
            MixPartOut(source=one.source, held=one.held, share=share * one.held / group.held) for one in group.parts
        ],
    )


def mix_shape(project: Project, found: TrainingMix) -> TrainingMixOut:
    phases = [
        MixPhaseOut(
            start=mix.phase.start,
            end=mix.phase.end,
            temperature=mix.phase.temperature,
            variance_factor=mix.variance_factor,
            effective_size=mix.effective_size,
            items=[item_shape(mix, at, group) for at, group in enumerate(found.groups)],
        )
        for mix in found.mixes
    ]
    return TrainingMixOut.of(project, phases=phases, samples=found.samples, warnings=found.warnings)


def mix_file(project: Project, found: TrainingMix) -> Response:
    """A row per phase, group and source, to be saved."""
    columns: list[Column[Line]] = [
        Column("phase", "count", "number of the phase", lambda one: one.phase),
        Column("group", "text", "key of the group", lambda one: one.group.key),
        Column("source", "text", "key of the source; empty: held at the start", lambda one: one.source),
        Column("held", "count", "samples", lambda one: one.held),
        Column("share", "number", "of the phase's samples", lambda one: one.share),
        Column("repeats", "number", "times that each is shown", lambda one: float(one.mix.repeats[one.at])),
        Column("loss_weight", "number", "instead of repeats", lambda one: weight_of(one.mix, one.at)),
    ]
    table = Table("training-mix", "How to train on what is held", columns, list(lines_of(found)))
    name = disposition("attachment", project.name, f"training-mix-v{project.data_version}", "csv")
    stamp = Stamp(project.data_version, 0, SOFTWARE_VERSION)
    return spooled(lambda file: write_csv(table, stamp, file), CSV, {"Content-Disposition": name})


@router.get("/training-mix", summary="Say how to train on what is held", responses=declared(Conflict))
def read_training_mix(project_id: str, call: Annotated[Call, reads("read")], question: Asked) -> TrainingMixOut:
    """Shares, repeats and loss weights by temperature. It informs; nothing is planned by it."""
    project = call.project(project_id)
    call.unless_matched(question_tag(project, "training-mix", *vars(question).values()))
    return mix_shape(project, training_mix_of(call.session, project, question))


FILE: dict[str, Any] = {"schema": {"type": "string"}, "example": '"phase","group","source",…'}


@router.get(
    "/training-mix.csv",
    summary="Download how to train on what is held",
    response_class=Response,
    responses={200: {"content": {"text/csv": FILE}}, **declared(Conflict)},
)
def read_training_mix_table(project_id: str, call: Annotated[Call, reads("read")], question: Asked) -> Response:
    """A row per phase, group and source."""
    project = call.project(project_id)
    return mix_file(project, training_mix_of(call.session, project, question))
