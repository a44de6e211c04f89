"""Learning curves of a project's groups."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from app.api.http.answers import Draws, IntervalOut, Seed, WarningOut
from app.api.http.etags import question_tag
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import MAX_COUNT, Answer, count_of
from app.api.http.transactions import Call, Route, reads
from app.api.keys.paths import KeyInPath
from app.errors import Fault, TooManyComputations, invalid
from app.services.curves.fits import DRAWS, SEED
from app.services.forecasts.curves import Curve, CurveQuestion, Summary, curves_of
from app.services.projects.changes import get_member
from app.store.models.projects import Group, Project
from app.store.projects import listed_members

router = APIRouter(prefix="/v1/projects/{project_id}/curves", tags=["curves"], route_class=Route)

MAX_AT = 100

At = Annotated[
    str | None,
    Query(
        max_length=2000,
        description="Up to 100 counts, such as 100,200,400; left out: a spread round what is held",
    ),
]


class Parameter(Answer):
    """A parameter's posterior; null stands for a number that is not finite, as of a target never reached."""

    mean: float | None
    p05: float | None
    p50: float | None
    p95: float | None


class Quantiles(Answer):
    """A distribution of the metric, in its own units."""

    mean: float
    p05: float
    p10: float
    p25: float
    p50: float
    p75: float
    p90: float
    p95: float


class BandOut(Quantiles):
    """The metric at `count` own samples."""

    count: int


class PointOut(Answer):
    """A measured point; `residual` is its distance from the curve in standard deviations."""

    observation: UUID
    count: int
    value: float
    stderr: float | None
    residual: float | None


class WeightOut(IntervalOut):
    pass


class TransferOut(Answer):
    """What a sample of the group `source` is worth to this one, in own samples, while few are held of it."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    source: str = Field(alias="from")
    weight: WeightOut


class DiagnosticsOut(Answer):
    points: int
    distinct_sizes: int
    largest_count: int
    holdouts: int


class CurveOut(Answer):
    """A group's learning curve: loss = asymptote + scale · (n + offset)^−exponent over its posterior. `asymptote` is
    in the metric's units; `offset` is one of 0, 1/20, 1/4, 1 and 4 times the largest size in each draw, weighed by the
    runs and by what real curves had: few sizes say little of it, so it is shrunk to these, and the `exponent`, which
    makes up for it, with it. `samples_to_target` are own samples, null where the target is never reached;
    `chance_reachable` is the chance that endless data reaches it, null without a target. `count` clean
    samples are held and `pending` ordered but not delivered; `raw_count` and `raw_pending` are the same whatever their
    quality. `now` is the metric with what is held and awaited, the `metric_now` of a plan; `misfit` is by how much
    worse it is for the share of the data that is unlike the group, null where that takes nothing. `warnings` doubt the
    curve; what a plan doubts besides stands with the plan."""

    group: str
    count: int
    pending: int
    raw_count: int
    raw_pending: int
    now: Quantiles
    data_version: int
    parameters: dict[str, Parameter]
    chance_reachable: float | None
    bands: list[BandOut]
    points: list[PointOut]
    transfer: list[TransferOut]
    misfit: Parameter | None
    diagnostics: DiagnosticsOut
    warnings: list[WarningOut]


def curve_shape(project: Project, curve: Curve) -> CurveOut:
    return CurveOut.of(
        curve,
        project,
        parameters={name: Parameter(mean=one.mean, **main_quantiles(one)) for name, one in curve.parameters.items()},
        count=curve.stock.count,
        pending=curve.stock.pending,
        raw_count=curve.stock.raw_count,
        raw_pending=curve.stock.raw_pending,
        now=Quantiles(mean=curve.now.mean, **curve.now.quantiles),
        bands=[BandOut(count=count, mean=one.mean, **one.quantiles) for count, one in curve.bands],
        misfit=None if curve.misfit is None else Parameter(mean=curve.misfit.mean, **main_quantiles(curve.misfit)),
        transfer=[TransferOut(source=one.source, weight=WeightOut.model_validate(one)) for one in curve.transfer],
    )


def main_quantiles(one: Summary) -> dict[str, float | None]:
    return {name: one.quantiles[name] for name in ("p05", "p50", "p95")}


def read_at(text: str | None) -> list[int]:
    """'100,200,400' as counts. Raises Invalid."""
    counts = [count_of(part.strip()) for part in text.split(",")] if text else []
    known = [count for count in counts if count is not None]
    if len(counts) > MAX_AT or len(known) < len(counts):
        limits = f"give up to {MAX_AT} whole counts up to {MAX_COUNT:,} parted by commas, such as 100,200,400"
        raise invalid(Fault("?at", limits))
    return known


@router.get("", summary="Read the learning curves", responses=declared(TooManyComputations))
def list_curves(
    project_id: str,
    call: Annotated[Call, reads("read")],
    at: At = None,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CurveOut]:
    """Per group: the band of the metric at each count asked for, what it was learnt from, and what to doubt."""
    counts = read_at(at)
    project = call.project(project_id)
    call.unless_matched(question_tag(project, counts, draws, seed, limit, cursor))
    groups = listed_members(call.session, Group, project.id, archived=False)
    rows = page(call, cursor, limit, groups, lambda row: row)
    question = CurveQuestion(counts, draws, seed)
    curves = curves_of(call.session, call.runtime.fits, project, rows.items, question)
    return Page(items=[curve_shape(project, curve) for curve in curves], next_cursor=rows.next_cursor)


@router.get("/{group}", summary="Read a group's learning curve", responses=declared(TooManyComputations))
def read_curve(
    project_id: str,
    group: KeyInPath,
    call: Annotated[Call, reads("read")],
    at: At = None,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
) -> CurveOut:
    counts = read_at(at)
    project = call.project(project_id)
    row = get_member(call.session, project, Group, group)
    call.unless_matched(question_tag(project, group, counts, draws, seed))
    [curve] = curves_of(call.session, call.runtime.fits, project, [row], CurveQuestion(counts, draws, seed))
    return curve_shape(project, curve)
