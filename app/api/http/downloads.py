"""Files to be downloaded: their names, and their way out without a copy in memory."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO
from urllib.parse import quote

from fastapi.responses import StreamingResponse

CHUNK = 65_536
IN_MEMORY = 1_000_000
"""Bytes of a file that are held in memory; more go to disk."""
LONGEST = 60
PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


def slug(text: str, ascii_only: bool) -> str:
    """The letters and digits of `text`, whatever stands between them as one '-'; empty where it has none.

    No sign that a path, a shell, a header or the direction of writing gives a meaning is left.
    """
    plain = unicodedata.normalize("NFKD" if ascii_only else "NFKC", text)
    kept = "".join(sign for sign in plain if not unicodedata.combining(sign)) if ascii_only else plain
    words = re.findall(r"[A-Za-z0-9]+" if ascii_only else r"[^\W_]+", kept)
    return "-".join(words)[:LONGEST].strip("-")


def file_name(project: str, what: str, ending: str, ascii_only: bool = True) -> str:
    return f"{slug(project, ascii_only) or 'project'}-{what}.{ending}"


def disposition(kind: str, project: str, what: str, ending: str) -> str:
    """Content-Disposition (RFC 6266): a name every client can read, and the project's own letters (RFC 5987) where
    they differ. kind: 'attachment' or 'inline'."""
    plain = file_name(project, what, ending)
    own = file_name(project, what, ending, ascii_only=False)
    more = "" if own == plain else f"; filename*=UTF-8''{quote(own, safe='')}"
    return f'{kind}; filename="{plain}"{more}'


def spooled(write: Callable[[IO[bytes]], None], media_type: str, headers: dict[str, str]) -> StreamingResponse:
    """What `write` writes, whole before the answer begins: an error in it is an error's answer, and no transaction
    stays open for a slow reader."""
    with ExitStack() as held:
        file = held.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))
        write(file)
        length = {"Content-Length": str(file.tell())}
        file.seek(0)
        held.pop_all()
    return StreamingResponse(chunks(file), media_type=media_type, headers={**PRIVATE, **length, **headers})


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk
