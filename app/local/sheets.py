"""The tables that stand beside a project's file. They are read as the API and its pages read them, and here alone."""

from collections.abc import Sequence
from typing import Any

from app.api.observations.intake import from_csv
from app.errors import Malformed, refuse
from app.services.observations.observations import Draft


def read_runs(body: bytes) -> list[Draft]:
    """Raises Malformed, Invalid naming lines."""
    return from_csv(body)


def read_groups(body: bytes) -> tuple[list[dict[str, Any]], Sequence[int]]:
    """Documents of groups, and the line of each. Raises Malformed, Invalid naming lines."""
    from app.web.group_csv import read_groups as rows_of

    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise Malformed(f"Line {line} is not UTF-8. Save it as UTF-8.") from None
    documents, lines, faults = rows_of(text)
    refuse(faults)
    return documents, lines
