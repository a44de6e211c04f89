"""Lines of the log as the service writes them, and the records that they are made of."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.telemetry.logs import JsonLines, TextLines


class Lines(logging.Handler):
    """What is logged, in both formats, and each record as it was before secrets were cut out of its line."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        # The caller's own, in these tests; the service hears its warnings alone.
        self.addFilter(lambda record: not record.name.startswith(("httpx", "httpcore")))
        self.text: list[str] = []
        self.json: list[dict[str, Any]] = []
        self.raw: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.raw.append(f"{record.getMessage()} {vars(record)}")
        self.text.append(TextLines().format(record))
        self.json.append(json.loads(JsonLines().format(record)))

    def of(self, logger: str) -> list[dict[str, Any]]:
        return [line for line in self.json if line["logger"] == logger]


@contextmanager
def logged(level: int = logging.INFO) -> Iterator[Lines]:
    """What is logged in the block from this level on."""
    root, lines = logging.getLogger(), Lines()
    before = root.level
    root.addHandler(lines)
    root.setLevel(level)
    try:
        yield lines
    finally:
        root.setLevel(before)
        root.removeHandler(lines)
