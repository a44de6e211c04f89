"""What others answer is kept without what may open a door: a receiver may echo what it was sent."""

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
# Fewer characters of a secret than this say nothing.
SHORTEST = 8
SECRETS = (
    re.compile(r"whsec_[A-Za-z0-9+/=_-]+"),
    re.compile(r"tranche_[0-9a-f]{16}_[\w-]+"),
    re.compile(r"\bv1a?,[A-Za-z0-9+/=]{20,}"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        r"(?i)(?<![\w-])(?:[\w-]*(?:authorization|password|passwd|secret|token|api[_-]?key|cookie))[\"']?\s*[:=]\s*"
        r"[\"']?[^\s\"',;&}]+"
    ),
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def redact(raw: bytes, known: Iterable[str]) -> str:
    """The text of `raw` without the `known` secrets and without what looks like one; control characters too go."""
    text = raw.decode("utf-8", "replace")
    for secret in known:
        text = hide_cut(text.replace(secret, HIDDEN), secret)
    for pattern in SECRETS:
        text = pattern.sub(HIDDEN, text)
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def hide_cut(text: str, secret: str) -> str:
    """Where the answer was cut within `secret`, its beginning is at the end."""
    for length in range(len(secret) - 1, SHORTEST - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + HIDDEN
    return text
