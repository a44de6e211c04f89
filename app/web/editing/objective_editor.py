"""The goal of a project: what its plans maximise, in words, with what each kind of goal can be told."""

from typing import Annotated, Any

from pydantic import TypeAdapter

from app.api.http.bulk import validated
from app.api.projects.projects import ProjectPatch, columns
from app.services.projects import projects
from app.services.projects.objectives import SENTENCES, parameters_of
from app.store.models.projects import Project
from app.web.editing.fields import COUNT, REAL, SHARE, WEIGHTS, Field, Reader
from app.web.editing.forms import Editor, Form, Part, Values
from app.web.site.visit import Answer, Visit, acts, pages, sees

router = pages()

PATCH: TypeAdapter[ProjectPatch] = TypeAdapter(ProjectPatch)
MODES = (("worst_case", "the worst of them"), ("regret", "the largest regret"))


def read_vectors(text: str) -> list[Any]:
    """Weights of groups, a line for each, with an empty line between two of their sets. Raises ValueError."""
    blocks = [one for one in text.split("\n\n") if one.strip()]
    return [WEIGHTS.read(block) for block in blocks]


VECTORS = Reader(
    read_vectors, lambda value: "\n\n".join(WEIGHTS.show(one) for one in value), "textarea", {"spellcheck": "false"}
)
PARAMETERS = {
    "aversion": Field("objective.aversion", "How much more", REAL, "0 is the plain sum, 1 the logarithm, at most 50"),
    "stop_ratio": Field("objective.stop_ratio", "Leave a group that gains less than", SHARE,
                        "Of what the others would gain by the same money; 0 % never does"),
    "tail": Field("objective.tail", "Share that counts as worst off", SHARE),
    "power": Field("objective.power", "Shortfalls count", COUNT, "1 as they are, 2 squared"),
    "lambda": Field("objective.lambda", "What the gap costs", REAL, "Of what groups lack of the mean, so many times"),
    "mode": Field("objective.mode", "Against", options=MODES),
    "weight_vectors": Field("objective.weight_vectors", "Sets of weights", VECTORS,
                            "A line for each group by its key, such as A: 0.5, and an empty line between two sets"),
}  # fmt: skip


def form_of(project: Project) -> Form:
    kinds = [(key, f"{sentence[0].upper()}{sentence[1:]}") for key, sentence in SENTENCES.items()
             if key != "compromise" or project.stakeholders]  # fmt: skip
    risk = Field("objective.risk", "Plan for the worst share of what the curves may be", SHARE, "Empty: for their mean")
    return Form(
        (
            Part("The goal", (Field("objective.kind", "What plans maximise", options=kinds), risk)),
            *(
                Part(f"For the goal: {sentence}", [PARAMETERS[name] for name in parameters_of(key)])
                for key, sentence in SENTENCES.items()
                if parameters_of(key)
            ),
        )
    )


def shown_of(project: Project, form: Form) -> Values:
    usual = {name: value for key in SENTENCES for name, value in parameters_of(key).items()}
    return form.shown({"objective": {**usual, **project.objective}})


def body_of(form: Form, typed: Values) -> ProjectPatch:
    """The goal with what belongs to its kind. Raises Invalid."""
    kind = typed["objective.kind"]
    own = ["kind", "risk", *parameters_of(kind)] if kind in SENTENCES else ["kind"]
    names = {f"objective.{name}" for name in own}
    wanted = Form([Part(part.legend, [one for one in part.fields if one.name in names]) for part in form.parts])
    said = wanted.read(typed)["objective"]
    body: ProjectPatch = validated(
        PATCH, {"objective": {name: value for name, value in said.items() if value is not None}}
    )
    return body


def editor(visit: Visit, project: Project, form: Form) -> Editor:
    path, heading = f"/projects/{project.id}/objective", f"Goal of {project.name}"
    return Editor(visit, form, path, heading, more={"project": project})


@router.get("/projects/{project_id}/objective")
def objective_form(project_id: str, visit: Annotated[Visit, sees("write")]) -> Answer:
    project = visit.project(project_id)
    form = form_of(project)
    shown = shown_of(project, form)
    return editor(visit, project, form).show(shown, shown)


@router.post("/projects/{project_id}/objective")
def change_objective(project_id: str, visit: Annotated[Visit, acts("write")]) -> Answer:
    project = visit.project(project_id)
    form = form_of(project)
    shown = shown_of(project, form)
    here = editor(visit, project, form)

    def step(typed: Values) -> tuple[str, str]:
        fields = columns(body_of(form, typed))
        projects.update_project(visit.session, project, fields, visit.now)
        return here.path, form.differences(shown, shown_of(project, form))

    return here.change(shown, step)
