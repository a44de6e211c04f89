"""What a project can maximise: the planner's table of utilities as pages and reports read it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from app.planner.utility import KINDS, check_kind

LABELS: Mapping[str, str] = MappingProxyType({key: row.label for key, row in KINDS.items() if not row.needs_vectors})
"""Those that can be chosen from a list: their parameters have defaults."""
SENTENCES: Mapping[str, str] = MappingProxyType({key: row.sentence for key, row in KINDS.items()})


def usual(kind: str) -> dict[str, Any]:
    """The objective of a kind of `LABELS` with its parameters at their defaults, as a project stores it."""
    return {"kind": kind, **KINDS[check_kind(kind)].parameters}
