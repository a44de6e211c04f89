"""API keys: made once, shown once, checked on every call. Only a keyed hash is stored."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.errors import Fault, Forbidden, NotFound, Unauthenticated, refuse
from app.services.access.secrets import derived
from app.services.ids import new_id
from app.store import access as store
from app.store.models.access import ApiKey, Workspace
from app.store.reading import find

SCOPES = ("read", "observe", "deliver", "write", "buy", "admin")
PREFIX = "tranche"
# The hash key of installations that set no TRANCHE_SECRET_KEY: then the hash is merely one of 32 random bytes.
UNKEYED = b"tranche api key"


@dataclass(frozen=True)
class Caller:
    """Who calls: the key, its workspace, what it may do and, where limited, on which projects."""

    key_id: str
    workspace_id: UUID
    scopes: frozenset[str]
    project_ids: frozenset[str] | None

    def require(self, scope: str) -> None:
        """Raises Forbidden where the key has neither `scope` nor `admin`."""
        if not self.scopes & {scope, "admin"}:
            held = ", ".join(sorted(self.scopes))
            raise Forbidden(f"This needs the scope '{scope}'; the key has: {held}. Use a key that has it.")

    def may_see(self, project_id: UUID | None) -> bool:
        """Of what belongs to no one project: only where the key is limited to none."""
        return self.project_ids is None or str(project_id) in self.project_ids


def create_key(
    session: Session,
    now: datetime,
    pepper: bytes,
    scopes: Sequence[str],
    workspace_name: str = "default",
    project_ids: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Make a key and, if need be, its workspace. Returns the token, which nothing can show again.

    Raises Invalid for unknown scopes, projects of other workspaces and an expiry in the past.
    """
    workspace = store.workspace_named(session, workspace_name)
    if workspace is None:
        workspace = Workspace(id=new_id(), name=workspace_name, created_at=now)
        session.add(workspace)
        session.flush()
    check_key_request(session, now, workspace, scopes, project_ids, expires_at)
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    session.add(
        ApiKey(
            id=key_id,
            workspace_id=workspace.id,
            secret_hash=hash_secret(secret, pepper),
            scopes=sorted(set(scopes)),
            project_ids=None if project_ids is None else sorted(set(project_ids)),
            created_at=now,
            expires_at=expires_at,
        )
    )
    return f"{PREFIX}_{key_id}_{secret}"


def check_key_request(
    session: Session,
    now: datetime,
    workspace: Workspace,
    scopes: Sequence[str],
    project_ids: Sequence[str] | None,
    expires_at: datetime | None,
) -> None:
    """Raises Invalid for unknown scopes or projects, no scope, or an end that is past."""
    from_here = store.existing_projects(session, workspace.id, project_ids or ())
    faults = [
        *(Fault("scopes", f"'{s}' is no scope; choose among {', '.join(SCOPES)}") for s in scopes if s not in SCOPES),
        *(
            Fault("project", f"no project {p} in workspace '{workspace.name}'")
            for p in project_ids or ()
            if p not in from_here
        ),
    ]
    if not scopes:
        faults.append(Fault("scopes", f"name at least one of {', '.join(SCOPES)}"))
    if expires_at is not None and expires_at <= now:
        faults.append(Fault("expires_at", "lies in the past; name a later instant"))
    refuse(faults)


def hash_secret(secret: str, pepper: bytes) -> str:
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()


def peppers(secret_keys: Sequence[SecretStr]) -> list[bytes]:
    """The hash keys a stored hash may have been made with: newest first, the unkeyed one last."""
    return [*(derived(base64.b64decode(key.get_secret_value()), UNKEYED) for key in secret_keys), UNKEYED]


def authenticate(session: Session, now: datetime, hash_keys: Sequence[bytes], token: str) -> Caller:
    """The caller behind a token. Raises Unauthenticated, with the same words whatever is wrong."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    key = session.get(ApiKey, key_id) if prefix == PREFIX and key_id.isalnum() else None
    stored = key.secret_hash if key else ""
    matches = [hmac.compare_digest(hash_secret(secret, hash_key), stored) for hash_key in hash_keys]
    if key is None or not any(matches) or not is_valid(key, now):
        raise Unauthenticated("The API key is unknown, expired or revoked. Make one with: tranche key create")
    return caller_of(key)


def is_valid(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def caller_of(key: ApiKey) -> Caller:
    only = None if key.project_ids is None else frozenset(key.project_ids)
    return Caller(key.id, key.workspace_id, frozenset(key.scopes), only)


def revoke_key(session: Session, caller: Caller, key_id: str, now: datetime) -> None:
    """The key opens nothing from now on. Raises NotFound."""
    key = find(session, ApiKey, workspace_id=caller.workspace_id, id=key_id)
    if key is None:
        raise NotFound("There is no such API key in this workspace.")
    key.revoked_at = key.revoked_at or now
