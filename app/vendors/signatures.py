"""How vendors show that a delivery is theirs. Each scheme is configuration; `verify` is pure.

Whatever the headers and the body hold, `verify` raises nothing but VerifyFailed.
"""

import base64
import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.errors import VerifyFailed
from app.vendors.base import Headers

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]
SignedPart = Annotated[str, StringConstraints(min_length=1, max_length=100)]
TOLERANCE_S = 300
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
MAX_SECRET = 500


@dataclass(frozen=True)
class Checked:
    """Which of the secrets held, and when the sender says it sent."""

    secret_index: int
    sent_at: datetime | None = None


class Scheme(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid", frozen=True)

    weakness: ClassVar[str | None] = None

    def check_secret(self, secret: str) -> None:
        """Raises ValueError saying what secret the scheme needs."""
        if not 8 <= len(secret) <= MAX_SECRET or not secret.isprintable() or not secret.isascii():
            raise ValueError(f"a secret has 8 to {MAX_SECRET} printable ASCII characters")

    @abstractmethod
    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Checked:
        """Raises VerifyFailed."""


class StandardWebhooks(Scheme):
    """Standard Webhooks 1.0.0, symmetric: HMAC-SHA256 of id.timestamp.body, base64, any of a list of signatures.

    header_prefix: `webhook`, or `svix` for senders that still use the older names.
    """

    scheme: Literal["standard_webhooks"] = "standard_webhooks"
    header_prefix: Literal["webhook", "svix"] = "webhook"

    def check_secret(self, secret: str) -> None:
        """Raises ValueError."""
        try:
            key = webhook_key(secret)
        except ValueError:
            raise ValueError("a secret is whsec_ and the base64 of 24 to 64 random bytes") from None
        if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
            raise ValueError(f"the secret holds {len(key)} bytes; it needs {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES}")

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Checked:
        """Raises VerifyFailed."""
        message_id = headers.one(f"{self.header_prefix}-id")
        timestamp = headers.one(f"{self.header_prefix}-timestamp")
        sent_at = read_timestamp(timestamp, "s", TOLERANCE_S, now)
        given = headers.one(f"{self.header_prefix}-signature").split(" ")
        signatures = [
            signature.encode() for version, _, signature in (one.partition(",") for one in given) if version == "v1"
        ]
        signed = b".".join([latin(message_id), latin(timestamp), body])
        for index, secret in enumerate(secrets):
            wanted = base64.b64encode(hmac.new(webhook_key(secret), signed, hashlib.sha256).digest())
            if any(hmac.compare_digest(wanted, signature) for signature in signatures):
                return Checked(index, sent_at)
        raise wrong_signature()


class Timestamp(BaseModel):
    """A signed time: the header or field that holds it, its unit, how far it may lie from now (both ways)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(alias="from")
    unit: Literal["s", "ms"] = "s"
    tolerance_s: Annotated[int, Field(ge=1, le=86_400)] = TOLERANCE_S


class Hmac(Scheme):
    """An HMAC in a header.

    header: the header that holds the signature, after `prefix`. signature_field: where the header is a list such as
    `{v=1, ts=…, sign=…}`, the name of the signature's field; the other fields can be signed or hold the timestamp.
    signed: what is signed, in order: `{body}`, `{NAME}` for a field of the header, `{header:NAME}`, or plain text.
    """

    scheme: Literal["hmac"]
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    header: HeaderName
    prefix: Annotated[str, StringConstraints(max_length=20)] = ""
    signature_field: Annotated[str, StringConstraints(pattern=r"^\w{1,20}$")] | None = None
    signed: Annotated[list[SignedPart], Field(min_length=1, max_length=10)] = ["{body}"]
    key_encoding: Literal["utf8", "base64", "hex"] = "utf8"
    timestamp: Timestamp | None = None

    @model_validator(mode="after")
    def signs_the_body(self) -> "Hmac":
        """Raises ValueError where the body or the timestamp is not signed."""
        if "{body}" not in self.signed:
            raise ValueError("signed must name {body}: a signature that leaves it out proves nothing")
        if self.timestamp and f"{{{self.timestamp.source}}}" not in self.signed:
            raise ValueError("the timestamp must be signed: name it in signed, in braces")
        return self

    def check_secret(self, secret: str) -> None:
        """Raises ValueError."""
        super().check_secret(secret)
        try:
            self.key(secret)
        except ValueError:
            raise ValueError(f"the secret is not {self.key_encoding}") from None

    def key(self, secret: str) -> bytes:
        if self.key_encoding == "base64":
            return base64.b64decode(secret, validate=True)
        return bytes.fromhex(secret) if self.key_encoding == "hex" else secret.encode()

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Checked:
        """Raises VerifyFailed."""
        value = headers.one(self.header)
        fields = header_fields(value) if self.signature_field else {}
        given = fields.get(self.signature_field, "") if self.signature_field else value
        if not given.startswith(self.prefix) or given == self.prefix:
            raise VerifyFailed(f"The header {self.header} does not hold a signature as configured.", "unreadable")
        named = {"body": body} | {name: latin(text) for name, text in fields.items()}
        sent_at = None
        if self.timestamp:
            text = named_part(self.timestamp.source, named, headers).decode("latin-1")
            sent_at = read_timestamp(text, self.timestamp.unit, self.timestamp.tolerance_s, now)
        message = b"".join(self.part(one, named, headers) for one in self.signed)
        return Checked(self.matching(latin(given.removeprefix(self.prefix)), message, secrets), sent_at)

    def part(self, part: str, named: dict[str, bytes], headers: Headers) -> bytes:
        is_name = part.startswith("{") and part.endswith("}")
        return named_part(part[1:-1], named, headers) if is_name else part.encode()

    def matching(self, given: bytes, message: bytes, secrets: Sequence[str]) -> int:
        """The index of the secret that signed. Raises VerifyFailed."""
        given = given.lower() if self.encoding == "hex" else given
        for index, secret in enumerate(secrets):
            digest = hmac.new(self.key(secret), message, self.algorithm).digest()
            wanted = digest.hex().encode() if self.encoding == "hex" else base64.b64encode(digest)
            if hmac.compare_digest(wanted, given):
                return index
        raise wrong_signature()


class StaticHeader(Scheme):
    """A header that holds the secret itself. It proves nothing about the body."""

    weakness: ClassVar[str | None] = "the secret itself is sent with every webhook, and the body is not signed"

    scheme: Literal["static_header"]
    header: HeaderName
    prefix: Annotated[str, StringConstraints(max_length=20)] = ""

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Checked:
        """Raises VerifyFailed."""
        given = latin(headers.one(self.header))
        for index, secret in enumerate(secrets):
            if hmac.compare_digest((self.prefix + secret).encode(), given):
                return Checked(index)
        raise VerifyFailed(f"The header {self.header} does not hold the connection's secret.", "wrong")


class FormSha1(Scheme):
    """Appen's way: SHA1 of a form's `payload` and the secret, one after the other. Weak: a plain hash, no HMAC."""

    weakness: ClassVar[str | None] = "a plain SHA1 hash, which is no proof for a determined attacker"

    scheme: Literal["form_sha1"]

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Checked:
        """Raises VerifyFailed."""
        form = read_form(body)
        given = latin(form.get("signature", "")).lower()
        for index, secret in enumerate(secrets):
            wanted = hashlib.sha1(utf8(form.get("payload", "") + secret)).hexdigest()  # noqa: S324 - the vendor's scheme
            if hmac.compare_digest(wanted.encode(), given):
                return Checked(index)
        raise wrong_signature()


class Unsigned(Scheme):
    """Nothing is checked but the unguessable path. It has to be asked for."""

    weakness: ClassVar[str | None] = "nothing is signed: whoever learns the address can send what they like"

    scheme: Literal["none"]
    allow_unsigned: Literal[True]

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Checked:
        return Checked(0)


Signature = Annotated[StandardWebhooks | Hmac | StaticHeader | FormSha1 | Unsigned, Field(discriminator="scheme")]


def wrong_signature() -> VerifyFailed:
    return VerifyFailed("The signature does not match the connection's secret.", "wrong")


def webhook_key(secret: str) -> bytes:
    """The key in a secret written `whsec_<base64>`, or without the prefix. Raises ValueError."""
    return base64.b64decode(secret.removeprefix("whsec_"), validate=True)


def read_timestamp(text: str, unit: Literal["s", "ms"], tolerance_s: int, now: datetime) -> datetime:
    """Raises VerifyFailed where `text` is no whole number, or lies further from `now` than allowed."""
    if not re.fullmatch(r"[0-9]{1,14}", text):
        raise VerifyFailed(f"The timestamp is not a whole number of {unit} since 1970.", "unreadable")
    seconds = int(text) / (1000 if unit == "ms" else 1)
    away = seconds - now.timestamp()
    if abs(away) > tolerance_s:
        reason = "too_old" if away < 0 else "too_new"
        words = reason.replace("_", " ")
        raise VerifyFailed(f"The timestamp is {words}: {tolerance_s} s are allowed. Check the sender's clock.", reason)
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)


def header_fields(value: str) -> dict[str, str]:
    """`{v=1, ts=2, sign=ab}`, or the same without braces, by name. Raises VerifyFailed for a name given twice."""
    pairs = [one.partition("=") for one in value.strip("{} ").split(",")]
    fields = {name.strip(): text.strip() for name, _, text in pairs}
    if len(fields) < len(pairs):
        raise VerifyFailed("The signature header names a field twice.", "doubled")
    return fields


def named_part(name: str, named: dict[str, bytes], headers: Headers) -> bytes:
    """The bytes of a header or of a field of it. Raises VerifyFailed where there is none."""
    if name.startswith("header:"):
        return latin(headers.one(name.removeprefix("header:")))
    if name not in named:
        raise VerifyFailed(f"The signature header has no field {name}.", "missing")
    return named[name]


def read_form(body: bytes) -> dict[str, str]:
    """A form's fields. Raises VerifyFailed where it is none, or names a field twice."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise VerifyFailed("The body is not a form in UTF-8.", "unreadable") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise VerifyFailed("The form names a field twice.", "doubled")
    return fields


def latin(text: str) -> bytes:
    """A header's bytes: servers decode them as Latin-1."""
    return text.encode("latin-1", "replace")


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
