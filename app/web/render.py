"""Templates to pages: everything from outside is escaped, and no page may load or run what is not ours."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from app.api.common import SOFTWARE_VERSION
from app.api.inputs import write_money
from app.charts.render import bundle_name
from app.web.assets import address

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
PROTECTION = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def protect(response: Response) -> Response:
    """Nothing from elsewhere runs in the page, and no cache keeps what a key was needed for."""
    for name, value in PROTECTION.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def money(amount: Decimal, currency: str = "") -> str:
    """1234567.5 → 1,234,567.50, with the currency behind it where one is given."""
    whole, _, decimals = write_money(abs(amount)).partition(".")
    sign = "−" if amount < 0 else ""
    return f"{sign}{int(whole):,}.{decimals}" + (f" {currency}" if currency else "")


def number(value: float | None, decimals: int = 0) -> str:
    """12345 → 12,345; nothing → an en dash."""
    return "–" if value is None else f"{value:,.{decimals}f}".replace("-", "−")


def instant(at: datetime | None) -> str:
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@cache
def templates() -> Environment:
    made = Environment(
        loader=PackageLoader("app.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"money": money, "number": number, "instant": instant}
    made.globals |= {"asset": address, "vega": f"/static/{bundle_name()}", "version": SOFTWARE_VERSION}
    return made


def html(template: str, context: dict[str, Any], status: int = 200) -> Response:
    body = templates().get_template(template).render(context)
    return protect(Response(body, status, media_type="text/html; charset=utf-8"))
