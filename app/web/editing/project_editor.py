"""The settings of a project: name, notes, money, what is measured, and from where on a plan is not to be signed."""

from typing import Annotated

from pydantic import TypeAdapter

from app.api.projects.objectives import VerdictThresholds
from app.api.projects.projects import ProjectPatch, columns, project_shape
from app.services.projects import projects
from app.services.projects.metrics import MODELS
from app.services.signing.words import has_points
from app.store.models.projects import Project
from app.web.editing.fields import COUNT, LONG, REAL, SHARE, Field, money, point_money
from app.web.editing.forms import Editor, Form, Part, Values
from app.web.site.visit import Answer, Visit, acts, pages, sees

router = pages()

PATCH: TypeAdapter[ProjectPatch] = TypeAdapter(ProjectPatch)
KINDS = (("proportion", "a share of counted examples, from 0 to 1"), ("other", "another number"))
GOALS = (("maximize", "higher"), ("minimize", "lower"))


def form_of(project: Project) -> Form:
    amount = money(project.currency)
    return Form(
        (
            Part(
                "The project",
                (
                    Field("name", "Name", required=True, attributes={"maxlength": 200}),
                    Field("budget.total", f"Budget for all rounds, {project.currency}", amount, required=True),
                    Field("budget.rounds", "Rounds", COUNT, required=True),
                    Field(
                        "currency",
                        "Currency",
                        hint="Three letters, such as USD; fixed by the first training run",
                        required=True,
                        attributes={"maxlength": 3},
                    ),
                ),
            ),
            Part(
                "Notes",
                (Field("notes", "Notes", LONG, "For whoever signs; they stand on the report’s first page"),),
            ),
            Part(
                "What it is worth, and who signs",
                (
                    worth_field(project),
                    Field(
                        "smallest_gain",
                        "Smallest gain worth a round",
                        REAL,
                        "In utility, in which 0.01 is a point for everyone: such as 0.002",
                    ),
                    Field(
                        "approval_threshold",
                        f"Two people sign rounds above, {project.currency}",
                        amount,
                        "Empty: one is enough for each round",
                    ),
                    Field(
                        "proposal_expires_days",
                        "Days until a proposal expires",
                        COUNT,
                        "Empty: it waits until somebody signs or withdraws it",
                    ),
                ),
            ),
            Part(
                "What is measured",
                (
                    Field("metric.name", "Metric"),
                    Field("metric.kind", "Kind", options=KINDS),
                    Field("metric.goal", "Better is", options=GOALS),
                    Field("metric.lower", "Lowest value", REAL),
                    Field("metric.upper", "Highest value", REAL),
                    Field(
                        "recipe",
                        "Recipe",
                        hint="How the model is trained; runs of other recipes are kept and not counted",
                        attributes={"maxlength": 100},
                    ),
                    Field("model", "What is trained", options=tuple(MODELS.items())),
                ),
                "All but the metric’s name, the recipe and what is trained is fixed by the first training run.",
            ),
            Part(
                "From where on a plan is not to be signed as it is",
                (
                    Field(
                        "verdict_thresholds.measure_share",
                        "Measure first: share of the money for groups that hold more than was trained on",
                        SHARE,
                    ),
                    Field("verdict_thresholds.part_share", "Buy a part: share of the money for a group", SHARE),
                    Field(
                        "verdict_thresholds.reach", "… that ends beyond so many times the largest count measured", REAL
                    ),
                    Field(
                        "verdict_thresholds.least_difference",
                        "Any way of splitting will do: difference below",
                        REAL,
                        "In the metric’s unit; empty is a thousandth of its span",
                    ),
                    Field("verdict_thresholds.least_chance", "… or chance to be better below", SHARE),
                ),
            ),
        )
    )


def worth_field(project: Project) -> Field:
    """Of a point where the goal is counted in points, else of a unit of utility."""
    hint = "With it the plan says when samples cost more than they bring"
    if has_points(project) and project.objective["kind"] == "utilitarian":
        label = f"Worth of one point of {project.metric_name}, on average over the groups, {project.currency}"
        return Field("value_per_utility", label, point_money(project.currency), hint)
    label = f"Worth of a gain of 1 in utility, {project.currency}"
    return Field("value_per_utility", label, money(project.currency), f"{hint}. Utility is what the goal counts")


def shown_of(project: Project, form: Form) -> Values:
    document = project_shape(project).model_dump(mode="json")
    document["verdict_thresholds"] = document["verdict_thresholds"] or VerdictThresholds().model_dump(mode="json")
    return form.shown(document)


def editor(visit: Visit, project: Project, form: Form) -> Editor:
    path = f"/projects/{project.id}/settings"
    return Editor(visit, form, path, f"Settings of {project.name}", "settings.html", {"project": project})


@router.get("/projects/{project_id}/settings")
def settings_form(project_id: str, visit: Annotated[Visit, sees("write")]) -> Answer:
    project = visit.project(project_id)
    form = form_of(project)
    shown = shown_of(project, form)
    return editor(visit, project, form).show(shown, shown)


@router.post("/projects/{project_id}/settings")
def change_settings(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    form = form_of(project)
    shown = shown_of(project, form)
    here = editor(visit, project, form)

    def change(typed: Values) -> tuple[str, str]:
        fields = columns(form.body(PATCH, typed, shown))
        if fields:
            projects.update_project(visit.session, project, fields, visit.now)
        return here.path, form.differences(shown, shown_of(project, form))

    return here.change(shown, change)


@router.post("/projects/{project_id}/archive")
def archive(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    """Hides it; the page of archived projects brings it back."""
    project = visit.project(project_id)
    form = form_of(project)
    shown = shown_of(project, form)

    def step(_: Values) -> tuple[str, str]:
        projects.archive_project(visit.session, project, visit.now)
        return "/?archived=true", f"{project.name} is archived. Nothing is erased; it can be brought back here."

    return editor(visit, project, form).change(shown, step)
