"""What must not stand in a log."""

import logging
import re

HOOK = re.compile(r"(/v1/hooks/)[^/?\s]+")


def hide_hook_tokens(record: logging.LogRecord) -> bool:
    """A filter of access logs: the address that a vendor calls holds a token."""
    if isinstance(record.args, tuple):
        record.args = tuple(HOOK.sub(r"\1…", one) if isinstance(one, str) else one for one in record.args)
    return True
