"""What is noted of a call, or of a job, while it is worked on: for its line in the log, and for what else is logged
meanwhile."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from app.errors import TrancheError


@dataclass(slots=True)
class CallNote:
    """One call. `trace_id` as W3C's traceparent has it. `problem`: the code of the error that was answered; `reason`: a
    word for it that the caller is not told."""

    request_id: str
    trace_id: str | None = None
    key_id: str | None = None
    workspace_id: str | None = None
    problem: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class JobNote:
    """One attempt of a job. `facts`: ids beside those of its arguments."""

    outcome: str = "succeeded"
    facts: dict[str, Any] = field(default_factory=dict)


CALL: ContextVar[CallNote | None] = ContextVar("call", default=None)
JOB: ContextVar[JobNote | None] = ContextVar("job", default=None)


def request_id() -> str | None:
    """Of the call that is answered here; None outside of calls."""
    note = CALL.get()
    return None if note is None else note.request_id


def note_caller(key_id: str, workspace_id: object) -> None:
    """Whose key the call was let in with."""
    note = CALL.get()
    if note is not None:
        note.key_id, note.workspace_id = key_id, str(workspace_id)


def note_problem(error: TrancheError) -> None:
    """What the call is answered with, and what the error says for the log alone."""
    note = CALL.get()
    if note is not None:
        note.problem, note.reason = error.code(), getattr(error, "reason", None)
        note.key_id = note.key_id or getattr(error, "key_id", None)


def note_outcome(outcome: str) -> None:
    """How the attempt of a job ended, where it is not known by what it raises."""
    note = JOB.get()
    if note is not None:
        note.outcome = outcome


def note_ids(**ids: object) -> None:
    """Ids that belong into the line of the job; what is None is left out."""
    note = JOB.get()
    if note is not None:
        note.facts.update({name: str(one) for name, one in ids.items() if one is not None})
