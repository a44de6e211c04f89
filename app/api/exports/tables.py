"""Every table of a project as CSV and XLSX, and all of them in one workbook."""

from collections.abc import Iterable, Sequence
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from app.api.admission.computations import DEAR
from app.api.http.answers import Draws, Seed
from app.api.http.downloads import disposition, spooled
from app.api.http.problems import declared
from app.api.http.runtime import SOFTWARE_VERSION
from app.api.http.transactions import Call, Route, reads
from app.api.planning.allocations import Budget, read_budget
from app.api.planning.plans import Policy
from app.errors import Conflict, Infeasible, TooManyComputations
from app.services.computing import Work, computed
from app.services.curves.fits import DRAWS, SEED
from app.services.exports.dossier import Dossier
from app.services.exports.tables import all_tables, table_of
from app.services.planning import MAX_RUNS
from app.services.planning.allocations import AllocationQuestion
from app.tables.csv_file import write_csv
from app.tables.held import held
from app.tables.shape import About, Missing, Stamp, Table

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["exports"], route_class=Route)

Ending = Literal["csv", "xlsx"]
CSV = "text/csv; charset=utf-8; header=present"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EXAMPLE = (
    '"group","name","count","pending","add","cost","reason","data_version","seed","software_version"\r\n'
    '"Black_Female","",40,0,610,976.00,"Its curve is the steeper: …",42,0,"0.1.0"\r\n'
)
FILE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}, "example": "…"}

Runs = Annotated[int | None, Query(ge=1, le=MAX_RUNS, description="Training runs of the table measurement-plan")]
Exploration = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False, description="As of the allocation")]


def asked_question(
    budget: Budget = None,
    policy: Policy = "optimal",
    exploration: Exploration = None,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
) -> AllocationQuestion:
    """What a report and its tables may be asked for: the question of `GET …/allocations/next`."""
    return AllocationQuestion(read_budget(budget), policy, draws, seed, exploration)


Asked = Annotated[AllocationQuestion, Depends(asked_question)]


def stamp_of(dossier: Dossier) -> Stamp:
    return Stamp(dossier.project.data_version, dossier.question.seed, SOFTWARE_VERSION)


def about(dossier: Dossier, what: str) -> About:
    return About(f"{what} of {dossier.project.name}", stamp_of(dossier), dossier.facts())


def table_file(dossier: Dossier, name: str, ending: Ending) -> Response:
    """The table `name`, to be saved. Raises NotFound, and as the table's question."""
    table, project = table_of(dossier, name), dossier.project
    headers = {
        "Content-Disposition": disposition("attachment", project.name, f"{name}-v{project.data_version}", ending)
    }
    if ending == "csv":
        return spooled(lambda file: write_csv(table, stamp_of(dossier), file), CSV, headers)
    return written(dossier, [table], table.title, headers)


def written(dossier: Dossier, tables: Sequence[Table | Missing], what: str, headers: dict[str, str]) -> Response:
    """A workbook, written once all is read."""
    read = [held(one) if isinstance(one, Table) else one for one in tables]
    said = about(dossier, what)
    key = ("workbook", what, said.stamp)

    def write() -> Response:
        return spooled(lambda file: workbook(read, said, file), XLSX, headers)

    return computed(dossier.session, key, Work(DEAR, write))


def workbook(tables: Iterable[Table | Missing], about: About, file: IO[bytes]) -> None:
    from app.tables.xlsx_file import write_workbook  # here: most who serve write no workbook

    write_workbook(tables, about, file)


def workbook_file(dossier: Dossier) -> Response:
    project = dossier.project
    headers = {
        "Content-Disposition": disposition("attachment", project.name, f"tables-v{project.data_version}", "xlsx")
    }
    return written(dossier, list(all_tables(dossier)), "All tables", headers)


@router.get(
    "/tables.xlsx",
    summary="Download every table",
    response_class=Response,
    responses={200: {"content": {XLSX: FILE}}, **declared(TooManyComputations)},
)
def read_workbook(
    project_id: str, call: Annotated[Call, reads("read")], question: Asked, runs: Runs = None
) -> Response:
    """One workbook: a sheet "About" with the question, the data version, the seed, the software version and what each
    column means, and a sheet per table, all from one plan of one data version. A table that cannot be made yet says
    why in its sheet."""
    project = call.project(project_id)
    return workbook_file(Dossier(call.session, call.runtime.fits, project, question, call.now, runs=runs))


@router.get(
    "/tables/{name}.{format}",
    summary="Download a table",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": EXAMPLE}, XLSX: FILE}},
        **declared(Conflict, Infeasible, TooManyComputations),
    },
)
def read_table(
    project_id: str,
    name: str,
    format: Ending,
    call: Annotated[Call, reads("read")],
    question: Asked,
    runs: Runs = None,
) -> Response:
    """Names: `summary`, `allocation`, `sources`, `groups`, `warnings`, `budgets`, `scenarios`, `scenario-groups`,
    `measurement-plan`, `rounds`, `round-groups`, `orders`, `spending`, `ledger`, `provenance`, `manifests`,
    `observations`, `forecasts` and `simulations`. The last three columns of the CSV, and the sheet "About" of the XLSX,
    are the data version, the seed and the software version. In the CSV an apostrophe stands before text that a
    spreadsheet would run as a formula."""
    project = call.project(project_id)
    return table_file(Dossier(call.session, call.runtime.fits, project, question, call.now, runs=runs), name, format)
