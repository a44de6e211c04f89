"""E-mail is handed over in time, under TLS, or it is said why not."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from app.outbound.errors import BadAnswer, NameNotFound, OutboundError, TimedOut, TlsFailed, Unreachable
from app.outbound.mail import MailServer, send_mail
from tests.mailbox import Mailbox
from tests.receivers import Authority, new_authority

TO = ["ana@example.com", "ben@example.com"]
MAIL = b"Subject: x\r\n\r\nhello\r\n.\r\n..dots\r\n"
PASSWORD = "a password"


def server(box: Mailbox, **more: Any) -> MailServer:
    return MailServer("127.0.0.1", box.port, "tranche@example.com", **{"tls": "none", **more})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


def test_it_is_taken_as_it_was_for_everybody() -> None:
    with Mailbox() as box:
        reply = send_mail(server(box), TO, MAIL)
    assert (reply.status, reply.body) == (250, b"taken as 42")
    assert box.raw == [MAIL]
    assert box.lines[:1] == ["ehlo example.com"]
    assert [line for line in box.lines if line.startswith("rcpt")] == [f"rcpt TO:<{one}>" for one in TO]


def test_who_is_refused_is_named_and_the_others_get_it() -> None:
    with Mailbox({"rcpt TO:<ben@example.com>": "550 no such user"}) as box:
        reply = send_mail(server(box), TO, MAIL)
    assert (reply.status, reply.body) == (250, b"taken as 42\nben@example.com: 550 no such user")
    assert len(box.raw) == 1


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ({"RCPT": "550 no such user"}, 550, b"ana@example.com: 550 no such user"),
        ({"MAIL": "451 later"}, 451, b"later"),
        ({"DATA": "554 no"}, 554, b"no"),
        ({".": "452 full"}, 452, b"full"),
    ],
)
def test_a_refusal_is_the_servers_own_words(answers: dict[str, str], status: int, said: bytes) -> None:
    with Mailbox(answers) as box:
        reply = send_mail(server(box), TO[:1], MAIL)
    assert (reply.status, reply.body) == (status, said)


def test_where_tls_is_asked_for_nothing_is_said_without_it() -> None:
    with Mailbox({"AUTH": "235 welcome"}) as box, pytest.raises(BadAnswer, match="STARTTLS"):
        send_mail(server(box, tls="starttls", user="me", password=PASSWORD), TO, MAIL)
    assert box.lines == ["ehlo example.com"]


@pytest.mark.parametrize("at_once", [False, True])
def test_under_tls_the_certificate_is_of_the_host(authority: Authority, at_once: bool) -> None:
    more = "AUTH PLAIN" if at_once else "STARTTLS"
    with Mailbox({"AUTH": "235 welcome"}, more, authority.serves("localhost"), at_once) as box:
        known = server(box, tls="tls" if at_once else "starttls", authorities=authority.trusted(), user=None)
        assert send_mail(replace(known, host="localhost"), TO, MAIL).status == 250
        for wrong in (known, replace(known, host="localhost", authorities=None)):
            with pytest.raises(TlsFailed, match="certificate"):
                send_mail(wrong, TO, MAIL)
    assert len(box.raw) == 1
    assert any(line.startswith("mail FROM") for line in box.under_tls)
    assert not any(line.startswith("mail FROM") for line in box.lines)


def test_a_password_goes_out_as_it_is_asked_for_and_is_in_no_repr() -> None:
    with Mailbox({"AUTH": "535 who are you?"}) as box:
        known = server(box, user="me", password=PASSWORD)
        reply = send_mail(known, TO, MAIL)
    assert (reply.status, reply.body) == (535, b"who are you?")
    assert box.lines[1] == "AUTH PLAIN " + base64.b64encode(f"\0me\0{PASSWORD}".encode()).decode()
    assert PASSWORD not in repr(known)


@pytest.mark.parametrize(
    ("box", "error"),
    [
        (Mailbox(greeting=""), TimedOut),
        (Mailbox(greeting="SSH-2.0-x"), BadAnswer),
        (Mailbox({"MAIL": "no number"}), BadAnswer),
        (Mailbox({"AUTH": "235 ok"}, more="SIZE"), BadAnswer),
    ],
)
def test_what_else_comes_back_is_a_fault_of_its_own(box: Mailbox, error: type[OutboundError]) -> None:
    with box:
        known = server(box, user="me", password=PASSWORD) if box.more == "SIZE" else server(box)
        with pytest.raises(error) as told:
            send_mail(known, TO, MAIL, timeout_s=0.3 if error is TimedOut else 15.0)
    assert PASSWORD not in str(told.value)


def test_a_server_that_drips_for_ever_is_cut_off() -> None:
    """Each line comes in time; all of them together do not."""
    with Mailbox(drips=True) as box, pytest.raises(TimedOut):
        send_mail(server(box), TO, MAIL, timeout_s=0.3)


def test_a_server_that_is_not_there() -> None:
    with Mailbox() as box:
        pass
    with pytest.raises(Unreachable):
        send_mail(server(box), TO, MAIL)
    with pytest.raises(NameNotFound):
        send_mail(replace(server(box), host="nothing.invalid"), TO, MAIL)
