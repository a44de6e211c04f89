"""How to train on what is held: shares, repeats and loss weights, to be copied into a trainer."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends

from app.api.planning.training_mix import TrainingMixOut, asked_mix, mix_file, mix_shape
from app.services.training.mixes import MixQuestion, training_mix_of
from app.web.site.visit import Answer, Visit, pages, sees, tried

router = pages()

Asked = Annotated[MixQuestion, Depends(asked_mix)]


@router.get("/projects/{project_id}/training-mix")
def training_page(project_id: str, visit: Annotated[Visit, sees("read")], question: Asked) -> Answer:
    project = visit.project(project_id)
    found, error = tried(lambda: training_mix_of(visit.session, project, question))
    mix = mix_shape(project, found) if found else None
    return visit.render(
        "training_mix.html",
        project=project,
        question=question,
        asked=urlencode({name: value for name, value in vars(question).items() if value is not None}),
        names={one.group.key: one.group.name for one in found.phases[0].items} if found else {},
        mix=mix,
        copied=to_copy(mix) if mix else None,
        error=error,
    )


def to_copy(mix: TrainingMixOut) -> dict[str, Any]:
    """What a trainer takes of it."""
    return {
        "samples": mix.samples,
        "phases": [
            {
                "start": phase.start,
                "end": phase.end,
                "shares": {one.group: one.share for one in phase.items},
                "loss_weights": {one.group: one.loss_weight for one in phase.items},
            }
            for phase in mix.phases
        ],
    }


@router.get("/projects/{project_id}/training-mix.csv")
def training_file(project_id: str, visit: Annotated[Visit, sees("read")], question: Asked) -> Answer:
    project = visit.project(project_id)
    return mix_file(project, training_mix_of(visit.session, project, question))
