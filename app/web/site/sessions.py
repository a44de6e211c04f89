"""Cookies and the tokens of forms."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, unquote, urlsplit

from fastapi import Request, Response

from app.services.access.sessions import LIFETIME
from app.settings import Settings

FLASH_LENGTH = 500


@dataclass(frozen=True)
class Cookies:
    """The cookies of one request. `secure`: they travel over TLS alone, and no other host can set them."""

    request: Request
    secure: bool

    def name(self, what: str) -> str:
        return f"__Host-tranche-{what}" if self.secure else f"tranche-{what}"

    def read(self, what: str) -> str | None:
        return self.request.cookies.get(self.name(what)) or None

    def write(self, response: Response, what: str, value: str, seconds: int | None) -> None:
        response.set_cookie(
            self.name(what), value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="strict"
        )

    def drop(self, response: Response, what: str) -> None:
        response.delete_cookie(self.name(what), path="/", secure=self.secure, httponly=True, samesite="strict")

    def write_session(self, response: Response, token: str) -> None:
        self.write(response, "session", token, int(LIFETIME.total_seconds()))

    def write_flash(self, response: Response, text: str) -> None:
        """Words for the page that is shown next."""
        self.write(response, "flash", quote(text[:FLASH_LENGTH]), 60)

    def flash(self) -> str | None:
        said = self.read("flash")
        return None if said is None else unquote(said)[:FLASH_LENGTH]


def cookies_of(request: Request, settings: Settings) -> Cookies:
    return Cookies(request, over_tls(request, settings) or not at_loopback(request))


def over_tls(request: Request, settings: Settings) -> bool:
    """Whether the browser speaks TLS: with us, or with what stands before us at the public address."""
    public = urlsplit(settings.public_url or "")
    behind = public.scheme == "https" and public.hostname == request.url.hostname
    return request.url.scheme == "https" or behind


def at_loopback(request: Request) -> bool:
    host = request.url.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def form_token(token: str) -> str:
    """What the forms of a session carry: whoever knows it has seen a page of the session."""
    return hmac.new(token.encode(), b"tranche form", hashlib.sha256).hexdigest()


def new_token() -> str:
    return secrets.token_urlsafe(32)


def is_form_token(said: str, token: str) -> bool:
    return hmac.compare_digest(said.encode(), form_token(token).encode())


def from_elsewhere(request: Request) -> bool:
    """Whether the browser says that another site sent this request."""
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    other = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    return site not in ("none", "same-origin") or other


def local_path(text: str | None) -> str:
    """`text` where it is a path of this service, else the start: never another host."""
    path = text or "/"
    plain = path.isprintable() and "\\" not in path and path.isascii()
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"
