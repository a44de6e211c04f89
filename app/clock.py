"""The clock of a running service; tests bring their own."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
