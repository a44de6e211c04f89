"""Tables that come with a form: looked at first, stored only when they were seen to be whole.

Nothing is kept between the two steps: what was sent travels in the form as text. Looking stores it and takes it back,
so that what was fine there is fine when it is stored.
"""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from tranche.sheets import SheetError, decoded

from app.errors import Fault, Malformed, TrancheError, invalid
from app.web.site.visit import Visit

Found = TypeVar("Found")
Options: TypeAlias = tuple[bool, str | None]
"""Whether columns that are not known are left unread, and the decimal mark where it was stated."""


class TakenBackError(Exception):
    """Ends a look: what was made is undone."""


def take_back() -> None:
    """Raises TakenBackError, so that nothing of the try is kept."""
    raise TakenBackError


def table(visit: Visit, name: str) -> bytes | str:
    """A table of the form: the file where one was chosen, else the text of the step before. Raises Malformed for a file
    that is no text."""
    upload = visit.files.get(name)
    if upload is None or not upload.content:
        return visit.said(f"{name}_text")
    try:
        decoded(upload.content)
    except SheetError as error:
        raise Malformed(f"The file {upload.name[:100]}: {error}") from None
    return upload.content


def as_text(sent: bytes | str) -> str:
    """What the next step carries."""
    return sent if isinstance(sent, str) else decoded(sent)[0].removeprefix("\ufeff")


def options_of(visit: Visit) -> Options:
    """Raises Invalid."""
    mark = visit.said("decimal")
    if mark not in ("", "point", "comma"):
        raise invalid(Fault("decimal", "choose point or comma, or leave it to what the numbers tell"))
    return visit.said("extra") == "ignore", mark or None


def caught(step: Callable[[], Found], faults: list[Fault]) -> Found | None:
    """What `step` gives, or None with its faults noted. Raises what passes."""
    try:
        return step()
    except TrancheError as error:
        if error.passes:
            raise
        faults += error.faults or (Fault("", error.detail),)
        return None
