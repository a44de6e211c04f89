"""E-mail: its addresses, its headers, and that nothing from outside makes a header of its own."""

from email import message_from_bytes
from email.policy import default
from typing import Any
from uuid import UUID

import pytest

from app.outbound.targets import TargetRefused
from app.services.notices.mail import addresses_of, mail_of, mail_server, read_addresses
from app.services.notices.words import Notice
from app.settings import Settings
from tests.api_client import NOW

BASE = "https://tranche.example.com"
ONE, TWO = UUID(int=1), UUID(int=2)


def sent(notice: Notice) -> Any:
    made = mail_of(notice, ["ana@example.com", "ben@example.com"], "tranche@example.com", BASE, ONE, TWO, NOW)
    raw = made.as_bytes()
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    return message_from_bytes(raw, policy=default)


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("mailto:ana@example.com", "mailto:ana@example.com"),
        ("MAILTO: ana+x@Example.COM , ben@bücher.example,", "mailto:ana+x@example.com,ben@xn--bcher-kva.example"),
        ("mailto:ana%2Bx@example.com,ana+x@example.com", "mailto:ana+x@example.com"),
    ],
)
def test_addresses_are_stored_as_they_are_written_to(url: str, stored: str) -> None:
    assert read_addresses(url) == stored
    assert read_addresses(stored) == stored
    assert all("@" in one for one in addresses_of(stored))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "mailto:",
        "mailto:ana",
        "mailto:@example.com",
        "mailto:ana@",
        "mailto:ana@example.com?subject=x",
        "mailto:ana@example.com%0d%0aBcc:eve@example.com",
        "mailto:ana@example.com\r\nBcc: eve@example.com",
        "mailto:Ana <ana@example.com>",
        "mailto:ana@example.com ben@example.com",
        "mailto:a..b@example.com",
        "mailto:aña@example.com",
        "mailto:ana@exa_mple.com",
        "mailto:ana@-.com",
        "mailto:" + ",".join(f"a{at}@example.com" for at in range(21)),
    ],
)
def test_what_is_no_list_of_addresses_is_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        read_addresses(url)


def test_a_mail_says_it_all_in_plain_text() -> None:
    mail = sent(Notice("Ana proposed round 3 of “Lungs”", "It waits.", "Ana: for\nthe audit", "/projects/1/rounds/3"))
    assert mail["From"] == "Tranche <tranche@example.com>"
    assert mail["To"] == "ana@example.com, ben@example.com"
    assert mail["Subject"] == "Ana proposed round 3 of “Lungs”"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{TWO}.{ONE}@example.com>"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == [
        "Ana proposed round 3 of “Lungs”.",
        "",
        "It waits.",
        "",
        "> Ana: for",
        "> the audit",
        "",
        f"{BASE}/projects/1/rounds/3",
        "",
        "-- ",
        f"Who gets this is chosen at {BASE}/endpoints/{ONE}",
    ]


def test_a_long_headline_makes_a_subject_that_is_cut_and_folded() -> None:
    mail = sent(Notice("ü " * 400, "", "", "/"))
    assert len(mail["Subject"]) <= 200
    assert mail["Subject"].endswith("…")


def test_a_headline_of_several_lines_is_never_sent() -> None:
    """Words makes one line of it; should it not, the message is not made."""
    with pytest.raises(ValueError, match="linefeed"):
        sent(Notice("Lungs\r\nBcc: eve@example.com", "", "", "/"))


def test_a_server_is_one_with_a_host_and_a_sender() -> None:
    assert mail_server(Settings()) is None
    with pytest.raises(ValueError, match="TRANCHE_SMTP_FROM"):
        Settings(smtp_host="mail.example.com")
    made = Settings(
        smtp_host="mail.example.com",
        smtp_from="t@example.com",
        smtp_password="hunter2",  # type: ignore[arg-type]
    )
    server = mail_server(made)
    assert server is not None
    assert (server.host, server.port, server.tls, server.password) == ("mail.example.com", 587, "starttls", "hunter2")
    assert "hunter2" not in repr(made) + repr(server)


def test_a_password_that_is_refused_is_not_repeated() -> None:
    for wrong in ({"smtp_password": "hünter2"}, {"smtp_password": "hünter2", "smtp_host": "mail.example.com"}):
        with pytest.raises(ValueError, match="ASCII") as told:
            Settings(**wrong)  # type: ignore[arg-type]
        assert "nter2" not in str(told.value)
