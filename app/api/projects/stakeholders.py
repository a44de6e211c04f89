"""Who else judges a project's plans."""

from typing import Annotated

from pydantic import Field

from app.api.http.shapes import Shape, Text
from app.api.projects.objectives import OwnObjective, Weights

MAX_STAKEHOLDERS = 10


class Stakeholder(Shape):
    """One that judges plans by an `objective` and `weights` of its own; a group that the weights leave out weighs 0,
    null are the groups' own."""

    name: Text
    objective: OwnObjective
    weights: Weights | None = None


Stakeholders = Annotated[tuple[Stakeholder, ...], Field(max_length=MAX_STAKEHOLDERS)]
