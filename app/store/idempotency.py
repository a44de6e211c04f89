"""Answers to POSTs, kept with their effect."""

import hashlib
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.store.models import IdempotentCall


def try_lock(session: Session, name: str) -> bool:
    """Take `name` for this transaction; False where another transaction has it. SQLite's writers come one by
    one, so there it is always free."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(number))))


def stored_call(session: Session, api_key_id: str, method: str, path: str, key: str) -> IdempotentCall | None:
    return session.get(IdempotentCall, (api_key_id, method, path, key))


def forget_before(session: Session, instant: datetime) -> None:
    session.execute(delete(IdempotentCall).where(IdempotentCall.created_at < instant))
