"""The training runs of a project: what was measured so far, and more of it by file or by form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import TypeAdapter
from tranche.sheets import ReadAs

from app.api.http.bulk import validated
from app.api.observations.intake import OBSERVATION
from app.api.observations.observations import Reason
from app.api.observations.run_tables import runs_of_table
from app.api.observations.runs import drafts_of
from app.errors import Fault, Invalid, escape, invalid
from app.services.computing import Work, computed
from app.services.jobs import plan_watch
from app.services.observations import observations, observe
from app.services.observations.drafts import Draft
from app.store.models.projects import Group, Project
from app.store.observations import listed_observations
from app.store.projects import members
from app.web.editing.forms import UNREAD, all_told
from app.web.editing.sent_tables import TakenBackError, as_text, caught, options_of, table, take_back
from app.web.site.typed import typed_count, typed_real
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

REASON: TypeAdapter[Any] = TypeAdapter(Reason)
PER_PAGE = 25
ROWS_SHOWN = 20
MOST_BY_FORM = 100
"""Groups; runs of more come by file."""
OF_RUN = ("external_id", "recipe", "holdout", "observed_at")
OF_GROUP: dict[str, Callable[[str], Any]] = {"n": typed_count, "value": typed_real, "stderr": typed_real}


@dataclass
class Preview:
    """What would be kept, or why it can't be: faults of the table by line, of the form by pointer."""

    runs: Sequence[Draft] = ()
    table_faults: list[Fault] = field(default_factory=list)
    form_faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    read_as: ReadAs | None = None

    @property
    def good(self) -> bool:
        return bool(self.runs) and not (self.table_faults or self.form_faults)


@router.get("/projects/{project_id}/runs")
def run_list(
    project_id: str, visit: Annotated[Visit, sees("read")], after: Place = None, voided: bool = False
) -> Answer:
    project = visit.project(project_id)
    listed = listed_observations(visit.session, project.id, voided)
    rows, last = listed.part(place_in(listed, after, "after"), PER_PAGE)
    chosen = "voided=true&" if voided else ""
    return visit.render(
        "runs.html",
        project=project,
        runs=rows,
        voided=voided,
        more=f"/projects/{project.id}/runs?{chosen}after={last}" if last else None,
    )


@router.post("/projects/{project_id}/runs/{observation_id}/void")
def void_run(project_id: str, observation_id: str, visit: Annotated[Visit, acts("observe")]) -> Answer:
    """It counts no more, and stays readable with the reason."""
    project = visit.project(project_id)
    row = observations.get_observation(visit.session, project, observation_id)
    reason = validated(REASON, visit.said("reason"))
    observations.void(project, row, reason, visit.now)
    plan_watch.request(visit.session, project, visit.enqueue, visit.now)
    return visit.redirect(f"/projects/{project.id}/runs", f"{row.external_id or 'The run'} counts no more.")


@router.get("/projects/{project_id}/new-runs")
def run_form(project_id: str, visit: Annotated[Visit, sees("observe")]) -> Answer:
    return show(visit, visit.project(project_id), "", None)


@router.post("/projects/{project_id}/new-runs")
def look_or_keep(project_id: str, visit: Annotated[Visit, acts("observe")]) -> Answer:
    project = visit.project(project_id)
    sent, seen = table(visit, "runs"), Preview()
    try:
        with visit.trying():
            stored = post(visit, project, sent, seen)
            if visit.said("step") == "keep" and seen.good:
                words = f"{stored} training run{'' if stored == 1 else 's'} kept."
                return visit.redirect(f"/projects/{project.id}/runs", words)
            take_back()
    except TakenBackError:
        pass
    return show(visit, project, as_text(sent), seen)


def post(visit: Visit, project: Project, sent: bytes | str, seen: Preview) -> int:
    """How many runs were not there yet."""
    found: list[Draft] = []
    if sent:
        options = options_of(visit)
        read = Work(0, lambda: runs_of_table(sent, *options))
        runs, seen.read_as = caught(
            lambda: computed(visit.session, ("runs", sent, options), read), seen.table_faults
        ) or ([], None)
        found += runs
    if is_begun(visit):
        found += caught(lambda: by_form(visit, groups_of(visit, project)), seen.form_faults) or []
    if seen.table_faults or seen.form_faults or not found:
        return 0
    seen.runs = found
    faults = seen.table_faults if sent else seen.form_faults
    zero = visit.said("missing") == "zero"
    done = caught(lambda: observe.post(visit.session, project, found, zero, visit.now, visit.enqueue), faults)
    seen.notes = [] if done is None else [warning.detail for warning in done.warnings]
    if done is not None and done.duplicates:
        seen.notes.append(f"{done.duplicates:,} of them are here already, and are not stored again.")
    return 0 if done is None else len(done.stored)


def groups_of(visit: Visit, project: Project) -> Sequence[Group]:
    """Those that the form asks for; none where they are too many."""
    found = members(visit.session, Group, project.id, limit=MOST_BY_FORM + 1)
    return found if len(found) <= MOST_BY_FORM else ()


def is_begun(visit: Visit) -> bool:
    names = [name for name in visit.form if name in OF_RUN or name.partition(":")[0] in OF_GROUP]
    return any(visit.said(name) for name in names)


def by_form(visit: Visit, groups: Sequence[Group]) -> list[Draft]:
    """The run that was typed. Raises Invalid."""
    faults: list[Fault] = []

    def read(name: str, pointer: str, how: Callable[[str], Any]) -> Any:
        try:
            return how(visit.said(name)) if visit.said(name) else None
        except ValueError as error:
            faults.append(Fault(pointer, str(error)))
            return UNREAD

    document: dict[str, Any] = {name: visit.said(name) or None for name in OF_RUN}
    document["eval_size"] = read("eval_size", "/eval_size", typed_count)
    document |= {"counts": {}, "metrics": {}}
    for group in groups:
        said = {name: read(f"{name}:{group.key}", place(name, group.key), how) for name, how in OF_GROUP.items()}
        if said["n"] is not None:
            document["counts"][group.key] = said["n"]
        if said["value"] is not None or said["stderr"] is not None:
            document["metrics"][group.key] = {"value": said["value"], "stderr": said["stderr"]}
    return drafts_of([("", all_told(OBSERVATION, document, faults))])


def place(name: str, key: str) -> str:
    """Where a field of a group stands in the body of a run."""
    return f"/counts/{escape(key)}" if name == "n" else f"/metrics/{escape(key)}/{name}"


def show(visit: Visit, project: Project, text: str, seen: Preview | None) -> Answer:
    groups = groups_of(visit, project)
    faults = seen.form_faults if seen else []
    error = None if seen is None or seen.good else wrong(seen)
    known = {f"/{name}" for name in (*OF_RUN, "eval_size")}
    known |= {place(name, group.key) for group in groups for name in OF_GROUP}
    known |= {f"/metrics/{escape(group.key)}" for group in groups}
    return visit.render(
        "new_runs.html",
        error=error,
        project=project,
        groups=groups,
        text=text,
        seen=seen,
        typed=visit.said,
        place=place,
        at_group={group.key: f"/metrics/{escape(group.key)}" for group in groups},
        faults_beside=faults,
        faults_above=[one for one in faults if one.pointer not in known],
        rows_shown=ROWS_SHOWN,
        missing_is_zero=visit.said("missing") == "zero",
    )


def wrong(seen: Preview) -> Invalid:
    found = [*seen.table_faults, *seen.form_faults]
    if not found:
        return Invalid("Choose a file, or type what a run measured.")
    return Invalid("Nothing is kept yet. Mend what is named below and check it again.", invalid(*found).faults)
