"""Browsers signed in with an API key: the key is exchanged for a token that the browser's cookie carries."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.services.access.keys import Caller, authenticate, caller_of, hash_secret, is_valid
from app.services.ids import new_id
from app.store import access as store
from app.store.models.access import PageSession

LIFETIME = timedelta(hours=12)


def sign_in(session: Session, now: datetime, hash_keys: Sequence[bytes], key: str) -> str:
    """Open a session for an API key. Returns its token, always a new one. Raises Unauthenticated."""
    caller = authenticate(session, now, hash_keys, key)
    store.delete_expired(session, now)
    token = secrets.token_urlsafe(32)
    session.add(
        PageSession(
            id=new_id(),
            token_hash=hash_secret(token, hash_keys[0]),
            key_id=caller.key_id,
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return token


def recognise(session: Session, now: datetime, hash_keys: Sequence[bytes], token: str) -> Caller | None:
    """Who holds the token: nobody where the session or its key has ended."""
    found = store.session_with_key(session, hashes(token, hash_keys))
    if found is None:
        return None
    row, key = found
    return caller_of(key) if row.expires_at > now and is_valid(key, now) else None


def sign_out(session: Session, hash_keys: Sequence[bytes], token: str) -> None:
    store.end_session(session, hashes(token, hash_keys))


def hashes(token: str, hash_keys: Sequence[bytes]) -> list[str]:
    return [hash_secret(token, hash_key) for hash_key in hash_keys]
