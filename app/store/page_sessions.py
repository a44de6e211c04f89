"""Sessions of browsers."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.store.models import ApiKey
from app.store.page_models import PageSession


def session_with_key(session: Session, token_hashes: Sequence[str]) -> tuple[PageSession, ApiKey] | None:
    """The session whose token has one of these hashes, and the key it was opened with."""
    query = select(PageSession, ApiKey).join(ApiKey, ApiKey.id == PageSession.key_id)
    row = session.execute(query.where(PageSession.token_hash.in_(token_hashes))).first()
    return None if row is None else (row[0], row[1])


def end_session(session: Session, token_hashes: Sequence[str]) -> None:
    session.execute(delete(PageSession).where(PageSession.token_hash.in_(token_hashes)))


def delete_expired(session: Session, now: datetime) -> None:
    session.execute(delete(PageSession).where(PageSession.expires_at <= now))
