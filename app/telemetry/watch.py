"""Every call is watched from outside: counted, timed, given an id, and told in one line of the log."""

import logging
import re
from dataclasses import dataclass, field
from secrets import token_hex
from time import perf_counter
from typing import Any

from opentelemetry import trace
from prometheus_client import Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry.addresses import hide_secrets
from app.telemetry.metrics import Metrics
from app.telemetry.notes import CALL, CallNote

log = logging.getLogger("tranche.access")

# Nothing that an API key would pass for: those have underscores.
REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")
TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED, OTHER_METHOD, UNANSWERED = "unmatched", "OTHER", "unanswered"
QUIET = frozenset({"/healthz", "/readyz"})
"""Routes that are asked every few seconds: told of only where they fail."""
LONGEST_PATH = 300
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
WATCHED = "tranche.watched"


class CallCounts:
    """What is counted of calls. Routes are named by their templates: each path would be a series of its own."""

    def __init__(self, metrics: Metrics) -> None:
        self.seconds = Histogram(
            "tranche_http_request_duration_seconds",
            "Calls from their first byte to the last of their answers, by route and status.",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=metrics.registry,
        )
        self.under_way = Gauge(
            "tranche_http_requests_under_way", "Calls that are being answered.", registry=metrics.registry
        )


@dataclass(slots=True)
class Watched:
    """One call as it passes. bytes_in and bytes_out: of the bodies."""

    scope: Scope
    receive: Receive
    send: Send
    note: CallNote
    started: float = field(default_factory=perf_counter)
    status: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0

    async def receiving(self) -> Message:
        message = await self.receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def sending(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {
                **message,
                "headers": [*message.get("headers", ()), (b"x-request-id", self.note.request_id.encode())],
            }
            span = trace.get_current_span().get_span_context()
            if span.is_valid:
                self.note.trace_id = trace.format_trace_id(span.trace_id)
        else:
            self.bytes_out += len(message.get("body", b""))
        await self.send(message)


class Watch:
    """The service, watched. What is watched already, further outside, is not watched again."""

    def __init__(self, app: ASGIApp, counts: CallCounts) -> None:
        self.app, self.counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or WATCHED in scope:
            await self.app(scope, receive, send)
            return
        scope[WATCHED] = True
        hide_secrets(scope)
        call = Watched(scope, receive, send, new_note(scope))
        before = CALL.set(call.note)
        self.counts.under_way.inc()
        try:
            await self.app(scope, call.receiving, call.sending)
        finally:
            self.counts.under_way.dec()
            self.tell(call)
            CALL.reset(before)

    def tell(self, call: Watched) -> None:
        seconds = perf_counter() - call.started
        route = getattr(call.scope.get("route"), "path_format", None)
        method = call.scope["method"] if call.scope["method"] in METHODS else OTHER_METHOD
        self.counts.seconds.labels(method, route or UNMATCHED, call.status or UNANSWERED).observe(seconds)
        level = level_of(call.status)
        if (level > logging.INFO or route not in QUIET) and log.isEnabledFor(level):
            log.log(level, "call", extra={"facts": facts_of(call, route, seconds)})


def new_note(scope: Scope) -> CallNote:
    """With the id that the caller or a proxy gave, where it is short and plain, and the trace that it says."""
    request_id = trace_id = None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and request_id is None and REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent" and (found := TRACEPARENT.fullmatch(value)):
            trace_id = found[1].decode()
    return CallNote(request_id or token_hex(16), trace_id)


def level_of(status: int | None) -> int:
    """A refused key is a warning, as is a service that cannot answer for now; what fails on our side is an error."""
    if status is None or status in (401, 503):
        return logging.WARNING
    return logging.ERROR if status >= 500 else logging.INFO


def facts_of(call: Watched, route: str | None, seconds: float) -> dict[str, Any]:
    scope, note = call.scope, call.note
    client = scope.get("client")
    facts: dict[str, Any] = {
        "method": scope["method"],
        "route": route,
        "path": (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0][:LONGEST_PATH],
        "status": call.status,
        "duration_ms": round(1000 * seconds, 1),
        "bytes_in": call.bytes_in,
        "bytes_out": call.bytes_out,
        "client": client[0] if client else None,
        "key_id": note.key_id,
        "workspace_id": note.workspace_id,
        "problem": note.problem,
        "reason": note.reason,
    }
    return {name: value for name, value in facts.items() if value is not None}
