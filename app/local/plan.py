"""The next allocation of a project that stands in files: the API's own shapes and services, on a database in memory."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter

from app.api.http.bulk import validated
from app.api.planning.allocations import AllocationOut, allocation_shape, read_budget
from app.api.projects.projects import ProjectIn, columns
from app.api.projects.sources import source_fields
from app.errors import Fault, TrancheError, invalid
from app.local.sheets import read_groups, read_runs
from app.local.yaml_file import Document, read_yaml
from app.services.access.keys import Caller
from app.services.curves.fits import Fits
from app.services.ids import new_id
from app.services.observations import observe
from app.services.observations.drafts import Draft
from app.services.planning.allocations import AllocationQuestion, next_allocation
from app.services.planning.policies import POLICY_KEYS, PolicyName
from app.services.projects import projects
from app.store.db import Database, memory_database
from app.store.models.access import Workspace

PROJECT: TypeAdapter[ProjectIn] = TypeAdapter(ProjectIn)
CACHE_BYTES = 100_000_000

Result = TypeVar("Result")


@dataclass(frozen=True)
class File:
    """A file that was read: what it is called, and what is in it."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Inputs:
    """What `tranche plan` is given. `budget`, `policy`: as typed, like the API's query. Without `runs` the plan is
    one of the prior alone. `missing_is_zero`: groups that a run does not name counted 0 in it."""

    project: File
    runs: File | None = None
    groups: File | None = None
    budget: str | None = None
    policy: str = "optimal"
    missing_is_zero: bool = False


class InputFaults(Exception):
    """What must be changed in the files or the options, a line each."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Planned:
    """The API's answer, and what its metric is called."""

    answer: AllocationOut
    metric: str


@dataclass(frozen=True)
class Sources:
    """Where the parts of the project stand, so that a fault is told where it can be mended."""

    project: File
    document: Document
    groups: File | None = None
    group_lines: Sequence[int] = field(default=())

    def told(self, fault: Fault) -> str:
        """A fault by file and line."""
        _, part, *rest = [*fault.pointer.split("/"), ""]
        if self.groups is not None and part == "groups" and rest and rest[0].isdecimal():
            column = ".".join(rest[1:]).strip(".")
            said = f"{column}: {fault.detail}" if column else fault.detail
            return f"{self.groups.name}: line {self.group_lines[int(rest[0])]}: {said}"
        if fault.pointer and not fault.pointer.startswith("/"):
            return f"{OPTIONS.get(fault.pointer, fault.pointer)}: {fault.detail}"
        line, position = self.document.place(fault.pointer)
        said = f"{fault.pointer}: {fault.detail}" if fault.pointer else fault.detail
        return f"{self.project.name}: line {line}, column {position}: {said}"


OPTIONS: Mapping[str, str] = {"?budget": "--budget", "?policy": "--policy"}


def plan_of(inputs: Inputs, now: datetime | None = None) -> Planned:
    """What `GET …/allocations/next` answers for the same project, groups and runs. Raises InputFaults."""
    at = now or datetime.now(UTC)
    question = caught(lambda: question_of(inputs), option_fault)
    body, sources = read_project(inputs)
    runs = [] if inputs.runs is None else caught(lambda: read_runs(content(inputs.runs)), in_file(inputs.runs))
    with closing(memory_database()) as database:
        local = Local(database, at)
        project_id = caught(lambda: local.create(body), sources.told)
        if inputs.runs is not None:
            caught(lambda: local.post(project_id, runs, inputs.missing_is_zero), in_file(inputs.runs))
        return caught(lambda: local.ask(project_id, question), sources.told)


def question_of(inputs: Inputs) -> AllocationQuestion:
    """Raises Invalid."""
    named = {key: key for key in POLICY_KEYS}
    if inputs.policy not in named:
        raise invalid(Fault("?policy", f"'{inputs.policy[:100]}' is none of {', '.join(POLICY_KEYS)}"))
    policy: PolicyName = named[inputs.policy]
    return AllocationQuestion(budget=read_budget(inputs.budget), policy=policy)


def read_project(inputs: Inputs) -> tuple[ProjectIn, Sources]:
    """The body that POST /v1/projects would take, its groups from their own file where there is one. Raises
    InputFaults."""
    document = caught(lambda: read_yaml(content(inputs.project)), in_file(inputs.project))
    fields = document.value
    sources = Sources(inputs.project, document)
    if not isinstance(fields, dict):
        kind = "a list" if isinstance(fields, list) else "empty" if fields is None else "a single value"
        detail = f"a project is a mapping with name, metric, budget, groups, …; this is {kind}"
        raise InputFaults([sources.told(Fault("", detail))])
    if inputs.groups is not None:
        if "groups" in fields:
            detail = f"groups stand here and in {inputs.groups.name}; keep them in one place"
            raise InputFaults([sources.told(Fault("/groups", detail))])
        currency = str(fields.get("currency") or ProjectIn.model_fields["currency"].default)
        table = caught(lambda: read_groups(content(inputs.groups), currency), in_file(inputs.groups))
        fields = {**fields, "groups": table.documents}
        sources = Sources(inputs.project, document, inputs.groups, table.lines)
    body: ProjectIn = caught(lambda: validated(PROJECT, fields), sources.told)
    if not body.groups:
        raise InputFaults([sources.told(Fault("/groups", "name at least one, here or in a file with --groups"))])
    return body, sources


@dataclass(frozen=True)
class Local:
    """A service of one project and no jobs, each step a transaction of its own as in the API."""

    database: Database
    now: datetime
    fits: Fits = field(default_factory=lambda: Fits(CACHE_BYTES))
    caller: Caller = field(default_factory=lambda: Caller("local", new_id(), frozenset({"admin"}), None))

    def create(self, body: ProjectIn) -> str:
        """Raises TrancheError."""
        groups = [group.model_dump() for group in body.groups]
        offers = [source_fields(source) for source in body.sources]
        with self.database.writing() as session:
            session.add(Workspace(id=self.caller.workspace_id, name="local", created_at=self.now))
            session.flush()
            row = projects.create_project(session, self.caller, columns(body), groups, offers, self.now)
            return str(row.id)

    def post(self, project_id: str, runs: Sequence[Draft], missing_is_zero: bool) -> None:
        """Raises TrancheError."""
        with self.database.writing() as session:
            project = projects.get_project(session, self.caller, project_id)
            observe.post(session, project, runs, missing_is_zero, self.now, no_jobs)

    def ask(self, project_id: str, question: AllocationQuestion) -> Planned:
        """Raises TrancheError."""
        with self.database.reading() as session:
            project = projects.get_project(session, self.caller, project_id)
            answer = next_allocation(session, self.fits, project, question)
            return Planned(allocation_shape(project, question, answer, only_bought=False), project.metric_name)


def no_jobs(*_: Any, **__: Any) -> None:
    """Nobody waits for what follows from runs: the database goes when the plan is made."""


def content(file: File | None) -> bytes:
    return b"" if file is None else file.content


def caught(step: Callable[[], Result], told: Callable[[Fault], str]) -> Result:
    """What `step` gives. Raises InputFaults with its faults as `told` puts them."""
    try:
        return step()
    except TrancheError as error:
        raise InputFaults([told(fault) for fault in error.faults or (Fault("", error.detail),)]) from None


def in_file(file: File | None) -> Callable[[Fault], str]:
    """Of a table or a document that could not be read: its faults name the line themselves."""
    name = "" if file is None else file.name

    def told(fault: Fault) -> str:
        return ": ".join(filter(None, [name, fault.pointer.strip(), fault.detail]))

    return told


def option_fault(fault: Fault) -> str:
    return f"{OPTIONS.get(fault.pointer, fault.pointer)}: {fault.detail}"
