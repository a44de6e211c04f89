"""The one form in which keys of groups and sources are stored and compared."""

import unicodedata


def normal_key(text: str) -> str:
    """In Unicode's normal form C, without blanks at the ends. Texts that differ in case stay different."""
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFC", text.strip()).strip()


def can_be_stored(text: str) -> bool:
    """Whether every database holds it: not the character NUL, nor halves of surrogate pairs."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
