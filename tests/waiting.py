"""Waiting for what others bring about, on machines of any speed: it ends with what is waited for, not by the clock."""

from collections.abc import Callable
from time import monotonic, sleep

PATIENCE_S = 300.0
"""When a test gives up on what never comes. Nothing is proved by it, so that it may be long."""


def until(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Asks again and again until the condition holds. Raises AssertionError where it does not in so long a time."""
    end = monotonic() + timeout_s
    while not condition():
        assert monotonic() < end, f"waited in vain for {timeout_s:g} s"
        sleep(0.02)
