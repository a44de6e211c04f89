"""Documents, texts and bytes that are nearly right."""

import json
import string
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes

RAW = {
    "@nan@": "NaN", "@inf@": "-Infinity", "@huge@": "1e400", "@tiny@": "1e-400", "@digits@": "9" * 5000,
    "@zero@": "-0.0", "@whole@": "5.0", "@exponent@": "1E2", "@leading@": "007",
}  # fmt: skip
"""What stands in a document for tokens that no writer of JSON would write."""
NUMBERS = [
    0,
    1,
    2,
    -1,
    3.5,
    198.0,
    0.1,
    10**9,
    10**10,
    2**31,
    2**53 + 1,
    2**63,
    10**30,
    -(2**63),
    1e308,
    1e-320,
    1e15,
    1e100,
]
TEXTS = [
    "", " ", "a", "A", "0", "-1", "1.0", "nan", "1e5", "\0", "a\0b", "\ud800", "\udfff\ud800", "é", "\u202ea", "\u2028",
    "\ufeff", "\U0001f9ea", "a/b", "%00", "%2F", "..", ".", "a" * 101, "a" * 201, "x" * 70_000, "__proto__", "$ref",
    "2026-11-20", "2026-11-20T10:00:00",
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2016-12-31T23:59:60Z",
    "46346.4166", "1763632800", "<script>", "' OR 1=1 --", "{{7*7}}", "=1+1", "٣", "１２", "https://[",
    "http://127.0.0.1:9/",
    "00000000-0000-0000-0000-000000000000", "Black_Female", "White_Male", "clinic-7", "USD", "optimal", "all", "null",
]  # fmt: skip
ODD: list[Any] = [None, True, False, [], {}, [[]], [None], {"": None}, {"a": {}}, [1, "a"], *RAW]
SEGMENTS = [
    b"%00", b"x%00", b"%00",
       b"%00", b"a%00b", b"%ff", b"%ED%A0%80", b"%2F", b"%2e%2e", b"..", b"%20.", b"", b"%", b"%zz", b"%C3%A9",
    b"\xc3\xa9",
    b"a" * 300, b"a" * 5000, b"99999999999999999999", b"-1", b"0", b"1.0", b"1_0", b"%EF%BC%91", b"9" * 5000, b"null",
    b"%250",
    b"00000000-0000-0000-0000-000000000000", b"{x}", b"a;b", b"value", b"%0a", b"%7f", b"+1", b"%F0%9F%A7%AA",
    b"undefined",
]  # fmt: skip


def anything(rng: Random) -> Any:
    return rng.choice(rng.choice((NUMBERS, TEXTS, ODD)))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container below with the name or index of each of its parts."""
    waiting = [value]
    while waiting:
        here = waiting.pop()
        names: Any = here if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()
        for name in names:
            yield here, name
            waiting.append(here[name])


def mutated(value: Any, rng: Random) -> Any:
    """`value` with one thing changed."""
    value = json.loads(json.dumps(value))
    found = list(places(value))
    if not found or rng.random() < 0.03:
        return anything(rng)
    here, name = rng.choice(found)
    change = rng.randrange(8)
    if change == 0:
        del here[name]
    elif change == 1 and isinstance(here, dict):
        here[rng.choice(TEXTS)] = here[name]
    elif change == 2 and isinstance(here, list):
        here.extend([here[name]] * rng.choice((1, 2, 60)))
    elif change == 3:
        here[name] = [here[name]] if rng.random() < 0.5 else {"value": here[name]}
    elif change == 4 and isinstance(here[name], int | float):
        here[name] = rng.choice((-here[name], here[name] + 1, float(here[name]), str(here[name]), here[name] * 1000))
    elif change == 5 and isinstance(here[name], str):
        here[name] = rng.choice(
            (here[name] + rng.choice(TEXTS), here[name].swapcase(), here[name] * 50, " " + here[name])
        )
    else:
        here[name] = anything(rng)
    return value


def as_json(value: Any) -> bytes:
    text = json.dumps(value)
    for word, token in RAW.items():
        text = text.replace(f'"{word}"', token)
    return text.encode()


def broken(body: bytes, rng: Random) -> bytes:
    """Bytes that may be no document at all."""
    at = rng.randrange(len(body) + 1)
    return rng.choice(
        [
            body[:at],
            body[:at] + bytes(rng.randrange(256) for _ in range(3)) + body[at:],
            body + body,
            b"\xef\xbb\xbf" + body,
            body.decode("utf-8", "replace").encode("utf-16"),
            b"[" * 20_000,
            b'{"a":1,"a":2}',
            b"",
            bytes(rng.randrange(256) for _ in range(40)),
            body.replace(b",", b";"),
            body.replace(b"\n", b"\r\n"),
            body.replace(b"0", rng.choice((b"NaN", b"0.0", b"0,5", b"", b"1e9", b"\x00"))),
        ]
    )


def word(rng: Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase + string.digits, k=10))


def percent(text: str) -> bytes:
    return quote_from_bytes(text.encode("utf-8", "surrogatepass"), safe="").encode()
