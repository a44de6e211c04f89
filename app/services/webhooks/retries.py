"""When a failed delivery is tried again."""

import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

MINUTE, HOUR = 60.0, 3_600.0
DELAYS_S = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds after the first, second, … failed attempt; after the last of these the delivery has failed."""
JITTER = 0.1
RETRY_AFTER_MAX_S = 24 * HOUR
GIVES_UP_AFTER = timedelta(days=5)


def retry_delay(delivery_id: UUID, number: int, retry_after_s: float | None) -> float | None:
    """Seconds until the attempt after attempt `number` (from 1); None where that was the last.

    The jitter, 0 to 10 %, follows from the delivery, so that those that failed together do not come back together.
    What the receiver asks for is waited for at least, up to a day.
    """
    if number > len(DELAYS_S):
        return None
    digest = hashlib.sha256(f"{delivery_id}/{number}".encode()).digest()
    share = int.from_bytes(digest[:4]) / 2**32
    asked = min(retry_after_s or 0.0, RETRY_AFTER_MAX_S)
    return max(DELAYS_S[number - 1], asked) * (1 + JITTER * share)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header (RFC 9110: seconds, or a date); None where there is none to be read."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:12]), RETRY_AFTER_MAX_S)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
