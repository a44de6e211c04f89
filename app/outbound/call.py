"""The one way to call the outside: https, no redirects, no proxies from the environment, bounded in time and size."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from time import monotonic

import httpcore
import httpx

from app.outbound.connection import Deadline, PinnedBackend, Resolve, look_up
from app.outbound.errors import AnswerTooLarge, BadAnswer, Refused, TimedOut, Unreachable
from app.outbound.targets import Policy

TIMEOUT_S = 15.0
KEPT_BYTES = 2_048
MAX_ANSWER = 10_000_000
UNBOUNDED = 1 << 62
KEEP_S = 4.0
"""So long an idle connection is kept; receivers close theirs after five seconds or more."""


@dataclass(frozen=True)
class Reply:
    """What came back: the first bytes of the body, as they came, and whether that is not all of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    duration_s: float


@cache
def known_authorities() -> ssl.SSLContext:
    """Those of certifi, or of SSL_CERT_FILE or SSL_CERT_DIR."""
    return httpx.create_ssl_context()


class Body(httpx.SyncByteStream):
    """An answer's body. Raises AnswerTooLarge beyond `limit` bytes; closing it before its end closes the connection."""

    def __init__(self, answer: httpcore.Response, limit: int, pool: httpcore.ConnectionPool | None) -> None:
        """pool: closed with the body, where it is of this call alone."""
        self.pool = pool
        self.answer = answer
        self.limit = limit

    def __iter__(self) -> Iterator[bytes]:
        """The bytes as they come. Raises AnswerTooLarge beyond the limit, BadAnswer where they break off."""
        size = 0
        try:
            for part in self.answer.iter_stream():
                size += len(part)
                if size > self.limit:
                    raise AnswerTooLarge(f"the answer is over {self.limit} bytes")
                yield part
        except httpcore.ProtocolError:
            raise BadAnswer("the answer breaks off or is not HTTP") from None

    def close(self) -> None:
        self.answer.close()
        if self.pool is not None:
            self.pool.close()


class GuardedTransport(httpx.BaseTransport):
    """Each request has its own deadline, and its own connection, whose address is judged. Raises the errors of
    `errors.py`."""

    def __init__(self, policy: Policy, timeout_s: float, max_bytes: int, tls: ssl.SSLContext, resolve: Resolve) -> None:
        self.policy = policy
        self.timeout_s = timeout_s
        self.max_bytes = max_bytes
        self.tls = tls
        self.resolve = resolve

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises Refused for what is not http(s), BadAnswer for what is not HTTP, and as the connection."""
        pool = self.pool_for(request.url.scheme, Deadline(self.timeout_s))
        try:
            answer = pool.handle_request(as_core_request(request))
        except httpcore.ProtocolError:
            pool.close()
            raise BadAnswer("what came back is not HTTP") from None
        except BaseException:
            pool.close()
            raise
        return httpx.Response(answer.status, headers=answer.headers, stream=Body(answer, self.max_bytes, pool))

    def pool_for(self, scheme: str, deadline: Deadline, kept: int = 0) -> httpcore.ConnectionPool:
        """A pool of one connection, of which `kept` (0 or 1) outlive their request. Raises Refused."""
        if scheme not in ("http", "https"):
            raise Refused("only https is called")
        return httpcore.ConnectionPool(
            ssl_context=self.tls,
            max_connections=1,
            max_keepalive_connections=kept,
            keepalive_expiry=KEEP_S,
            network_backend=PinnedBackend(self.policy, scheme, deadline, self.resolve),
        )


class KeptTransport(GuardedTransport):
    """Keeps the connection for the next request to the same place; that goes to the address that was judged when it
    was made. For one thread."""

    def __init__(self, policy: Policy, timeout_s: float, max_bytes: int, tls: ssl.SSLContext, resolve: Resolve) -> None:
        super().__init__(policy, timeout_s, max_bytes, tls, resolve)
        self.deadline = Deadline(timeout_s)
        self.pools: dict[str, httpcore.ConnectionPool] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """A kept connection may have been closed by the peer just now: what it broke off is sent once more on a new
        one. Raises as GuardedTransport."""
        scheme = request.url.scheme
        pool = self.pools.get(scheme) or self.pools.setdefault(scheme, self.pool_for(scheme, self.deadline, kept=1))
        self.deadline.start()
        is_kept = any(connection.is_idle() for connection in pool.connections)
        try:
            answer = pool.handle_request(as_core_request(request))
        except (httpcore.ProtocolError, Unreachable) as problem:
            pool.close()
            del self.pools[scheme]
            if is_kept:
                return self.handle_request(request)
            if isinstance(problem, Unreachable):
                raise
            raise BadAnswer("what came back is not HTTP") from None
        return httpx.Response(answer.status, headers=answer.headers, stream=Body(answer, self.max_bytes, None))

    def close(self) -> None:
        for pool in self.pools.values():
            pool.close()


def as_core_request(request: httpx.Request) -> httpcore.Request:
    url = httpcore.URL(
        scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
    )
    return httpcore.Request(request.method, url, headers=request.headers.raw, content=request.stream)


def refuse_encoded(response: httpx.Response) -> None:
    """What is small on the wire could be endless once unpacked. Raises BadAnswer."""
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise BadAnswer("the answer is compressed although that was not asked for")


@dataclass(frozen=True)
class Outbound:
    """Calls under one policy. `tls` and `resolve` are the system's unless told otherwise."""

    policy: Policy
    tls: ssl.SSLContext | None = None
    resolve: Resolve = look_up

    def client(self, timeout_s: float = TIMEOUT_S, max_bytes: int = MAX_ANSWER) -> httpx.Client:
        """A client for a vendor's API: every request within `timeout_s`, every answer within `max_bytes`."""
        return self.open(GuardedTransport, timeout_s, max_bytes, event_hooks={"response": [refuse_encoded]})

    def open(self, kind: type[GuardedTransport], timeout_s: float, max_bytes: int, **options: object) -> httpx.Client:
        tls = self.tls or known_authorities()
        transport = kind(self.policy, timeout_s, max_bytes, tls, self.resolve)
        return httpx.Client(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
            **options,  # type: ignore[arg-type]  # httpx spells out each option
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes,
        timeout_s: float = TIMEOUT_S,
        kept_bytes: int = KEPT_BYTES,
    ) -> Reply:
        """One call; see `Line.send`."""
        with self.line(timeout_s) as line:
            return line.send(method, url, headers=headers, content=content, kept_bytes=kept_bytes)

    @contextmanager
    def line(self, timeout_s: float = TIMEOUT_S) -> Iterator["Line"]:
        """For calls one after another, each within `timeout_s`, on one connection as long as the receiver keeps it."""
        with self.open(KeptTransport, timeout_s, max_bytes=UNBOUNDED) as client:
            yield Line(client)


@dataclass(frozen=True)
class Line:
    client: httpx.Client

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes, kept_bytes: int = KEPT_BYTES
    ) -> Reply:
        """One call, of whose answer the first `kept_bytes` are read, and no more.

        Raises OutboundError where no status came back in time; a body that then breaks off or is late is cut short.
        """
        started = monotonic()
        with self.client.stream(method, readable(url), headers=headers, content=content) as response:
            body, truncated = read_start(response, kept_bytes)
            return Reply(response.status_code, response.headers, body, truncated, monotonic() - started)


def readable(url: str) -> httpx.URL:
    """`url`, parsed. Raises Refused where it cannot be read."""
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        raise Refused("the URL cannot be read") from None


def read_start(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes of the body, and whether there may be more."""
    read = b""
    try:
        for part in response.iter_raw():
            read += part[: limit + 1]
            if len(read) > limit:
                return read[:limit], True
    except (TimedOut, BadAnswer, Unreachable):
        return read, True
    return read, False
