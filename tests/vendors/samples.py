"""Webhooks as vendors send them, signed as they sign."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.vendors.base import Headers

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


def compact(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def headers(named: Mapping[str, str]) -> Headers:
    return Headers(named.items())


def standard_signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """By the standard's own words, without the code under test."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def standard_headers(body: bytes, secret: str = SECRET, at: int = NOW_S, message_id: str = "msg_1") -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": standard_signature(secret, message_id, str(at), body),
    }
