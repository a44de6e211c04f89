"""What waits for whom: the proposals that a key may approve and has not."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.services.access.keys import Caller
from app.services.access.rights import Right
from app.store.models.access import ApiKey
from app.store.rounds import OpenProposal, open_proposals

APPROVES = Right(("buy",))


def waits_for(session: Session, caller: Caller, now: datetime) -> list[OpenProposal]:
    """The proposals of the caller's projects that wait for it, oldest first. Where two keys must approve, a proposal
    waits for others than who made it."""
    if not APPROVES.held_by(caller):
        return []
    return [
        one
        for one in open_proposals(session, caller.workspace_id, now)
        if caller.may_see(one.project_id)
        and caller.key_id not in one.approvals
        and not (needs_two(one) and one.proposed_by == caller.key_id)
    ]


def needs_two(one: OpenProposal) -> bool:
    return one.approval_threshold is not None and one.cost > one.approval_threshold


def name_of(session: Session, key_id: str) -> str:
    """The key's name, or its id where it has none."""
    key = session.get(ApiKey, key_id)
    return key_id if key is None or key.name is None else key.name
