"""What the planner tells the user beside its answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Warning:
    """One remark: a stable code, one sentence that says what to do, and the group or source it is about."""

    code: str
    detail: str
    group: str | None = None
    source: str | None = None
