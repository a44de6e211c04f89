"""Values out of a vendor's document: of the type we need, or Unusable saying why."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tranche.sheets.instants import EXAMPLE, read_instant, since_1970

from app.errors import Malformed
from app.strict_json import Number, parse_json

MAX_TEXT = 200
MAX_DEPTH = 64
MAX_COUNT = 1_000_000_000
MAX_COST = Decimal(1_000_000)


class Unusable(ValueError):
    """A value of a vendor's document that cannot be what it should be."""


def read_json(body: bytes, number: Callable[[str], float] = Number) -> Any:
    """Strict JSON, at most MAX_DEPTH deep, so that nothing that walks it later can run out of stack.

    Raises Malformed.
    """
    document = parse_json(body, number)
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Malformed(f"The body is nested more than {MAX_DEPTH} deep.")
        level = [inner for value in level for inner in children(value) if isinstance(inner, dict | list)]
    return document


def children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def whole(value: Any) -> Any:
    """The whole number that `value` is, though it was written with a fraction or an exponent (3.0); else `value`."""
    if not isinstance(value, float) or not value.is_integer():
        return value
    # A float takes large numbers for whole ones, and loses their last digits.
    exact = Decimal(value.text) if isinstance(value, Number) else Decimal(value)
    return int(exact) if exact == exact.to_integral_value() else value


def text(value: Any, name: str) -> str | None:
    """An id or a name: a string, or a whole number written out. None where there is none. Raises Unusable."""
    value = whole(value)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unusable(f"{name} is neither a string nor a whole number")
    written = str(value)
    if len(written) > MAX_TEXT:
        raise Unusable(f"{name} is longer than {MAX_TEXT} characters")
    # What no database can hold: the NUL character and halves of surrogate pairs.
    if "\0" in written or (not written.isascii() and any("\ud800" <= char <= "\udfff" for char in written)):
        raise Unusable(f"{name} holds a character that is not text")
    return written


def named(value: Any, name: str) -> str:
    """As `text`, where there must be one. Raises Unusable."""
    written = text(value, name)
    if written is None:
        raise Unusable(f"{name} is missing")
    return written


def readable_id(value: Any) -> str | None:
    """An object's id; None where it cannot be read, or there is none."""
    try:
        return text(value.get("id"), "id") if isinstance(value, dict) else None
    except Unusable:
        return None


def flag(value: Any, name: str) -> bool:
    """Whether something is so; not, where nothing is said. Raises Unusable."""
    if value is not None and not isinstance(value, bool):
        raise Unusable(f"{name} is neither true nor false")
    return bool(value)


def instant(value: Any, name: str) -> datetime | None:
    """A text as `read_instant` reads it, or a number of ten digits of seconds since 1970, of thirteen of milliseconds.
    Raises Unusable."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        at = since_1970(value, 1 if value < 10**10 else 1000)
        if at is None:
            raise Unusable(f"{name} is a number, but neither seconds (ten digits) nor milliseconds (13) since 1970")
        return at
    if not isinstance(value, str):
        raise Unusable(f"{name} is no instant such as {EXAMPLE}")
    try:
        return read_instant(value)
    except ValueError as error:
        raise Unusable(f"{name}: {error}") from None


def count(value: Any, name: str, least: int = 0) -> int | None:
    """A whole number from `least`, None where there is none. Raises Unusable."""
    if value is None:
        return None
    number = whole(value)
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= MAX_COUNT:
        raise Unusable(f"{name} is no whole number from {least} to {MAX_COUNT}")
    return number


def money(value: Any, name: str, most: Decimal = MAX_COST) -> Decimal | None:
    """An exact amount, from text or from a JSON number's own text. Raises Unusable, also for more than six decimals."""
    if value is None or value == "":
        return None
    written = value.text if isinstance(value, Number) else value
    try:
        amount = (
            Decimal(written) if isinstance(written, str | int) and not isinstance(written, bool) else Decimal("NaN")
        )
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= most or amount != round(amount, 6):
        raise Unusable(f"{name} is no amount from 0 to {most} with at most six decimals")
    return amount


def currency(value: Any, name: str) -> str | None:
    """A code of three letters. Raises Unusable."""
    code = text(value, name)
    if code is not None and not (len(code) == 3 and code.isascii() and code.isupper()):
        raise Unusable(f"{name} is no currency code such as USD")
    return code


def mapping(value: Any, name: str) -> dict[str, Any]:
    """`value`. Raises Unusable where it is no object."""
    if not isinstance(value, dict):
        raise Unusable(f"{name} is no object")
    return value


def listing(value: Any, name: str) -> list[Any]:
    """`value`. Raises Unusable where it is no list."""
    if not isinstance(value, list):
        raise Unusable(f"{name} is no list")
    return value
