"""The errors Tranche answers with. Each class is one kind, with one status and one page in docs/problems/.

TrancheError
├── InternalError           500  something failed on our side
│   └── SecretUnreadable         a stored secret cannot be decrypted
├── Malformed               400  the body cannot be read at all
├── Unauthenticated         401  no key, or one that is not valid
├── VerifyFailed            401  a vendor's webhook whose signature or secret does not hold
├── Forbidden               403  the key lacks the scope, or is limited to projects
├── NotFound                404  not there, or not yours
├── MethodNotAllowed        405  the path is there, the method is not
├── Conflict                409  the state does not allow it
│   ├── KeyTaken                 a key or external id that is in use
│   ├── Frozen                   fixed by the first observation
│   ├── Archived                 archived: restore it first
│   ├── AllocationChanged        the allocation that was looked at is not the present one
│   ├── MissingKeys              a whole list leaves out keys that exist
│   ├── HoldoutRetired           a run on a holdout that is no longer used
│   ├── InUse                    limits or objective name it: take it out of there first
│   ├── Infeasible               constraints that cannot be met together: `errors` lists all culprits
│   ├── LicenceRule              the project's licence rule allows no order from a source of the round
│   ├── NothingDelivered         no source has delivered yet: there is nothing to be credited with
│   ├── NoClosedRound            no round is closed yet: there is nothing to look back on
│   ├── CallRunning              the first call with this Idempotency-Key still runs
│   └── SecretKeyMissing         a secret is to be kept, and no key is set to encrypt it with
├── EventsPruned            410  events that are no longer kept
├── BodyTooSlow             408  the body came in too slowly
├── PreconditionFailed      412  If-Match names another version
├── PreconditionRequired    428  this needs an If-Match
├── TooLarge                413  the body is over the limit
├── UnsupportedMediaType    415  a content type the route does not read
├── Invalid                 422  read, but not acceptable: `errors` says where and why
│   └── IdempotencyKeyReused     the same Idempotency-Key with another body
├── RateLimited             429  too many calls, or too much at once: `Retry-After` says when to come again
├── TooManyComputations     429  the workspace has as much computed at once as it may
└── Unavailable             503  the database is busy or away: try again
    ├── DatabaseFailed           its disk is full, its file read-only, missing or damaged
    └── OutcomeUnknown           it was lost in COMMIT: the change was made whole, or not at all
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

PROBLEM_BASE = "urn:tranche:problem:"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a request: where (a JSON pointer, or a query parameter or line) and what to change."""

    pointer: str
    detail: str


def escape(name: str) -> str:
    """A name as a token of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


class TrancheError(Exception):
    """The root. `code` names the kind for ever; `title` is the same for every error of the kind."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, faults: tuple[Fault, ...] = (), headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = faults
        self.headers = headers or {}

    @property
    def passes(self) -> bool:
        """Whether the same may be asked again a little later."""
        return "Retry-After" in self.headers

    @classmethod
    def code(cls) -> str:
        """`KeyTaken` → `key-taken`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def type_uri(cls) -> str:
        return PROBLEM_BASE + cls.code()


class InternalError(TrancheError):
    pass


class SecretUnreadable(InternalError):
    title = "A stored secret cannot be read"


class Malformed(TrancheError):
    status = 400
    title = "The body cannot be read"


class Unauthenticated(TrancheError):
    """For the logs: `reason`, one of a few words (missing, unknown, wrong, revoked, expired), and the key that was
    meant."""

    status = 401
    title = "A valid API key is needed"

    def __init__(
        self, detail: str, reason: str = "missing", key_id: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail, headers=headers)
        self.reason, self.key_id = reason, key_id


class VerifyFailed(TrancheError):
    """`reason` is one of a few words, for the logs: missing, doubled, unreadable, too_old, too_new, wrong."""

    status = 401
    title = "The webhook does not verify"

    def __init__(self, detail: str, reason: str = "wrong") -> None:
        super().__init__(detail)
        self.reason = reason


class Forbidden(TrancheError):
    status = 403
    title = "The key may not do this"


class NotFound(TrancheError):
    status = 404
    title = "Not found"


class MethodNotAllowed(TrancheError):
    status = 405
    title = "The method is not allowed here"


class Conflict(TrancheError):
    status = 409
    title = "The present state does not allow this"


class KeyTaken(Conflict):
    title = "The key is in use"


class Frozen(Conflict):
    title = "Fixed by the first observation"


class Archived(Conflict):
    title = "It is archived"


class MissingKeys(Conflict):
    title = "The list leaves out keys that exist"


class AllocationChanged(Conflict):
    title = "The allocation has changed since you looked at it"


class HoldoutRetired(Conflict):
    title = "The holdout is retired"


class InUse(Conflict):
    title = "It is named elsewhere"


class Infeasible(Conflict):
    title = "The constraints cannot be met together"


class LicenceRule(Conflict):
    title = "The licence rule allows no such order"


class NothingDelivered(Conflict):
    title = "Nothing was delivered yet"


class NoClosedRound(Conflict):
    title = "No round is closed yet"


class CallRunning(Conflict):
    title = "The first call with this Idempotency-Key is still running"


class SecretKeyMissing(Conflict):
    title = "The service has no key for secrets"


class BodyTooSlow(TrancheError):
    status = 408
    title = "The body came in too slowly"


class EventsPruned(TrancheError):
    status = 410
    title = "The events are no longer kept"


class PreconditionFailed(TrancheError):
    status = 412
    title = "It has changed since you read it"


class PreconditionRequired(TrancheError):
    status = 428
    title = "If-Match is needed here"


class TooLarge(TrancheError):
    status = 413
    title = "The body is too large"


class UnsupportedMediaType(TrancheError):
    status = 415
    title = "The content type is not one this route reads"


class Invalid(TrancheError):
    status = 422
    title = "The request is not acceptable"


class IdempotencyKeyReused(Invalid):
    title = "The Idempotency-Key was used with another body"


class RateLimited(TrancheError):
    status = 429
    title = "Too much was asked at once"


class TooManyComputations(TrancheError):
    status = 429
    title = "The workspace computes as much as it may at once"


class Unavailable(TrancheError):
    status = 503
    title = "The service is busy"


class DatabaseFailed(Unavailable):
    title = "The database cannot be used"


class OutcomeUnknown(Unavailable):
    title = "It is not known whether it was done"


def refuse(faults: Sequence[Fault]) -> None:
    """Raises `Invalid` where there are any."""
    if faults:
        raise invalid(*faults)


def invalid(*faults: Fault) -> Invalid:
    """An `Invalid` whose detail is its first fault, and how many more there are."""
    first = f"{faults[0].pointer}: {faults[0].detail}" if faults[0].pointer else faults[0].detail
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Invalid(first + more, faults)
