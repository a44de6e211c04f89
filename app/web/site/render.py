"""Templates to pages: everything from outside is escaped, and no page may load or run what is not ours."""

import re
from functools import cache
from typing import Any

from fastapi import Response
from jinja2 import Environment

from app.api.http.runtime import SOFTWARE_VERSION
from app.report.page import environment
from app.web.site.assets import address

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

OUR_ADDRESS = re.compile(r'(\s(?:href|action|src|srcset|content|data-(?:mark|page|spec))=")/')


def protect(response: Response) -> Response:
    """Nothing from elsewhere runs in the page, and no cache keeps what a key was needed for."""
    for name, value in PROTECTION.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@cache
def templates() -> Environment:
    made = environment("app.web")
    made.globals |= {"asset": address, "version": SOFTWARE_VERSION}
    return made


def html(template: str, context: dict[str, Any], status: int = 200, prefix: str = "") -> Response:
    """prefix: of the service's path, before every address of ours in the page."""
    body = templates().get_template(template).render(context)
    if prefix:
        # Texts cannot look like this: quotation marks in them are escaped.
        body = OUR_ADDRESS.sub(rf"\1{prefix}/", body)
    return protect(Response(body, status, media_type="text/html; charset=utf-8"))
