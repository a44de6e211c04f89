"""A mail server on loopback that takes what it is handed, or answers as it is told."""

import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from socket import SHUT_RDWR, create_server, socket
from time import sleep
from typing import BinaryIO

ANSWERS = {"EHLO": "250-mail.example\r\n250 {more}", "DATA": "354 go on", "QUIT": "221 bye", "STARTTLS": "220 go on"}


@dataclass
class Mailbox:
    """`answers`: by verb, or by a line as a whole, what is said instead of 250; of "." to a message. `more`: what it
    offers. `at_once`: TLS from the first byte. `greeting` empty: nothing is ever said; `drips`: it goes on for ever.
    Keeps the lines and the messages that came in."""

    answers: Mapping[str, str] = field(default_factory=dict)
    more: str = "AUTH PLAIN"
    tls: ssl.SSLContext | None = None
    at_once: bool = False
    greeting: str = "220 mail.example"
    drips: bool = False
    lines: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    under_tls: list[str] = field(default_factory=list)

    def __enter__(self) -> "Mailbox":
        self.listening = create_server(("127.0.0.1", 0))
        self.port = int(self.listening.getsockname()[1])
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.listening.shutdown(SHUT_RDWR)
        self.listening.close()

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(one, policy=default) for one in self.raw]  # type: ignore[misc]

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket) -> None:
        with suppress(OSError, ValueError), connection:
            if self.tls is None or not self.at_once:
                encrypted = self.greet(connection, self.lines)
            else:
                with self.tls.wrap_socket(connection, server_side=True) as connected:
                    encrypted = self.greet(connected, self.under_tls)
            if encrypted and self.tls is not None:
                with self.tls.wrap_socket(connection, server_side=True) as connected, connected.makefile("rb") as said:
                    self.listen(connected, said, self.under_tls)

    def greet(self, connection: socket, lines: list[str]) -> bool:
        """As `listen`, after a word of welcome."""
        if not self.greeting:
            connection.recv(1)
        while self.drips:
            connection.sendall(b"220-more\r\n")
            sleep(0.02)
        connection.sendall(f"{self.greeting}\r\n".encode())
        with connection.makefile("rb") as said:
            return self.listen(connection, said, lines)

    def listen(self, connection: socket, said: BinaryIO, lines: list[str]) -> bool:
        """Whether TLS begins now."""
        for line in said:
            text = line.decode().rstrip("\r\n")
            lines.append(text)
            verb = text.split(" ")[0].upper()
            answer = self.answers.get(text) or self.answers.get(verb) or ANSWERS.get(verb, "250 ok")
            connection.sendall(answer.format(more=self.more).encode() + b"\r\n")
            if verb == "STARTTLS" and answer.startswith("220"):
                return True
            if verb == "DATA" and answer.startswith("354"):
                self.raw.append(read_message(said))
                connection.sendall(f"{self.answers.get('.', '250 taken as 42')}\r\n".encode())
            if verb == "QUIT":
                return False
        return False


def read_message(said: BinaryIO) -> bytes:
    """Up to the full stop on a line of its own, without the dots that were put in front of others."""
    read = []
    for line in said:
        if line == b".\r\n":
            break
        read.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    return b"".join(read)
