"""Keys of groups and sources as they come in: any printable text, in one normal form."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from app.services.projects.keys import normal_key

LONGEST_KEY = 100
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They would turn the text around a key; marks and joiners that only shape their neighbours are taken."""
NEVER = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, halves of surrogate pairs, separators of lines and paragraphs."""
BLANK = frozenset({"Cf", "Zs", "Cn"})


def read_key(text: str) -> str:
    """`text` as a key. Raises ValueError for what is none."""
    key = normal_key(text)
    if 0 < len(key) <= LONGEST_KEY and text.isascii() and text.isprintable():
        # What follows finds no fault with such a text, letter by letter.
        return key
    kinds = [unicodedata.category(sign) for sign in text]
    if NEVER & set(kinds) or BIDI_CONTROLS & set(key) or any((ord(sign) & 0xFFFE) == 0xFFFE for sign in key):
        raise ValueError("a key is printable text: leave out control characters and line breaks")
    if set(kinds) <= BLANK:
        raise ValueError("a key has at least one visible character")
    if len(key) > LONGEST_KEY:
        raise ValueError(f"a key has at most {LONGEST_KEY} characters, this one {len(key)}; `name` takes 200")
    return key


def refuse_merging(given: object) -> object:
    """A mapping by keys. Raises ValueError where two of its keys are one."""
    seen: set[str] = set()
    for name in given if isinstance(given, Mapping) else ():
        key = normal_key(name) if isinstance(name, str) else name
        if key in seen:
            raise ValueError(f"'{str(key)[:LONGEST_KEY]}' is named twice: blanks at the ends make no other key")
        seen.add(key)
    return given


Key = Annotated[
    str,
    AfterValidator(read_key),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "examples": ["White/Male"]}),
]
Keyed = BeforeValidator(refuse_merging)
"""Of a dict by keys of groups or sources."""
