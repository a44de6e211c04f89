"""What goes wrong in the database, told apart: busy, away, full, read-only, missing, damaged, lost in COMMIT."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import DatabaseFailed, OutcomeUnknown, Unavailable

log = logging.getLogger(__name__)

BUSY = "The database is busy. Nothing was changed; try again."
AWAY = "The database cannot be reached. Nothing was changed; try again."
LACKING = "The database lacks what this version of the service expects; /readyz says why. Nothing was changed."
FULL = "The disk of the database is full. Nothing was changed; it works again once there is room."
READ_ONLY = "The database is read-only. Nothing was changed."
MOVED = "The database's file was moved or deleted while it was open. Nothing was changed."
MISSING = "The database's file cannot be opened: its folder, or the right to it, is missing."
DAMAGED = "The database's file is damaged, or is no database. Nothing was changed; a backup can be restored."
BROKEN_DISK = "The disk of the database cannot be read or written."
LOST = (
    "The database was lost in the moment of the commit: the change was made whole or not at all. Send it again with the"
    " same Idempotency-Key, which gives it one effect, or read before you decide."
)

# https://sqlite.org/rescode.html: extended codes, whose last byte is the primary one.
SQLITE_FAILURES: Mapping[int, str] = {
    8: READ_ONLY,
    10: BROKEN_DISK,
    11: DAMAGED,
    13: FULL,
    14: MISSING,
    26: DAMAGED,
    1032: MOVED,
}
SQLITE_ERROR, SQLITE_IOERR = 1, 10
# https://www.postgresql.org/docs/current/errcodes-appendix.html
SQLSTATE_FAILURES: Mapping[str, str] = {
    "25006": READ_ONLY,
    "53100": FULL,
    "58030": BROKEN_DISK,
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}
BUSY_STATES = frozenset({"40001", "40P01", "53300", "55P03", "57014"})
TRY_AGAIN = {"Retry-After": "1"}
LOOK_AGAIN = {"Retry-After": "30"}


@contextmanager
def faults_told(*, committing: bool = False) -> Iterator[None]:
    """Raises Unavailable, DatabaseFailed or OutcomeUnknown for what is the database's fault, and logs its cause.

    committing: the block is a COMMIT and nothing else.
    """
    try:
        yield
    except PoolTimeout as error:
        log.warning("no connection to the database was free in time")
        raise Unavailable(BUSY, headers=TRY_AGAIN) from error
    except DBAPIError as error:
        told = fault_of(error, committing)
        if told is None:
            raise
        log.log(logging.WARNING if type(told) is Unavailable else logging.ERROR, "%s: %s", told.title, cause_of(error))
        raise told from error


def fault_of(error: DBAPIError, committing: bool) -> Unavailable | None:
    """None where it is not the database's fault, but the statement's."""
    sqlite: int | None = getattr(error.orig, "sqlite_errorcode", None)
    state: str | None = getattr(error.orig, "sqlstate", None)
    primary = None if sqlite is None else sqlite & 0xFF
    if committing and (error.connection_invalidated or primary == SQLITE_IOERR):
        return OutcomeUnknown(LOST, headers=TRY_AGAIN)
    failure = SQLSTATE_FAILURES.get(state or "")
    if sqlite is not None and primary is not None:
        failure = SQLITE_FAILURES.get(sqlite) or SQLITE_FAILURES.get(primary)
    if failure is not None:
        return DatabaseFailed(failure, headers=LOOK_AGAIN)
    if error.connection_invalidated:
        return Unavailable(AWAY, headers=TRY_AGAIN)
    if not isinstance(error, OperationalError):
        return None
    if primary == SQLITE_ERROR:
        return Unavailable(LACKING, headers=LOOK_AGAIN)
    # libpq gives no code for a connection that could not be made.
    away = sqlite is None and state not in BUSY_STATES and hasattr(error.orig, "sqlstate")
    return Unavailable(AWAY if away else BUSY, headers=TRY_AGAIN)


def cause_of(error: DBAPIError) -> str:
    """The driver's own words: its kind and its first line, which hold no row and no password."""
    words = str(error.orig).strip().splitlines()
    return f"{type(error.orig).__name__}: {words[0] if words else ''}"
