"""Identifiers."""

from uuid import UUID

import uuid6


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def new_id() -> UUID:
    """A UUIDv7: rises with time, so that ids also order rows by creation."""
    return UUID(int=uuid6.uuid7().int)
