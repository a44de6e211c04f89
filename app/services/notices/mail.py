"""A notice by e-mail, and the addresses it goes to: `mailto:` and addresses with commas between (RFC 6068)."""

import re
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import unquote
from uuid import UUID

from app.outbound.mail import MailServer
from app.outbound.targets import TargetRefused, as_ascii
from app.services.notices.words import Notice
from app.settings import Settings

SCHEME = "mailto:"
MOST = 20
LOCAL = re.compile(r"[A-Za-z0-9!$'*+=_~-]+(\.[A-Za-z0-9!$'*+=_~-]+)*")
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SUBJECT = 200
"""Characters of a subject."""


def read_addresses(url: str) -> str:
    """`url` as it is stored: each address once, its domain in ASCII. Raises TargetRefused."""
    if not url.lower().startswith(SCHEME):
        raise TargetRefused("must be mailto: and addresses, such as mailto:ana@example.com,ben@example.com")
    parts = [part.strip() for part in unquote(url[len(SCHEME) :]).split(",")]
    addresses = list(dict.fromkeys(read_address(part) for part in parts if part))
    if not 1 <= len(addresses) <= MOST:
        raise TargetRefused(f"must name from 1 to {MOST} addresses, with commas between")
    return SCHEME + ",".join(addresses)


def read_address(text: str) -> str:
    """Raises TargetRefused."""
    local, at, domain = text.rpartition("@")
    domain = as_ascii(domain)
    if not (at and LOCAL.fullmatch(local) and DOMAIN.fullmatch(domain) and len(local) <= 64 and len(domain) <= 253):
        raise TargetRefused("has an address that cannot be read; write each as ana@example.com, without a name")
    return f"{local}@{domain}"


def addresses_of(url: str) -> list[str]:
    """Of a stored one."""
    return url.removeprefix(SCHEME).split(",")


def mail_server(settings: Settings) -> MailServer | None:
    """The one that is set up, if any."""
    if settings.smtp_host is None or settings.smtp_from is None:
        return None
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_from,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        tls=settings.smtp_tls,
    )


def mail_of(
    notice: Notice, to: Sequence[str], sender: str, base_url: str, endpoint_id: UUID, event_id: UUID, now: datetime
) -> EmailMessage:
    """In plain text. Its Message-ID is the same at each attempt."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = Address("Tranche", addr_spec=sender), ", ".join(to)
    mail["Subject"] = notice.headline if len(notice.headline) <= SUBJECT else f"{notice.headline[: SUBJECT - 1]}…"
    mail["Date"] = now
    mail["Message-ID"] = f"<{event_id}.{endpoint_id}@{sender.rpartition('@')[2]}>"
    # Out-of-office replies are not sent to what says this (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    quote = "\n".join(f"> {line}" for line in notice.quote.splitlines())
    why = f"Who gets this is chosen at {base_url}/endpoints/{endpoint_id}"
    parts = [f"{notice.headline}.", notice.more, quote, base_url + notice.path, f"-- \n{why}"]
    mail.set_content("\n\n".join(filter(None, parts)) + "\n", cte="quoted-printable")
    return mail
