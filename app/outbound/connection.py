"""One connection: the name is looked up once, every address is checked, and the checked address is the one called.

Everything — look-up, connecting, TLS, each byte out and in — runs against one deadline, so that a peer who sends a byte
now and then cannot hold the caller.
"""

import select
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from ipaddress import ip_address
from threading import Lock, Thread
from time import monotonic
from typing import Any, TypeVar

import httpcore

from app.outbound.errors import NameNotFound, Refused, TimedOut, TlsFailed, Unreachable
from app.outbound.targets import Address, Policy, TargetRefused

# So that a second address still has a chance where the first one swallows what it is sent.
CONNECT_S = 5.0

Done = TypeVar("Done")
Resolve = Callable[[str, int], Sequence[Address]]


class Deadline:
    """An instant by which everything must be done."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.start()

    def start(self) -> None:
        """Begin anew, for the next call on a kept connection."""
        self.ends = monotonic() + self.seconds

    def left(self) -> float:
        """Seconds until then. Raises TimedOut."""
        left = self.ends - monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> TimedOut:
        return TimedOut(f"not done within {self.seconds:g} s")


def look_up(host: str, port: int) -> Sequence[Address]:
    """The addresses of a name. Raises OSError or UnicodeError where it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(sockaddr[0])) for *_, sockaddr in found]


def look_up_in_time(resolve: Resolve, host: str, port: int, deadline: Deadline) -> Sequence[Address]:
    """The system's look-up knows no timeout: it runs in a thread that nobody waits for longer than that. Raises
    TimedOut, NameNotFound, Unreachable where too many wait for their name servers."""
    answer = LOOK_UPS.ask(resolve, host, port)
    if not wait([answer], deadline.left()).done:
        raise deadline.passed()
    if isinstance(answer.exception(), (OSError, ValueError)) or not answer.result():
        raise NameNotFound("the host name has no address")
    return answer.result()


def connect_to_first(addresses: Sequence[Address], port: int, deadline: Deadline) -> socket.socket:
    """A socket to the first address that answers. Raises TimedOut, Unreachable where none does."""
    for address in addresses:
        try:
            # A literal address: nothing is looked up a second time.
            return socket.create_connection((str(address), port), min(deadline.left(), CONNECT_S))
        except OSError:
            continue
    deadline.left()
    raise Unreachable("no connection to the host")


class LookUps:
    """Look-ups under way: one for all who ask for the same name at once, and `most` in all, so that names whose servers
    never answer do not leave ever more threads behind."""

    def __init__(self, most: int = 64) -> None:
        self.most = most
        self.lock = Lock()
        self.under_way: dict[tuple[Resolve, str, int], Future[Sequence[Address]]] = {}

    def ask(self, resolve: Resolve, host: str, port: int) -> Future[Sequence[Address]]:
        """The answer to come. Raises Unreachable."""
        name = (resolve, host, port)
        with self.lock:
            known = self.under_way.get(name)
            if known is not None:
                return known
            if len(self.under_way) >= self.most:
                raise Unreachable("too many other names are being looked up and do not answer")
            answer: Future[Sequence[Address]] = Future()
            self.under_way[name] = answer
        Thread(target=self.run, args=(name, answer), daemon=True).start()
        return answer

    def run(self, name: tuple[Resolve, str, int], answer: Future[Sequence[Address]]) -> None:
        resolve, host, port = name
        try:
            answer.set_result(resolve(host, port))
        except Exception as problem:  # noqa: BLE001 -- whoever waits is told
            answer.set_exception(problem)
        finally:
            with self.lock:
                del self.under_way[name]


LOOK_UPS = LookUps()


class PinnedStream(httpcore.NetworkStream):
    """A socket whose every operation keeps to the deadline."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self.socket = connected
        self.deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.do(self.socket.recv, max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            rest = rest[self.do(self.socket.send, rest) :]

    def do(self, operation: Callable[[Any], Done], argument: object) -> Done:
        """What the socket's operation gives. Raises TimedOut, Unreachable where it breaks."""
        self.socket.settimeout(self.deadline.left())
        try:
            return operation(argument)
        except TimeoutError:
            raise self.deadline.passed() from None
        except OSError:
            raise Unreachable("the connection broke") from None

    def close(self) -> None:
        self.socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The stream, encrypted. Raises TimedOut, TlsFailed."""
        self.socket.settimeout(self.deadline.left())
        try:
            return PinnedStream(ssl_context.wrap_socket(self.socket, server_hostname=server_hostname), self.deadline)
        except TimeoutError:
            raise self.deadline.passed() from None
        except ssl.SSLCertVerificationError:
            raise TlsFailed("the certificate is expired, of another name, or of no known authority") from None
        except ValueError:
            raise TlsFailed("the host name cannot stand in a certificate") from None
        except OSError:
            raise TlsFailed("no secure connection: the peer does not speak TLS as it should") from None

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` of an idle connection: the peer has closed it, or sent what nobody asked for."""
        if info != "is_readable":
            return None
        waiting = select.poll()
        waiting.register(self.socket, select.POLLIN)
        return bool(waiting.poll(0))


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to addresses that `policy` permits for `scheme`, and to no others."""

    def __init__(self, policy: Policy, scheme: str, deadline: Deadline, resolve: Resolve) -> None:
        self.policy = policy
        self.scheme = scheme
        self.deadline = deadline
        self.resolve = resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises Refused where an address may not be called, and as the look-up and the connection."""
        addresses = look_up_in_time(self.resolve, host, port, self.deadline)
        try:
            for address in addresses:
                self.policy.check_address(address, self.scheme, port)
        except TargetRefused as refusal:
            raise Refused(str(refusal)) from None
        return PinnedStream(connect_to_first(addresses, port, self.deadline), self.deadline)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Raises Refused."""
        raise Refused("sockets of this machine are not called")
