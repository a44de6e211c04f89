"""Names written from right to left, kept from changing places with the numbers of a sentence around them."""

import re
from functools import lru_cache
from unicodedata import bidirectional

from markupsafe import Markup, escape

RIGHT_TO_LEFT = ("R", "AL", "AN")


def marked(text: str, names: frozenset[str]) -> Markup:
    """The text with a `<bdi>` round each of the `names` in it that is written from right to left; the others need none
    in a page that is not."""
    pattern = _pattern(names)
    if pattern is None:
        return escape(text)
    parts = pattern.split(text)
    # Every other part is a name: the pattern is one group.
    return Markup("").join(
        Markup("<bdi>{}</bdi>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )


@lru_cache(maxsize=64)
def _pattern(names: frozenset[str]) -> re.Pattern[str] | None:
    found = [name for name in names if any(bidirectional(letter) in RIGHT_TO_LEFT for letter in name)]
    return re.compile(f"({'|'.join(map(re.escape, sorted(found, key=len, reverse=True)))})") if found else None
