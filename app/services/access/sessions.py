"""Browsers signed in with an API key: the key is exchanged for a token that the browser's cookie carries."""

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.services.access.audit import note_key
from app.services.access.keys import Caller, authenticate, caller_of, hash_secret, is_valid
from app.services.ids import new_id
from app.store import access as store
from app.store.models.access import ApiKey, PageSession

LIFETIME = timedelta(hours=12)
LONGEST_ID = 32
log = logging.getLogger("tranche")


def sign_in(session: Session, now: datetime, hash_keys: Sequence[bytes], key: str) -> str:
    """Open a session for an API key. Returns its token, always a new one. Raises Unauthenticated."""
    caller = authenticate(session, now, hash_keys, key)
    store.delete_expired(session, now)
    note_key(session, session.get_one(ApiKey, caller.key_id), "session.started", now, caller.key_id)
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


def refuse_sign_in(session: Session, now: datetime, key: str) -> None:
    """Write down that a key opened no session, for its workspace where it names one that there is or was."""
    _, _, rest = key.partition("_")
    known = store.key_by_id(session, rest.partition("_")[0][:LONGEST_ID])
    if known is None:
        log.warning("a sign-in failed: no such key")
    else:
        note_key(session, known, "session.refused", now)


def sign_out(session: Session, now: datetime, hash_keys: Sequence[bytes], token: str) -> None:
    found = store.session_with_key(session, hashes(token, hash_keys))
    if found is not None:
        note_key(session, found[1], "session.ended", now, found[1].id)
    store.end_session(session, hashes(token, hash_keys))


def hashes(token: str, hash_keys: Sequence[bytes]) -> list[str]:
    return [hash_secret(token, hash_key) for hash_key in hash_keys]
