"""The log: one line an event, as text or as JSON, to standard error, and no secret in any."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from app.settings import Settings
from app.telemetry.notes import CALL

SECRET = re.compile(r"(tranche_[0-9a-f]{16}_|hooks(?:/|%2F)+|whsec_|Bearer )[\w+/=.%~-]+", re.IGNORECASE)
# Most lines hold none of these, and are not searched further.
SIGNS = ("tranche_", "hooks", "whsec_", "bearer ")
PLAIN = re.compile(r"[^\s\"=]+")


def without_secrets(line: str) -> str:
    """The line with API keys, signing secrets and the tokens in the addresses of hooks cut short: a last resort, for
    what libraries and exceptions may quote."""
    folded = line.lower()
    return SECRET.sub(r"\1…", line) if any(sign in folded for sign in SIGNS) else line


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """What is said beside the message, with the call that it belongs to."""
    facts: dict[str, Any] = dict(getattr(record, "facts", ()))
    note = CALL.get()
    if note is not None:
        facts["request_id"] = note.request_id
        if note.trace_id is not None:
            facts["trace_id"] = note.trace_id
    return facts


class TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        # A caller's line break must not begin a line that looks like ours.
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return " ".join([super().formatMessage(record), *map(said, facts_of(record).items())])

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def said(fact: tuple[str, Any]) -> str:
    name, value = fact
    if isinstance(value, int | float):
        return f"{name}={value}"
    text = str(value)
    return f"{name}={text if PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)}"


class JsonLines(JsonFormatter):
    def __init__(self) -> None:
        names = {"levelname": "level", "name": "logger"}
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields=names,
            reserved_attrs=[*RESERVED_ATTRS, "facts", "color_message"],
            json_ensure_ascii=False,
        )

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        super().add_fields(log_data, record, message_dict)
        log_data.update(facts_of(record))

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def log_to_stderr(settings: Settings) -> None:
    """Log as the settings say: everything of this process, libraries and warnings too."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.captureWarnings(True)
    quiet_engine()
    # It would log each URL that is called, and some hold tokens.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def quiet_engine() -> None:
    """Hear the engine's warnings alone, in the format of everyone's log."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.WARNING)
    # Where it finds a handler it adds none of its own.
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
