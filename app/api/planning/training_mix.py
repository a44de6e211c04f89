"""How to train on what is held: shares, repeats and loss weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
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
from app.services.training.mixes import MixQuestion, PhaseMix, Shown, TrainingMix, training_mix_of
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
    shown: Shown
    source: str | None
    held: int

    @property
    def share(self) -> float:
        return self.shown.share * self.held / self.shown.group.held


def lines_of(found: TrainingMix) -> Iterator[Line]:
    for number, phase in enumerate(found.phases, start=1):
        for shown in phase.items:
            for part in shown.group.parts:
                yield Line(number, shown, part.source, part.held)


def item_shape(shown: Shown) -> MixItemOut:
    group = shown.group
    parts = [
        MixPartOut(source=one.source, held=one.held, share=shown.share * one.held / group.held) for one in group.parts
    ]
    return MixItemOut.of(shown, group=group.key, held=group.held, sources=parts)


def phase_shape(phase: PhaseMix) -> MixPhaseOut:
    return MixPhaseOut.of(phase, items=[item_shape(one) for one in phase.items])


def mix_shape(project: Project, found: TrainingMix) -> TrainingMixOut:
    return TrainingMixOut.of(found, project, phases=[phase_shape(one) for one in found.phases])


def mix_file(project: Project, found: TrainingMix) -> Response:
    """A row per phase, group and source, to be saved."""
    columns: list[Column[Line]] = [
        Column("phase", "count", "number of the phase", lambda one: one.phase),
        Column("group", "text", "key of the group", lambda one: one.shown.group.key),
        Column("source", "text", "key of the source; empty: held at the start", lambda one: one.source),
        Column("held", "count", "samples", lambda one: one.held),
        Column("share", "number", "of the phase's samples", lambda one: one.share),
        Column("repeats", "number", "times that each is shown", lambda one: one.shown.repeats),
        Column("loss_weight", "number", "instead of repeats", lambda one: one.shown.loss_weight),
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
