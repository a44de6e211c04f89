"""Signatures by the Standard Webhooks specification 1.0.0 (symmetric, `v1`)."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_signing_secret() -> str:
    """`whsec_` and 32 random bytes in base64; the specification asks for 24 to 64. Fit for every other scheme too."""
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def sign(message_id: str, timestamp: int, body: bytes, secret: str) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; `timestamp` in whole seconds since 1970."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed_headers(message_id: str, now: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers; with one signature for each secret, the newest first."""
    timestamp = int(now.timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(message_id, timestamp, body, secret) for secret in secrets),
    }
