"""Vendor connections: how a vendor is reached and read. Secrets are sealed, the hook's token looked up by its hash."""

import hashlib
import secrets as random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, NotFound, invalid, refuse
from app.outbound.targets import Policy, TargetRefused
from app.services.access.keys import Caller
from app.services.access.secrets import SecretBox
from app.services.ids import as_uuid, new_id
from app.services.vendors.words import checked_words
from app.services.webhooks.signing import new_signing_secret
from app.settings import Settings
from app.store import vendors as store
from app.store.models.vendors import VendorConnection, VendorWakeup
from app.store.reading import find
from app.vendors.base import Adapter
from app.vendors.generic import Generic
from app.vendors.prolific import ProlificConfig
from app.vendors.registry import adapter_of, full_config

GRACE = timedelta(hours=24)
TOKEN_BYTES = 32
CREDENTIALS = {"label_studio": "Token", "prolific": "Token"}
"""Kinds with an API of their own, and the word before the credential in its Authorization header."""


@dataclass(frozen=True)
class NewConnection:
    """What is said of a connection. secret: None for one of our making."""

    name: str
    kind: str
    preset: str | None
    config: Mapping[str, Any]
    group_map: Mapping[str, str]
    secret: str | None
    api_token: str | None


def create_connection(
    session: Session, caller: Caller, settings: Settings, said: NewConnection, now: datetime
) -> tuple[VendorConnection, str, str]:
    """Store a connection. Returns it with its hook's token and its secret, which nothing shows again.

    Raises Invalid, SecretKeyMissing.
    """
    box = SecretBox(settings.secret_keys)
    config, adapter = checked_config(said.kind, said.preset, said.config, settings)
    secret = checked_secret(adapter, said.secret or new_signing_secret())
    if said.api_token is not None and said.kind not in CREDENTIALS:
        raise invalid(Fault("/api_token", f"the kind '{said.kind}' has no API that we call; leave it out"))
    connection_id, token = new_id(), random.token_urlsafe(TOKEN_BYTES)
    named = {"token": token, "secret": secret, "api_token": said.api_token}
    row = VendorConnection(
        id=connection_id,
        workspace_id=caller.workspace_id,
        name=said.name,
        kind=said.kind,
        preset=said.preset,
        config=config,
        group_map=checked_words(session, caller.workspace_id, None, said.group_map, {}),
        token_hash=hash_token(token),
        sealed={name: box.seal(text, purpose(connection_id, name)) for name, text in named.items() if text},
        state="active",
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    session.add(VendorWakeup(connection_id=row.id))
    return row, token, secret


def checked_config(
    kind: str, preset: str | None, config: Mapping[str, Any], settings: Settings
) -> tuple[dict[str, Any], Adapter]:
    """The whole configuration and the adapter it makes. Raises Invalid, for an address that may not be called and for
    an expression that no body can make good, too."""
    whole = full_config(kind, preset, dict(config))
    adapter = adapter_of(kind, whole)
    # Asked of what is to be stored alone: what is stored already is read on, its events quarantined.
    if isinstance(adapter, Generic):
        refuse([Fault(f"/config{pointer}", problem) for pointer, problem in adapter.faults()])
    if whole.get("base_url") is not None:
        try:
            Policy(settings.outbound_allow, settings.outbound_ports).read_url(whole["base_url"])
        except TargetRefused as refusal:
            raise invalid(Fault("/config/base_url", str(refusal))) from None
    return whole, adapter


def checked_secret(adapter: Adapter, secret: str) -> str:
    """`secret`. Raises Invalid where the adapter's scheme cannot use it."""
    try:
        adapter.check_secret(secret)
    except ValueError as problem:
        raise invalid(Fault("/secret", str(problem))) from None
    return secret


def purpose(connection_id: UUID, name: str) -> str:
    return f"vendor-connection:{connection_id}:{name}"


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def get_connection(session: Session, caller: Caller, connection_id: str) -> VendorConnection:
    """The connection, for keys of the whole workspace alone: it serves all its projects. Raises Forbidden, and NotFound
    for another workspace's too."""
    caller.require_whole_workspace()
    row = find(session, VendorConnection, workspace_id=caller.workspace_id, id=as_uuid(connection_id))
    if row is None:
        raise NotFound("There is no such vendor connection in this workspace.")
    return row


def change_connection(
    session: Session, row: VendorConnection, settings: Settings, changes: Mapping[str, Any], now: datetime
) -> None:
    """Take over the fields that `changes` names. A changed `group_map` needs `map_again`. Raises Invalid."""
    if "config" in changes:
        row.config, _ = checked_config(row.kind, row.preset, changes["config"], settings)
    if "group_map" in changes:
        row.group_map = checked_words(session, row.workspace_id, row.id, changes["group_map"], row.group_map)
    if changes.get("api_token") is not None:
        sealed = SecretBox(settings.secret_keys).seal(changes["api_token"], purpose(row.id, "api_token"))
        row.sealed = {**row.sealed, "api_token": sealed}
    row.name = changes.get("name", row.name)
    row.state = changes.get("state", row.state)
    row.updated_at = now


def rotate_secret(row: VendorConnection, settings: Settings, secret: str | None, now: datetime) -> str:
    """Replace the secret; the old one is honoured for a day. Returns the new one, which nothing shows again. Raises
    Invalid, Conflict."""
    box = SecretBox(settings.secret_keys)
    fresh = checked_secret(adapter_for(row), secret or new_signing_secret())
    if fresh == opened(row, box, "secret"):
        raise Conflict("This is the present secret; rotate to another one.")
    old = box.seal(opened(row, box, "secret"), purpose(row.id, "old_secret"))
    row.sealed = {**row.sealed, "secret": box.seal(fresh, purpose(row.id, "secret")), "old_secret": old}
    row.old_secret_until = now + GRACE
    row.updated_at = now
    return fresh


def opened(row: VendorConnection, box: SecretBox, name: str) -> str:
    """A stored secret. Raises SecretUnreadable."""
    return box.open(row.sealed[name], purpose(row.id, name))


def honoured_secrets(row: VendorConnection, settings: Settings, now: datetime) -> Sequence[str]:
    """The present secret, and the one before while its day lasts."""
    box = SecretBox(settings.secret_keys)
    names = ["secret"]
    if row.old_secret_until is not None and now < row.old_secret_until:
        names.append("old_secret")
    return [opened(row, box, name) for name in names]


def adapter_for(row: VendorConnection) -> Adapter:
    return adapter_of(row.kind, row.config)


def api_access(row: VendorConnection, box: SecretBox) -> tuple[str, dict[str, str]]:
    """Where the vendor's API is, and the headers that open it. Raises Conflict where the connection does not say."""
    base_url = row.config.get("base_url", ProlificConfig().base_url if row.kind == "prolific" else "") or ""
    missing = [
        name for name, given in (("base_url", base_url), ("api_token", row.sealed.get("api_token"))) if not given
    ]
    if row.kind not in CREDENTIALS or missing:
        names = " and ".join(missing) or "an API"
        raise Conflict(f"The connection '{row.name}' has no {names}: without it the vendor's API cannot be called.")
    return base_url, {"Authorization": f"{CREDENTIALS[row.kind]} {opened(row, box, 'api_token')}"}


def renew_secrets(session: Session, box: SecretBox) -> int:
    """Seal every connection's secrets under the newest key. Returns how many were not. Raises SecretUnreadable."""
    renewed = 0
    for row in store.all_connections(session):
        stale = {name for name, sealed in row.sealed.items() if box.is_stale(sealed)}
        if stale:
            row.sealed = {name: box.reseal(sealed, purpose(row.id, name)) for name, sealed in row.sealed.items()}
            renewed += len(stale)
    return renewed
