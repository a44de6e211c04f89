"""JSON as it should be: what two readers could take differently is refused."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn, Self

from app.errors import Fault, Malformed, escape

MAX_VALUES = 2_000_000
"""Each takes a hundred bytes or more once it is read, however few it was written with."""
MAX_FAULTS = 1_000
"""The most numbers that one answer names."""


class Number(float):
    """A JSON number with a fraction or exponent that remembers its text, so that money need not pass a float."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Raises ValueError for a number so small that it would be read as 0."""
        number = super().__new__(cls, text)
        if number == 0.0:
            refuse_lost(text)
        number.text = text
        return number


def as_float(text: str) -> float:
    """As `Number`, where the text is of no use. Raises ValueError as it does."""
    number = float(text)
    if number == 0.0:
        refuse_lost(text)
    return number


def refuse_lost(text: str) -> str:
    """`text`. Raises ValueError where it is a number other than 0 that a float takes for 0."""
    digits = text.lower().partition("e")[0]
    if re.fullmatch(r"[-+.\d]*[1-9][.\d]*", digits) and float(text) == 0.0:
        raise ValueError(f"{text[:50]} is too near to 0 to be told from it")
    return text


@dataclass(frozen=True)
class Refused:
    """A number of a document that cannot be taken, where it stood, until all of them are known."""

    why: str


def refuse_many(text: bytes, marks: str = ",[{") -> None:
    """Raises Malformed for more values than are read at once, before one is read; marks in strings count too."""
    if sum(text.count(mark.encode()) for mark in marks) > MAX_VALUES:
        raise Malformed(f"The body has over {MAX_VALUES:,} values. Send it in parts.")


def parse_json(text: bytes, number: Callable[[str], float] = Number) -> Any:
    """Strict JSON: UTF-8, no NaN, no name twice in an object. Raises Malformed saying where and why, with the JSON
    pointer of every number that cannot be taken. `number` reads those with a fraction or exponent: `Number`, or
    `as_float`, which is faster."""
    refuse_many(text)
    refused: list[Refused] = []

    def refuse(why: str) -> Refused:
        refused.append(Refused(why))
        return refused[-1]

    def read(digits: str) -> float | Refused:
        try:
            return number(digits)
        except ValueError as error:
            return refuse(str(error))

    try:
        document = json.loads(
            text.decode("utf-8"),
            parse_float=read,
            parse_constant=lambda name: refuse(f"{name} is not a JSON number; leave out what could not be measured"),
            object_pairs_hook=refuse_repeated_names,
        )
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8: byte {error.start} does not decode.") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}.") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    except ValueError as error:
        # The interpreter's own words for a number of thousands of digits name an internal limit.
        detail = "a number has too many digits" if "digits" in str(error) else str(error)
        raise Malformed(f"The body is not acceptable JSON: {detail}.") from None
    if refused:
        raise_for(document)
    return document


def raise_for(document: Any) -> NoReturn:
    """Raises Malformed naming each Refused of the document."""
    faults = tuple(islice(refused_in(document), MAX_FAULTS))
    first = faults[0]
    where = f" at {first.pointer}" if first.pointer else ""
    more = f" ({len(faults) - 1} more are listed)" if len(faults) > 1 else ""
    raise Malformed(f"The body is not acceptable JSON{where}: {first.detail}{more}.", faults)


def refused_in(document: Any) -> Iterator[Fault]:
    """In the order of the text, without recursion: a document may be as deep as the interpreter reads."""
    waiting = [("", document)]
    while waiting:
        at, value = waiting.pop()
        if isinstance(value, Refused):
            yield Fault(at, value.why)
        elif isinstance(value, dict):
            waiting += [(f"{at}/{escape(name)}", inner) for name, inner in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(f"{at}/{index}", inner) for index, inner in reversed(list(enumerate(value)))]


def refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members. Raises ValueError where a name stands twice."""
    read = dict(pairs)
    if len(read) < len(pairs):
        repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the name {json.dumps(repeated[:100])} stands twice in one object")
    return read
