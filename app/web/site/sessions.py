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
STALE_FORM = "This form is out of date or was not sent by this service. Go back, load the page again, and send it anew."
OTHER_HOST = (
    "The browser says that this form is of {origin} (Origin), and what came here is for {host} (Host): it may be of"
    " another site. Open this service at the address that it is called by; a proxy before it must hand the Host header"
    " on, in nginx by: proxy_set_header Host $http_host;"
)


@dataclass(frozen=True)
class Cookies:
    """The cookies of one request. `secure`: they travel over TLS alone, and no other host can set them; `path`: they go
    to this part of the host alone."""

    request: Request
    secure: bool
    path: str = "/"

    def name(self, what: str) -> str:
        if not self.secure:
            return f"tranche-{what}"
        # Browsers take __Host- for the whole host alone.
        return f"__{'Host' if self.path == '/' else 'Secure'}-tranche-{what}"

    def read(self, what: str) -> str | None:
        return self.request.cookies.get(self.name(what)) or None

    def write(self, response: Response, what: str, value: str, seconds: int | None) -> None:
        name, path, secure = self.name(what), self.path, self.secure
        response.set_cookie(name, value, seconds, path=path, secure=secure, httponly=True, samesite="strict")

    def drop(self, response: Response, what: str) -> None:
        response.delete_cookie(self.name(what), path=self.path, secure=self.secure, httponly=True, samesite="strict")

    def write_session(self, response: Response, token: str) -> None:
        self.write(response, "session", token, int(LIFETIME.total_seconds()))

    def write_flash(self, response: Response, text: str) -> None:
        """Words for the page that is shown next."""
        self.write(response, "flash", quote(text[:FLASH_LENGTH]), 60)

    def flash(self) -> str | None:
        said = self.read("flash")
        return None if said is None else unquote(said)[:FLASH_LENGTH]


def cookies_of(request: Request, settings: Settings) -> Cookies:
    return Cookies(request, over_tls(request, settings) or not at_loopback(request), settings.path_prefix or "/")


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


def from_elsewhere(request: Request) -> str | None:
    """What to tell where the browser says that another site sent this request."""
    site = request.headers.get("sec-fetch-site", "none")
    origin, host = request.headers.get("origin"), request.headers.get("host")
    if origin is not None and host_of(origin) != host and site in ("none", "same-origin"):
        return OTHER_HOST.format(origin=origin[:200], host=(host or "no host")[:200])
    return None if site in ("none", "same-origin") else STALE_FORM


def host_of(origin: str) -> str | None:
    """As the header Host writes it; None where there is none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def local_path(text: str | None) -> str:
    """`text` where it is a path of this service, else the start: never another host."""
    path = text or "/"
    plain = path.isprintable() and "\\" not in path and path.isascii()
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"
