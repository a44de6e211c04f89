"""Erasing a project, and the receipts of what was erased."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import Answer, MoneyOut, Shape, Text
from app.api.http.transactions import Call, Route, posts, reads
from app.errors import Conflict, NotFound
from app.services.ids import as_uuid
from app.services.retention.erasing import ask_to_erase, enqueue_erasure
from app.store.upkeep.erasing import erasure_by_id, listed_erasures

router = APIRouter(prefix="/v1", tags=["erasures"], route_class=Route)


class ErasureIn(Shape):
    """`name`: the project's, repeated to confirm. `abandon_orders`: although orders are open, which vendors may still
    deliver, and charge."""

    name: Text
    abandon_orders: bool = False


class ErasedMoney(Answer):
    """What the ledger added up to."""

    ordered: MoneyOut
    spent: MoneyOut
    committed: MoneyOut


class ErasureOut(Answer):
    """What is left to say of a project that was erased (`project_id` null: of a whole workspace). `asked_by`: a key's
    id, null for the command line. `ended_at`: null while rows are left. `rows`: how many went, by table. `money`: by
    currency."""

    id: UUID
    project_id: UUID | None
    asked_by: str | None
    asked_at: datetime
    ended_at: datetime | None
    rows: Annotated[dict[str, int], Field(description="Table → rows")]
    money: dict[str, ErasedMoney]


@router.post("/projects/{project_id}/erasure", status_code=202, summary="Erase a project", responses=declared(Conflict))
def erase_project(project_id: str, body: ErasureIn, call: Annotated[Call, posts("admin")]) -> ErasureOut:
    """For good, archived or not: with its runs, rounds, ledger, what vendors told of it, its events and their messages,
    its jobs and its audit. It is found by nobody from the answer on; a job deletes the rows, and the receipt says when
    the last one is gone. Backups hold it until they are deleted."""
    project = call.project(project_id, archived=True)
    row = ask_to_erase(call.session, project, body.name, body.abandon_orders, call.caller, call.now)
    enqueue_erasure(call.session, row.id, call.enqueue)
    call.runtime.fits.forget_project(project.id)
    call.headers["Location"] = f"/v1/erasures/{row.id}"
    return ErasureOut.model_validate(row)


@router.get("/erasures", summary="List what was erased, newest first")
def list_erasures(call: Annotated[Call, reads("admin")], limit: Limit = 50, cursor: Cursor = None) -> Page[ErasureOut]:
    rows = listed_erasures(call.session, call.caller.workspace_id, call.caller.project_ids)
    return page(call, cursor, limit, rows, ErasureOut.model_validate)


@router.get("/erasures/{erasure_id}", summary="Read the receipt of an erasure")
def read_erasure(erasure_id: str, call: Annotated[Call, reads("admin")]) -> ErasureOut:
    key = as_uuid(erasure_id)
    row = erasure_by_id(call.session, key) if key is not None else None
    if row is None or row.workspace_id != call.caller.workspace_id or not call.caller.may_see(row.project_id):
        raise NotFound("There is no such erasure in this workspace.")
    return ErasureOut.model_validate(row)
