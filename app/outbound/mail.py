"""E-mail through the SMTP server of the operator's choice: its address is not judged, but all is bounded in time."""

import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Timer
from time import monotonic
from typing import Literal

from app.outbound.call import KEPT_BYTES, TIMEOUT_S, Reply, known_authorities
from app.outbound.connection import Deadline, connect_to_first, look_up, look_up_in_time
from app.outbound.errors import BadAnswer, TlsFailed, Unreachable

TAKEN = 250


@dataclass(frozen=True)
class MailServer:
    """`tls`: after STARTTLS, from the first byte, or none. `authorities` are the usual ones unless told otherwise."""

    host: str
    port: int
    sender: str
    user: str | None = None
    password: str = field(default="", repr=False)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    authorities: ssl.SSLContext | None = field(default=None, repr=False)


class Talk(smtplib.SMTP):
    """smtplib's, on a socket that is connected already."""

    def __init__(self, connected: socket.socket, server: MailServer) -> None:
        self.connected = connected
        # It calls itself by the sender's domain: to ask name servers for this machine's knows no timeout.
        super().__init__(server.host, server.port, local_hostname=server.sender.rpartition("@")[2])

    def _get_socket(self, *_: object) -> socket.socket:
        return self.connected


def send_mail(server: MailServer, to: Sequence[str], content: bytes, timeout_s: float = TIMEOUT_S) -> Reply:
    """Hand a message over. The reply's status is SMTP's (250: taken), its body what the server said, with the addresses
    that it refused where it took the message for others.

    Raises OutboundError where there was no such reply in time.
    """
    started, deadline = monotonic(), Deadline(timeout_s)
    addresses = look_up_in_time(look_up, server.host, server.port, deadline)
    connected = connect_to_first(addresses, server.port, deadline)
    with cut_off(connected, deadline):
        try:
            status, said = talk(server, connected, to, content)
        except smtplib.SMTPResponseException as refusal:
            status, said = refusal.smtp_code, as_bytes(refusal.smtp_error)
        except ssl.SSLCertVerificationError:
            raise TlsFailed("the certificate is expired, of another name, or of no known authority") from None
        except smtplib.SMTPNotSupportedError as lack:
            raise BadAnswer(f"the mail server lacks what the settings ask for: {lack}") from None
        except OSError as problem:  # what smtplib raises too
            deadline.left()
            if isinstance(problem, ssl.SSLError):
                raise TlsFailed("no secure connection: the mail server does not speak TLS as it should") from None
            raise Unreachable("the connection to the mail server broke") from None
    if status < 0:
        raise BadAnswer("what came back is not SMTP")
    return Reply(status, {}, said[:KEPT_BYTES], len(said) > KEPT_BYTES, monotonic() - started)


@contextmanager
def cut_off(connected: socket.socket, deadline: Deadline) -> Iterator[None]:
    """The connection ends with the block, and at the deadline, whatever is being done on it."""
    connected.settimeout(deadline.left())
    # Another handle of the same connection: the first becomes TLS's own.
    with connected, connected.dup() as handle:
        timer = Timer(deadline.left(), end, [handle])
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            end(handle)


def end(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def talk(server: MailServer, connected: socket.socket, to: Sequence[str], content: bytes) -> tuple[int, bytes]:
    """The last reply's code and words. Raises as smtplib."""
    tls = server.authorities or known_authorities()
    if server.tls == "tls":
        connected = tls.wrap_socket(connected, server_hostname=server.host)
    with closing(Talk(connected, server)) as client:
        if server.tls == "starttls":
            client.starttls(context=tls)
        client.ehlo_or_helo_if_needed()
        if server.user is not None:
            client.login(server.user, server.password)
        return hand_over(client, server.sender, to, content)


def hand_over(client: smtplib.SMTP, sender: str, to: Sequence[str], content: bytes) -> tuple[int, bytes]:
    code, said = client.mail(sender)
    if code != TAKEN:
        return code, said
    replies = {address: client.rcpt(address) for address in to}
    refused = {address: reply for address, reply in replies.items() if not 250 <= reply[0] < 260}
    told = [f"{address}: {code} ".encode() + words for address, (code, words) in refused.items()]
    if len(refused) == len(replies):
        return next(iter(refused.values()))[0], b"\n".join(told)
    code, said = client.data(content)
    with suppress(OSError):
        client.quit()
    return code, b"\n".join([said, *told])


def as_bytes(words: bytes | str) -> bytes:
    return words if isinstance(words, bytes) else words.encode()
