"""Points in time as texts, read without guessing."""

import re
from datetime import datetime, timedelta, timezone

INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d))?(?:[.,](\d{1,30}))?(?: ?([Zz]|[+-]\d\d:?\d\d))?)?", re.ASCII
)
EXAMPLE = "2026-11-20T10:00:00Z"
LONGEST_SHOWN = 50


def read_instant(text: str) -> datetime:
    """RFC 3339 text as an instant in UTC, to the microsecond: UTC where it names no offset, midnight where it is a date
    alone; a leap second is the second after it. Raises ValueError, saying what to send instead."""
    given = text.strip()
    found = INSTANT.fullmatch(given)
    if found is None:
        raise ValueError(unreadable(given))
    day, minute, second, fraction, offset = found.groups()
    zone = "+00:00" if offset in (None, "Z", "z") else f"{offset[:3]}:{offset[-2:]}"
    leaps = second == "60"
    whole = f"{day}T{minute or '00:00'}:{'59' if leaps else second or '00'}"
    try:
        stated = datetime.strptime(f"{whole}.{(fraction or '0')[:6].ljust(6, '0')}{zone}", "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        raise ValueError(unreadable(given)) from None
    try:
        at = stated.astimezone(timezone.utc)
        if not leaps:
            return at
        if (at.hour, at.minute) != (23, 59):
            raise ValueError(f"'{shown(given)}' is no instant: leap seconds are at 23:59:60 UTC")
        return at.replace(microsecond=0) + timedelta(seconds=1)
    except OverflowError:
        raise ValueError(f"'{shown(given)}' lies outside of the years 1 to 9999 in UTC; leave it out") from None


def since_1970(number: float, per_second: int) -> datetime | None:
    """An instant that a program wrote as seconds (`per_second` 1) or milliseconds (1000); None for one that is not
    within 2001 to 2286, as it is in another unit or was never set."""
    if not 10**9 * per_second <= number < 10**10 * per_second:
        return None
    return datetime.fromtimestamp(number / per_second, timezone.utc)


def unreadable(given: str) -> str:
    """What is wrong with a text that is no instant."""
    if re.fullmatch(r"[-+]?\d+([.,]\d*)?", given):
        return f"'{shown(given)}' is a number, and could be seconds or a spreadsheet's days; send {EXAMPLE}"
    if re.search(r" \d\d:?\d\d$", given) and INSTANT.fullmatch("+".join(given.rsplit(" ", 1))):
        return f"'{shown(given)}' is no instant; in a query write the + of an offset as %2B"
    return f"'{shown(given)}' is no instant; send {EXAMPLE}"


def shown(given: str) -> str:
    """The beginning of it, in whole characters."""
    return given[:LONGEST_SHOWN].encode(errors="replace").decode()
