"""What must not stand in a log, and what need not."""

import logging
import re

HOOK = re.compile(r"(/v1/hooks/)[^/?\s]+")


def hide_hook_tokens(record: logging.LogRecord) -> bool:
    """A filter of access logs: the address that a vendor calls holds a token."""
    if isinstance(record.args, tuple):
        record.args = tuple(HOOK.sub(r"\1…", one) if isinstance(one, str) else one for one in record.args)
    return True


def quiet_engine() -> None:
    """Hear the engine's warnings alone, in the format of everyone's log."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.WARNING)
    # Where it finds a handler it adds none of its own.
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
