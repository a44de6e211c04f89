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
LONGEST_NAME = 100
# The hash key of installations that set no TRANCHE_SECRET_KEY: then the hash is merely one of 32 random bytes.
UNKEYED = b"tranche api key"


@dataclass(frozen=True)
class Caller:
    """Who calls: the key, its workspace, what it may do and, where limited, on which projects."""

    key_id: str
    workspace_id: UUID
    scopes: frozenset[str]
    project_ids: frozenset[str] | None

    def require(self, *scopes: str) -> None:
        """Raises Forbidden where the key has neither one of `scopes` nor `admin`."""
        if not self.scopes & {*scopes, "admin"}:
            needed, held = " or ".join(f"'{scope}'" for scope in scopes), ", ".join(sorted(self.scopes))
            raise Forbidden(f"This needs the scope {needed}; the key has: {held}. Use a key that has it.")

    def require_whole_workspace(self) -> None:
        """Raises Forbidden where the key is limited to projects."""
        if self.project_ids is not None:
            raise Forbidden(
                "This belongs to the whole workspace, and the key is limited to named projects. Use a key without that"
                " limit."
            )

    def may_see(self, project_id: UUID | None) -> bool:
        """Of what belongs to no one project: only where the key is limited to none."""
        return self.project_ids is None or str(project_id) in self.project_ids

    def reaches(self, project_ids: Sequence[str] | None) -> bool:
        """Whether a key limited to `project_ids` (null: to none) sees nothing that this one does not."""
        return self.project_ids is None or (project_ids is not None and self.project_ids.issuperset(project_ids))


@dataclass(frozen=True)
class KeyRequest:
    """What a new key is to be. `project_ids` null is all projects."""

    scopes: Sequence[str]
    project_ids: Sequence[str] | None = None
    expires_at: datetime | None = None
    name: str | None = None


def create_key(
    session: Session,
    now: datetime,
    pepper: bytes,
    scopes: Sequence[str],
    workspace_name: str = "default",
    project_ids: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    name: str | None = None,
) -> str:
    """Make a key at the command line and, if need be, its workspace. Returns the token, which nothing can show again.

    Raises Invalid for unknown scopes, projects of other workspaces and an expiry in the past.
    """
    workspace = store.workspace_named(session, workspace_name)
    if workspace is None:
        workspace = Workspace(id=new_id(), name=workspace_name, created_at=now)
        session.add(workspace)
        session.flush()
    wanted = KeyRequest(scopes, project_ids, expires_at, name)
    return store_key(session, workspace, wanted, None, pepper, now)[1]


def make_key(session: Session, caller: Caller, wanted: KeyRequest, pepper: bytes, now: datetime) -> tuple[ApiKey, str]:
    """The key that the caller makes, and its token, which nothing can show again.

    Raises Forbidden for scopes that the caller has not itself; Invalid as `create_key`, and for projects that it is not
    for itself.
    """
    for scope in wanted.scopes:
        caller.require(scope)
    if caller.project_ids is not None and wanted.project_ids is None:
        detail = "is required: this key is limited to some projects, so name those of them that the new key is for"
        refuse([Fault("/project_ids", detail)])
    refuse(
        [
            Fault(f"/project_ids/{at}", "this key is limited to other projects")
            for at, project_id in enumerate(wanted.project_ids or ())
            if caller.project_ids is not None and project_id not in caller.project_ids
        ]
    )
    workspace = session.get_one(Workspace, caller.workspace_id)
    return store_key(session, workspace, wanted, caller.key_id, pepper, now)


def store_key(
    session: Session, workspace: Workspace, wanted: KeyRequest, made_by: str | None, pepper: bytes, now: datetime
) -> tuple[ApiKey, str]:
    """Raises Invalid as `check_key_request`."""
    check_key_request(session, now, workspace, wanted)
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    row = ApiKey(
        id=key_id,
        workspace_id=workspace.id,
        name=wanted.name,
        secret_hash=hash_secret(secret, pepper),
        scopes=sorted(set(wanted.scopes)),
        project_ids=None if wanted.project_ids is None else sorted(set(wanted.project_ids)),
        created_at=now,
        expires_at=wanted.expires_at,
        made_by=made_by,
    )
    session.add(row)
    session.flush()
    return row, f"{PREFIX}_{key_id}_{secret}"


def check_key_request(session: Session, now: datetime, workspace: Workspace, wanted: KeyRequest) -> None:
    """Raises Invalid for unknown scopes or projects, no scope, a bad name, or an end that is past."""
    scopes, project_ids, expires_at = wanted.scopes, wanted.project_ids, wanted.expires_at
    from_here = store.existing_projects(session, workspace.id, project_ids or ())
    faults = [
        *(Fault("/scopes", f"'{s}' is no scope; choose among {', '.join(SCOPES)}") for s in scopes if s not in SCOPES),
        *(
            Fault(f"/project_ids/{at}", f"no project {p} in workspace '{workspace.name}'")
            for at, p in enumerate(project_ids or ())
            if p not in from_here
        ),
    ]
    if not scopes:
        faults.append(Fault("/scopes", f"name at least one of {', '.join(SCOPES)}"))
    if expires_at is not None and expires_at <= now:
        faults.append(Fault("/expires_at", "lies in the past; name a later instant"))
    if wanted.name is not None and not (wanted.name.strip() and len(wanted.name) <= LONGEST_NAME):
        faults.append(Fault("/name", f"has from 1 to {LONGEST_NAME} characters, not all of them blank"))
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
    key = store.key_by_id(session, key_id) if prefix == PREFIX and key_id.isalnum() else None
    stored = key.secret_hash if key else ""
    matches = [hmac.compare_digest(hash_secret(secret, hash_key), stored) for hash_key in hash_keys]
    if key is None or not any(matches) or not is_valid(key, now):
        reason = (
            "unknown" if key is None else "wrong" if not any(matches) else "revoked" if key.revoked_at else "expired"
        )
        detail = "The API key is unknown, expired or revoked. Make one with: tranche key create"
        raise Unauthenticated(detail, reason, key.id if key else None)
    return caller_of(key)


def is_valid(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def caller_of(key: ApiKey) -> Caller:
    only = None if key.project_ids is None else frozenset(key.project_ids)
    return Caller(key.id, key.workspace_id, frozenset(key.scopes), only)


def present(session: Session, caller: Caller, now: datetime) -> Caller:
    """The caller as its key is now, for what goes on after the call began. Raises Unauthenticated once it has ended."""
    key = store.key_by_id(session, caller.key_id)
    if key is None or not is_valid(key, now):
        raise Unauthenticated("The API key has expired or was revoked. Make one with: tranche key create")
    return caller_of(key)


def get_key(session: Session, caller: Caller, key_id: str) -> ApiKey:
    """A key of the caller's workspace, which for a limited caller reaches no further than it does. Raises NotFound."""
    key = find(session, ApiKey, workspace_id=caller.workspace_id, id=key_id)
    if key is None or not caller.reaches(key.project_ids):
        raise NotFound("There is no such API key in this workspace.")
    return key


def revoke_key(session: Session, caller: Caller, key_id: str, now: datetime) -> None:
    """The key opens nothing from now on. Raises NotFound."""
    key = get_key(session, caller, key_id)
    if key.revoked_at is None:
        key.revoked_at, key.revoked_by = now, caller.key_id
