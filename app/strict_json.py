"""JSON as it should be: what two readers could take differently is refused."""

import json
import re
from collections import Counter
from typing import Any, Self

from app.errors import Malformed


class Number(float):
    """A JSON number with a fraction or exponent that remembers its text, so that money need not pass a float."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Raises ValueError for a number so small that it would be read as 0."""
        refuse_lost(text)
        number = super().__new__(cls, text)
        number.text = text
        return number


def refuse_lost(text: str) -> str:
    """`text`. Raises ValueError where it is a number other than 0 that a float takes for 0."""
    digits = text.lower().partition("e")[0]
    if re.fullmatch(r"[-+.\d]*[1-9][.\d]*", digits) and float(text) == 0.0:
        raise ValueError(f"{text[:50]} is too near to 0 to be told from it")
    return text


def parse_json(text: bytes, number: type[Number] = Number) -> Any:
    """Strict JSON: UTF-8, no NaN, no name twice in an object. Raises Malformed saying where and why."""
    try:
        return json.loads(
            text.decode("utf-8"),
            parse_float=number,
            parse_constant=refuse_constant,
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


def refuse_constant(name: str) -> Any:
    """Raises ValueError for NaN and Infinity."""
    raise ValueError(f"{name} is not a JSON number")


def refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members. Raises ValueError where a name stands twice."""
    read = dict(pairs)
    if len(read) < len(pairs):
        repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the name {json.dumps(repeated[:100])} stands twice in one object")
    return read
