"""What a project can maximise: the planner's table of utilities as pages and reports read it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from app.planner.utility import KINDS, check_kind

LABELS: Mapping[str, str] = MappingProxyType({key: row.label for key, row in KINDS.items() if not row.needs_vectors})
"""Those that can be chosen from a list: their parameters have defaults."""


def labels_of(stakeholders: Sequence[Any]) -> dict[str, str]:
    """Those of LABELS that suit a project with these stakeholders."""
    return {
        key: label for key, label in LABELS.items() if stakeholders or not KINDS[check_kind(key)].needs_stakeholders
    }


SENTENCES: Mapping[str, str] = MappingProxyType({key: row.sentence for key, row in KINDS.items()})


def parameters_of(kind: str) -> dict[str, Any]:
    """What a kind can be told beside `risk`, at its defaults; the sets of weights of one that needs them have none."""
    row = KINDS[check_kind(kind)]
    return {**row.parameters, **({"weight_vectors": None} if row.needs_vectors else {})}


def usual(kind: str) -> dict[str, Any]:
    """The objective of a kind of `LABELS` with its parameters at their defaults, as a project stores it."""
    return {"kind": kind, **KINDS[check_kind(kind)].parameters}
