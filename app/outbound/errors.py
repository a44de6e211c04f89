"""Why a call to the outside failed. `code` names the kind for ever; the message is ours, not a library's.

OutboundError
├── Refused          the target may not be called
├── NameNotFound     the host's name has no address
├── Unreachable      no connection, or it broke
├── TlsFailed        no secure connection: a certificate that is expired, of another name or of no known authority
├── TimedOut         not done in time
├── BadAnswer        what came back is not HTTP, or is encoded although that was not asked for
└── AnswerTooLarge   more came back than was asked for
"""

from typing import ClassVar

import httpx


class OutboundError(httpx.TransportError):
    """The root; one of httpx's own errors, so that who is given a client need know only those."""

    code: ClassVar[str] = "failed"


class Refused(OutboundError):
    code = "refused"


class NameNotFound(OutboundError):
    code = "name_not_found"


class Unreachable(OutboundError):
    code = "unreachable"


class TlsFailed(OutboundError):
    code = "tls_failed"


class TimedOut(OutboundError):
    code = "timed_out"


class BadAnswer(OutboundError):
    code = "bad_answer"


class AnswerTooLarge(OutboundError):
    code = "answer_too_large"
