"""The ledger of holdouts: how often each was used, to choose what, and how far it can still be trusted."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import StringConstraints

from app.api.http.etags import question_tag
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import Answer, Shape
from app.api.http.transactions import Call, Route, changes, reads
from app.api.keys.paths import KeyInPath
from app.errors import TooManyComputations
from app.services.holdouts.ledger import GroupReuse, Holdout, State, holdouts_of
from app.services.holdouts.retiring import retire, used_holdout
from app.services.jobs import plan_watch
from app.store.observations import HoldoutUse, listed_holdouts

router = APIRouter(prefix="/v1/projects/{project_id}/holdouts", tags=["observations"], route_class=Route)

Note = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class HoldoutGroupOut(Answer):
    """How far a holdout's value of a group is to be trusted, in the metric's units: `eval_size` and `stderr` are of the
    newest value; `half_width` of the 95 % interval of one value, `widened` of the intervals that hold together for all
    candidates, `worst_case` of the one that holds for a proportion however the values were used. `optimism_up_to`: by
    how much what was chosen is expected to look better than it is, at most. Null where the error is not known."""

    eval_size: int | None
    stderr: float | None = None
    half_width: float | None = None
    widened: float | None = None
    worst_case: float | None = None
    optimism_up_to: float | None = None


class HoldoutOut(Answer):
    """A holdout as runs that are not voided used it. `candidates` is the sum of their `chosen_from`, `rounds_decided`
    the rounds accepted since its first run came in. It is `used` once a round was decided or anything was chosen on it,
    `worn` where `optimism_up_to` of a group is above what is to be decided, its predicted gain or its distance to the
    target; `advice` then says how many fresh evaluation samples to have. `groups`: measured by runs of the project's
    recipe. `note`: why it is retired."""

    name: str
    first_used: datetime
    runs: int
    recipes: int
    candidates: int
    rounds_decided: int
    groups: dict[str, HoldoutGroupOut]
    state: State
    advice: str | None
    note: str | None


class HoldoutPatch(Shape):
    """`retired`: whether to refuse further runs on it. `note`: why; left out or null, no reason is kept."""

    retired: bool
    note: Note | None = None


class RetiredOut(Answer):
    name: str
    retired: bool
    note: str | None


def group_shape(one: GroupReuse) -> HoldoutGroupOut:
    return HoldoutGroupOut(eval_size=one.eval_size, **({} if one.reuse is None else vars(one.reuse)))


def holdout_shape(one: Holdout) -> HoldoutOut:
    return HoldoutOut.of(one, groups={key: group_shape(group) for key, group in one.groups.items()})


@router.get("", summary="Say how far each holdout can be trusted", responses=declared(TooManyComputations))
def list_holdouts(
    project_id: str, call: Annotated[Call, reads("read")], limit: Limit = 50, cursor: Cursor = None
) -> Page[HoldoutOut]:
    """What each holdout was used for, and what choosing on it may have added to its values. By name."""
    project = call.project(project_id)
    call.unless_matched(question_tag(project, "holdouts"))
    rows: Page[HoldoutUse] = page(call, cursor, limit, listed_holdouts(call.session, project.id), lambda row: row)
    found = holdouts_of(call.session, call.runtime.fits, project, rows.items)
    return Page(items=[holdout_shape(one) for one in found], next_cursor=rows.next_cursor)


@router.patch("/{name}", summary="Retire a holdout, or take it back into use")
def update_holdout(
    project_id: str, name: KeyInPath, body: HoldoutPatch, call: Annotated[Call, changes("write")]
) -> RetiredOut:
    """A run on a retired holdout is refused; those there are stay in every fit. If-Match takes the list's ETag."""
    project = call.project(project_id)
    call.match_tag(question_tag(project, "holdouts"))
    use = used_holdout(call.session, project, name.strip())
    retire(project, use.name, retired=body.retired, note=body.note, now=call.now)
    plan_watch.request(call.session, project, call.enqueue, call.now)
    return RetiredOut(name=use.name, retired=body.retired, note=body.note)
