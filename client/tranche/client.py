"""The client itself: where it calls, with which key, and how long."""

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import httpx

from tranche.calls import ExportCalls, PlanningCalls, ProjectCalls, PurchaseCalls, RunCalls
from tranche.http import RETRIES

C = TypeVar("C", bound="Client")


class Client(ProjectCalls, RunCalls, PlanningCalls, PurchaseCalls, ExportCalls):
    """Calls one Tranche service with one API key; close it, or use it in `with`.

    base_url and api_key: from the variables TRANCHE_URL and TRANCHE_API_KEY where they are not given. A project is
    given by its id or as itself.

    A request that does not reach the service, or finds it busy or restarting (429, 502, 503, 504, a 409 that says when
    to come back, or a 500 that is not the service's own), is sent again up to `retries` times, after a growing,
    jittered wait and never before its Retry-After; one that asks for more than a minute is not waited for, and where
    no answer comes it is given up after four timeouts, a minute at least. The defaults ride out a restart of half a
    minute. Each retry is a line of the logger "tranche". A repeated POST carries the same Idempotency-Key, so it has
    one effect. What remains is raised as `TrancheError` or `httpx.TransportError`.

    Raises ValueError where an address or a key is missing, or the key has characters that no key has.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: int = RETRIES,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        address, key = _setting(base_url, "TRANCHE_URL", "base_url"), _setting(api_key, "TRANCHE_API_KEY", "api_key")
        if not (key.isascii() and key.isprintable() and " " not in key):
            # httpx would say so too, and show the key.
            raise ValueError("the API key has blanks or characters that no key has; copy it again")
        super().__init__(
            address, key, timeout_s=timeout_s, retries=retries, transport=transport, sleep=sleep
        )  # fmt: skip

    def __enter__(self: C) -> C:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _setting(given: str | None, variable: str, argument: str) -> str:
    """What was given, or else the variable's value. Raises ValueError where neither says anything."""
    value = (os.environ.get(variable, "") if given is None else given).strip()
    if not value:
        raise ValueError(f"{variable} is not set: set it, or give {argument}")
    return value
