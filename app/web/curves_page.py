"""The learning curves of a project's groups: drawn, and as a table of what is known of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from app.charts.words import percent
from app.errors import Fault, TrancheError, invalid
from app.services.computing import Work, computed
from app.services.curves.fits import DRAWS, SEED
from app.services.forecasts.curves import Curve, known_curves
from app.services.forecasts.worths import Worths, worths_of
from app.services.holdouts.ledger import Holdout, holdouts_of
from app.services.planning import HARDLY_EVER, Warning
from app.services.planning.allocations import AllocationQuestion, doubts_by_group
from app.services.planning.looks import kept_allocation
from app.services.projects import projects
from app.services.projects.metrics import MODELS
from app.store.models.projects import Group, Project
from app.store.observations import listed_holdouts
from app.store.projects import members
from app.web.site.visit import Answer, Visit, acts, pages, sees, tried

router = pages()

PER_PAGE = 12
"""As charts and plans ask: the same fit serves all three."""
MOST_SOURCES = 3
MOST_HOLDOUTS = 5


@dataclass(frozen=True)
class Line:
    """A group's row. doubts: what the plan page doubts of it, too."""

    curve: Curve
    name: str
    taught: Sequence[tuple[str, float]]
    doubts: Sequence[Warning]

    @property
    def width(self) -> float:
        """Of the 90 % interval."""
        return (self.curve.now.quantiles["p95"] or 0.0) - (self.curve.now.quantiles["p05"] or 0.0)


@router.get("/projects/{project_id}/curves")
def curves_page(
    project_id: str,
    visit: Annotated[Visit, sees("read")],
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Answer:
    return page_of(visit, visit.project(project_id), page)


@router.post("/projects/{project_id}/model")
def choose_model(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    """Says what is trained; the curves are fitted anew."""
    project, model = visit.project(project_id), visit.said("model")
    if model not in MODELS:
        return page_of(visit, project, 1, invalid(Fault("/model", f"choose one of {', '.join(MODELS)}")))
    projects.update_project(visit.session, project, {"model": model}, visit.now)
    return visit.redirect(f"/projects/{project.id}/curves", f"The project has {MODELS[model]} now.")


def page_of(visit: Visit, project: Project, page: int, refused: TrancheError | None = None) -> Answer:
    groups = members(visit.session, Group, project.id)
    shown = groups[(page - 1) * PER_PAGE : page * PER_PAGE]
    ledger, _ = tried(lambda: ledger_of(visit, project))
    holdouts, more_holdouts = ledger or ([], False)
    found, error = tried(lambda: lines_of(visit, project, groups, shown))
    lines, worths = found or ([], None)
    return visit.render(
        "curves.html",
        project=project,
        groups=groups,
        lines=lines,
        worths=worths,
        holdouts=holdouts,
        more_holdouts=more_holdouts,
        names={group.key: group.name or group.key for group in groups},
        finding=finding(project, lines),
        called=frozenset(line.name for line in lines),
        charts=[
            (line.name, f"/projects/{project.id}/charts/curve?{urlencode({'group': line.curve.group})}")
            for line in lines
        ],
        awaited=any(line.curve.stock.pending for line in lines),
        page=page,
        last=-(-len(groups) // PER_PAGE),
        out_of_reach=HARDLY_EVER,
        chance=percent,
        has_targets=any(group.target is not None for group in shown),
        models=MODELS,
        error=refused or error,
    )


def ledger_of(visit: Visit, project: Project) -> tuple[list[Holdout], bool]:
    """The first holdouts by name, and whether there are more."""
    uses, more = listed_holdouts(visit.session, project.id).part(None, MOST_HOLDOUTS)
    return holdouts_of(visit.session, visit.runtime.fits, project, uses), more is not None


def lines_of(
    visit: Visit, project: Project, groups: Sequence[Group], shown: Sequence[Group]
) -> tuple[list[Line], Worths | None]:
    """The rows of the groups that are shown, and what all groups' samples are worth where one model is trained."""
    if not shown:
        return [], None
    known = known_curves(visit.session, visit.runtime.fits, project, DRAWS, SEED)
    names = {group.key: group.name or group.key for group in groups}
    doubts = doubts_of(visit, project)

    def draw() -> tuple[list[Line], Worths | None]:
        lines = [line_of(known.curve(group), names, doubts) for group in shown]
        return lines, worths_of(known.posterior, names) if project.model == "joint" else None

    key = ("lines", project.id, project.data_version, shown[0].key)
    return computed(visit.session, key, Work(len(shown) * DRAWS, draw))


def doubts_of(visit: Visit, project: Project) -> dict[str, list[Warning]] | None:
    """What the plan of the project's own question doubts of each group; None where there is no plan."""
    plan, _ = tried(lambda: kept_allocation(visit.session, visit.runtime.fits, project, AllocationQuestion()))
    return None if plan is None else doubts_by_group(plan)


def line_of(curve: Curve, names: Mapping[str, str], doubts: Mapping[str, Sequence[Warning]] | None) -> Line:
    """The group's row; it names those that teach it the most."""
    taught = sorted(((names.get(one.source, one.source), one.mean) for one in curve.transfer), key=lambda one: -one[1])
    found = curve.warnings if doubts is None else doubts.get(curve.group, ())
    return Line(curve, names[curve.group], taught[:MOST_SOURCES], found)


def finding(project: Project, lines: Sequence[Line]) -> str:
    """Which of the groups shown is known the least, in a sentence."""
    if not lines:
        return ""
    least = max(lines, key=lambda line: line.width)
    now, stock = least.curve.now, least.curve.stock
    value = f"{project.metric_name} {now.mean:.3f} ({now.quantiles['p05']:.3f} to {now.quantiles['p95']:.3f})"
    awaited = f" and {stock.pending:,} awaited" if stock.pending else ""
    return f"Least certain here: {least.name}, {value} at the {stock.count:,} samples held{awaited}."
