"""Bytes to text: which encoding a table is in."""

import re
import unicodedata

from tranche.sheets.faults import SheetError

MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
    (b"\xff\xfe\0\0", "utf-32", "UTF-32"),
    (b"\0\0\xfe\xff", "utf-32", "UTF-32"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)
"""Byte order marks with their codec and its name; the longer of two that begin alike comes first."""
SYMBOLS = "\xa0€£¥§°´’‘“”„‚–—…«»¡¿ªº·²³½¼¾±×µ‰©®™"
LETTERS = "ŠšŽžŒœŸ" + "".join(chr(code) for code in range(0xC0, 0x100) if code not in (0xD7, 0xF7))
WORDS_OF_ONE = frozenset("àÀäÄåÅöÖøØéÉèÈóÓíÍáÁ")
OTHER = re.compile(rf"[^\x00-\x7f{SYMBOLS}{LETTERS}]")
CAPITALS = "".join(letter for letter in LETTERS if letter.isupper())
INSIDE = re.compile(rf"[a-z][{CAPITALS}]|[A-Z][{CAPITALS}][a-z]|[^\W\d_][£¥]|[£¥][a-z]")
SAVE = "save the file as CSV UTF-8"


def decoded(body: bytes) -> tuple[str, str]:
    """The text, and the name of its encoding: by its byte order mark, else UTF-16 where it has zero bytes, UTF-8, or
    cp1252 where the letters look like that. Raises SheetError naming the line."""
    for mark, codec, name in MARKS:
        if body.startswith(mark):
            return strictly(body, codec, name), name
    if b"\0" in body[:2]:
        codec = "utf-16-be" if body[:1] == b"\0" else "utf-16-le"
        return strictly(body, codec, "UTF-16"), "UTF-16"
    try:
        return body.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError as error:
        return western(body, error.start), "cp1252"


def strictly(body: bytes, codec: str, name: str) -> str:
    """Raises SheetError where the bytes are not of the encoding they say they are."""
    try:
        return body.decode(codec)
    except UnicodeDecodeError as error:
        line = body[: error.start].decode(codec, "ignore").count("\n") + 1
        raise SheetError(f"The text says that it is {name}, and is not {name} in line {line}; {SAVE}.") from None


def western(body: bytes, start: int) -> str:
    """The text as cp1252. Raises SheetError where it does not look like that: any bytes nearly can be taken for it, and
    would be wrong letters."""
    line = body.count(b"\n", 0, start) + 1
    fault = SheetError(f"The text is not UTF-8 in line {line}, nor does it look like cp1252; {SAVE}.")
    try:
        text = body.decode("cp1252")
    except UnicodeDecodeError:
        raise fault from None
    if OTHER.search(text) or INSIDE.search(text) or has_utf8(body):
        raise fault
    for word in set(re.findall(r"[^\W\d_]+", text)):
        if not re.search("[a-zA-Z]", unicodedata.normalize("NFC", word)) and word not in WORDS_OF_ONE:
            raise fault
    return text


def has_utf8(body: bytes) -> bool:
    """Whether letters of two and three bytes stand in it: it is UTF-8 with a broken byte then."""
    return re.search(rb"[\xc3-\xc5][\x80-\xbf]|\xe2[\x80-\x82][\x80-\xbf]", body) is not None
