"""Receivers on loopback that behave as they are told, well or badly: real sockets, plain or with TLS."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import SHUT_RDWR, create_server, socket
from time import sleep

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "hooks.example"


@dataclass
class Request:
    """What came in. `headers` by their names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[socket, Request], None]


@dataclass
class Receiver:
    """Answers each connection's first request by `behaviour`, which may be changed; keeps what came in. With `more` up
    to so many requests on a connection."""

    behaviour: Behaviour
    tls: ssl.SSLContext | None = None
    more: int = 1
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    host: str = "127.0.0.1"

    def __enter__(self) -> "Receiver":
        self.come_up()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_down()

    def come_up(self) -> None:
        """On the same port as before."""
        self.listening = create_server((self.host, self.port))
        self.port = int(self.listening.getsockname()[1])
        threading.Thread(target=self.accept, args=(self.listening,), daemon=True).start()

    def go_down(self) -> None:
        with suppress(OSError):
            self.listening.shutdown(SHUT_RDWR)
        self.listening.close()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/hook"

    def accept(self, listening: socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket) -> None:
        with suppress(OSError, ValueError), connection:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                for _ in range(self.more):
                    request = read_request(connection)
                    self.requests.append(request)
                    self.behaviour(connection, request)


def read_request(connection: socket) -> Request:
    read = b""
    while b"\r\n\r\n" not in read:
        part = connection.recv(65_536)
        if not part:
            raise ValueError("closed")
        read += part
    head, _, body = read.partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65_536)
    return Request(line, headers, body)


def answers(status: int = 200, body: bytes = b"ok", *, more: str = "") -> Behaviour:
    """A well-behaved answer; `more` are header lines, each ended by CRLF."""
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode()
    return lambda connection, _: connection.sendall(head + body)


def one_after_another(*behaviours: Behaviour) -> Behaviour:
    """The first for the first request, and so on; the last for all others."""
    rest = list(behaviours)

    def behave(connection: socket, request: Request) -> None:
        now = rest.pop(0) if len(rest) > 1 else rest[0]
        now(connection, request)

    return behave


def slow(seconds: float, then: Behaviour) -> Behaviour:
    def behave(connection: socket, request: Request) -> None:
        sleep(seconds)
        then(connection, request)

    return behave


def drips(text: bytes, every_s: float = 0.05) -> Behaviour:
    """One byte at a time, as long as the caller stays."""

    def behave(connection: socket, _: Request) -> None:
        for byte in text:
            connection.sendall(bytes([byte]))
            sleep(every_s)

    return behave


def drips_headers(connection: socket, request: Request) -> None:
    drips(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000)(connection, request)


def drips_body(connection: socket, request: Request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    drips(b"y" * 10_000)(connection, request)


def informs_for_ever(connection: socket, _: Request) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        sleep(0.02)


def never_closes(connection: socket, _: Request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
    connection.recv(1)


def sends_a_gigabyte(connection: socket, _: Request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    for _ in range(1_000):
        connection.sendall(b"z" * 1_000_000)


def says_nothing(connection: socket, _: Request) -> None:
    connection.recv(1)


def hangs_up(connection: socket, _: Request) -> None:
    connection.close()


def speaks_no_http(connection: socket, _: Request) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n")


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test's own."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=pem(self.certificate).decode())

    def serves(self, name: str, *, valid_for: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """A server's context with a certificate for `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = certificate(name, key, self.certificate.subject, self.key, valid_for, authority=False)
        path = self.folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + pem(made))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


def new_authority(folder: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of the tests")])
    return Authority(folder, key, certificate("authority.example", key, name, key, timedelta(days=1), authority=True))


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    valid_for: timedelta,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    subject = issuer if authority else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + valid_for)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


@contextmanager
def receiving(
    behaviour: Behaviour, tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1"
) -> Iterator[Receiver]:
    with Receiver(behaviour, tls, host=host) as receiver:
        yield receiver
