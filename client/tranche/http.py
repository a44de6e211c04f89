"""Requests to the service, and when they are sent again."""

import json
import logging
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from tranche.answers import Json
from tranche.errors import answer_of, refuse

Query = Mapping[str, str | list[str]]

FIRST_WAIT_S, LONGEST_BACKOFF_S, LONGEST_WAIT_S = 0.5, 8.0, 60.0
RETRIES = 11
"""The waits before them, at their shortest, are 31 s in all: a service that restarts is there again."""
PATIENCE_S, PATIENCE_TIMEOUTS = 60.0, 4.0
_BUSY = frozenset({408, 429, 502, 503, 504})
_OWN_FAULTS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_random = secrets.SystemRandom()
_log = logging.getLogger("tranche")


class Identified(Protocol):
    @property
    def id(self) -> str: ...


class Connection:
    """Calls one service with one API key."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float,
        retries: int,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], None],
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout_s, transport=transport)
        self._retries = retries
        self._patience_s = max(PATIENCE_S, PATIENCE_TIMEOUTS * timeout_s)
        self._sleep = sleep

    def close(self) -> None:
        self._http.close()

    def _call(self, method: str, path: str, body: Json | None = None, query: Query | None = None) -> Json:
        """The JSON object that the service answers. Raises TrancheError where it refuses."""
        return answer_of(self._answer(method, path, body, query))

    def _call_tagged(
        self, method: str, path: str, body: Json | None = None, *, if_match: str | None = None
    ) -> tuple[Json, str | None]:
        """The JSON object and its ETag; sent with If-Match where one is given."""
        response = self._answer(method, path, body, headers={} if if_match is None else {"If-Match": if_match})
        return answer_of(response), response.headers.get("ETag")

    def _items(self, path: str, query: Query | None = None) -> Iterator[Json]:
        """The items of a list, page by page."""
        return (item for page in self._pages(path, query) for item in page["items"])

    def _pages(self, path: str, query: Query | None = None) -> Iterator[Json]:
        query = dict(query or {})
        while True:
            page = self._call("GET", path, query=query)
            yield page
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def _file(self, path: str, query: Query | None = None) -> httpx.Response:
        """An answer that is no JSON. Raises TrancheError where the service refuses."""
        response = self._answer("GET", path, query=query, headers={"Accept": "*/*"})
        if not response.is_success:
            refuse(response)
        return response

    def _sent(self, path: str, content: bytes, kind: str, query: Query | None = None) -> Json:
        """The answer to a body that is no JSON, of the content type `kind`. Raises TrancheError where it is refused."""
        headers = {"Content-Type": kind, "Idempotency-Key": str(uuid.uuid4())}
        request = self._http.build_request("POST", path, params=query or None, content=content, headers=headers)
        return answer_of(self._send(request))

    def _answer(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        said = dict(headers or {})
        if body is not None:
            said["Content-Type"] = "application/json"
        if method == "POST":
            said["Idempotency-Key"] = str(uuid.uuid4())
        content = None if body is None else json.dumps(body, default=_plain, allow_nan=False).encode()
        return self._send(self._http.build_request(method, path, params=query or None, content=content, headers=said))

    def _send(self, request: httpx.Request) -> httpx.Response:
        """Sends a request, again and again while that may help; the last answer, or the last failure raised."""
        given_up_s = time.monotonic() + self._patience_s
        for attempt in range(self._retries):
            wait_s = _backoff_s(attempt)
            try:
                response = self._http.send(request)
            except _OWN_FAULTS:
                raise
            except httpx.TransportError as error:
                if time.monotonic() > given_up_s:
                    raise
                failure = f"{type(error).__name__}: {error}"
            else:
                asked_s = _asked_to_wait_s(request, response)
                if asked_s is None or asked_s > LONGEST_WAIT_S:
                    return response
                failure, wait_s = f"{response.status_code} {response.reason_phrase}", max(asked_s, wait_s)
            _tell(request, failure, f"sent again in {wait_s:.1f} s ({attempt + 1} of {self._retries})")
            self._sleep(wait_s)
        return self._http.send(request)


def quoted(part: str) -> str:
    """A part of a path. A key of dots alone would be taken for a step in the path, but for a blank that counts for
    nothing."""
    return f"%20{part}" if part in (".", "..") else quote(part, safe="")


def path(project: str | Identified, *rest: str) -> str:
    """The address of a project, or of something in it."""
    parts = (str(getattr(project, "id", project)), *rest)
    return "/".join(["/v1/projects", *map(quoted, parts)])


def said(asked: Mapping[str, Any], *, as_text: bool = True) -> dict[str, Any]:
    """What is not None, for a query as text."""
    return {name: str(value) if as_text else value for name, value in asked.items() if value is not None}


def _tell(request: httpx.Request, failure: str, then: str) -> None:
    # The path alone: an address may hold a password, and headers hold the key.
    _log.warning("%s %s failed: %s; %s", request.method, request.url.path, failure, then)


def _plain(value: Any) -> Any:
    """JSON for what training loops hold: money, instants, NumPy's numbers. Raises TypeError for anything else."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} of type {type(value).__name__} does not go into JSON")


def _backoff_s(attempt: int) -> float:
    # The jitter keeps many training jobs from coming back all at once.
    longest_s = min(LONGEST_BACKOFF_S, FIRST_WAIT_S * 2.0**attempt)
    return longest_s * _random.uniform(0.5, 1.0)


def _asked_to_wait_s(request: httpx.Request, response: httpx.Response) -> float | None:
    """The least wait before the same request may succeed; None where the answer is final."""
    stated_s = _retry_after_s(response.headers.get("Retry-After", ""))
    if response.status_code in _BUSY or _was_cut_off(request, response):
        return stated_s or 0.0
    return stated_s if response.status_code == 409 else None


def _was_cut_off(request: httpx.Request, response: httpx.Response) -> bool:
    """Whether a server that stops has dropped a request that may be sent again: its 500 is no problem of ours."""
    of_ours = response.headers.get("Content-Type", "").startswith("application/problem+json")
    return (
        response.status_code == 500
        and not of_ours
        and (request.method == "GET" or "Idempotency-Key" in request.headers)
    )


def _retry_after_s(header: str) -> float | None:
    if header.isdecimal():
        return float(header)
    try:
        return (parsedate_to_datetime(header) - datetime.now(timezone.utc)).total_seconds()
    except (TypeError, ValueError):
        return None
