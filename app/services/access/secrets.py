"""Secrets of others, kept encrypted: AES-256-GCM under keys derived from TRANCHE_SECRET_KEY.

A stored secret is `v1.<key id>.<base64url of nonce and ciphertext>`. It opens only for the purpose it was sealed for
(such as `webhook-endpoint:<id>`), so that who can write to the database cannot move it to another row.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from app.errors import SecretKeyMissing, SecretUnreadable

VERSION = "v1"
NONCE_BYTES = 12


def new_secret_key() -> str:
    """A value for TRANCHE_SECRET_KEY."""
    return base64.b64encode(os.urandom(32)).decode()


def derived(key: bytes, label: bytes) -> bytes:
    """A key of its own for each use, so that what is learnt of one says nothing of another."""
    return hmac.new(key, label, hashlib.sha256).digest()


@dataclass(frozen=True)
class SecretBox:
    """Seals with the newest key, opens with any. Made from `Settings.secret_keys`; without keys it seals nothing."""

    keys: Sequence[SecretStr] = field(repr=False)

    def ciphers(self) -> list[tuple[str, AESGCM]]:
        """By key id, newest first."""
        raw = [base64.b64decode(key.get_secret_value()) for key in self.keys]
        return [
            (derived(key, b"tranche key id").hex()[:12], AESGCM(derived(key, b"tranche stored secret"))) for key in raw
        ]

    def seal(self, secret: str, purpose: str) -> str:
        """Raises SecretKeyMissing."""
        ciphers = self.ciphers()
        if not ciphers:
            raise SecretKeyMissing(
                "This holds a secret, and the service has no key to encrypt it with. "
                "Set TRANCHE_SECRET_KEY to what `tranche secret-key create` prints, and start the service again."
            )
        key_id, cipher = ciphers[0]
        nonce = os.urandom(NONCE_BYTES)
        sealed = cipher.encrypt(nonce, secret.encode(), purpose.encode())
        return f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, purpose: str) -> str:
        """Raises SecretUnreadable where its key is gone, or where it was sealed for another purpose."""
        _, key_id, text = sealed.split(".")
        cipher = dict(self.ciphers()).get(key_id)
        if cipher is None:
            raise SecretUnreadable("A stored secret was encrypted under a key that TRANCHE_SECRET_KEY no longer names.")
        data = base64.urlsafe_b64decode(text)
        try:
            return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], purpose.encode()).decode()
        except InvalidTag:
            raise SecretUnreadable("A stored secret was changed, or belongs elsewhere.") from None

    def is_stale(self, sealed: str) -> bool:
        """Whether it was sealed under an older key, or one that is gone."""
        ciphers = self.ciphers()
        return not ciphers or sealed.split(".")[1] != ciphers[0][0]

    def reseal(self, sealed: str, purpose: str) -> str:
        """The same secret under the newest key. Raises SecretUnreadable, SecretKeyMissing."""
        return self.seal(self.open(sealed, purpose), purpose) if self.is_stale(sealed) else sealed
