"""What curves are fitted to besides runs: the metric, and the active groups with what is held of each.

Small enough to be written down with runs that are forecast later, when the groups may have changed.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.quality import Worth
from app.planner.utility import Metric
from app.services.ledger.holdings import held_of
from app.services.ledger.worths import Worths
from app.services.projects.metrics import ModelName
from app.store.ledger import Collected
from app.store.member_rows import AnyGroup
from app.store.models.projects import Project

FIELDS = ("recipe", "kind", "goal", "lower", "upper", "model")
"""Of `Basis`, besides the groups."""


@dataclass(frozen=True)
class BasisGroup:
    """A group as a fit sees it; held: clean samples."""

    id: int
    key: str
    assumed_curve: Mapping[str, float] | None
    attributes: Mapping[str, str] | None
    parent: str | None
    held: float


@dataclass(frozen=True)
class Basis:
    """The project's recipe, metric and model, and its active groups in their order. `model`: of a basis packed before
    projects said it, separate. `worths`: what is said of sources that are not known to be clean."""

    recipe: str
    kind: str
    goal: Literal["maximize", "minimize"]
    lower: float | None
    upper: float | None
    groups: tuple[BasisGroup, ...]
    model: ModelName = "separate"
    worths: Worths = field(default_factory=dict)

    @cached_property
    def metric(self) -> Metric:
        return Metric(self.goal, self.lower, self.upper)

    @property
    def held(self) -> FloatArray:
        """Clean samples [groups]."""
        return np.array([group.held for group in self.groups], dtype=np.float64)


def basis_of(project: Project, groups: Sequence[AnyGroup], collected: Mapping[int, Collected], worths: Worths) -> Basis:
    """groups: the project's active ones. collected: what orders brought, by group id."""
    return Basis(
        recipe=project.recipe,
        kind=project.metric_kind,
        goal="maximize" if project.metric_goal == "maximize" else "minimize",
        lower=project.metric_lower,
        upper=project.metric_upper,
        groups=tuple(
            BasisGroup(
                group.id,
                group.key,
                group.assumed_curve,
                group.attributes,
                group.parent,
                float(held_of(group, collected).effective),
            )
            for group in groups
        ),
        model="joint" if project.model == "joint" else "separate",
        worths=worths,
    )


def packed(basis: Basis) -> bytes:
    said: dict[str, Any] = {name: getattr(basis, name) for name in FIELDS}
    said["groups"] = [[*asdict(group).values()] for group in basis.groups]
    said["worths"] = {key: [worth.mean, worth.sd] for key, worth in basis.worths.items()}
    return zlib.compress(json.dumps(said, separators=(",", ":")).encode(), 1)


def unpacked(content: bytes) -> Basis:
    """What `packed` packed."""
    said = json.loads(zlib.decompress(content))
    worths = {key: Worth(*parts) for key, parts in said.get("worths", {}).items()}
    return Basis(**{**said, "groups": tuple(BasisGroup(*group) for group in said["groups"]), "worths": worths})
