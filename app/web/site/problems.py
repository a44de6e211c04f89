"""Errors of pages are pages: what is wrong and what to do, never JSON and never a trace."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api.http.problems import from_http, from_request, with_methods
from app.errors import InternalError, MethodNotAllowed, NotFound, TrancheError, Unauthenticated
from app.telemetry.notes import note_problem
from app.web.site.render import html, protect
from app.web.site.sessions import cookies_of
from app.web.site.visit import PageRoute

log = logging.getLogger("tranche")

Handler = Callable[[Request, Any], Awaitable[Response]]
KINDS: tuple[type[Exception], ...] = (TrancheError, RequestValidationError, HTTPException, Exception)
NO_PAGE = "There is no page at this address."


def install(app: FastAPI) -> None:
    """Answer the errors of pages, and browsers that went astray, with pages; leave all others to the API."""
    for kind in KINDS:
        app.add_exception_handler(kind, for_pages(app.exception_handlers[kind]))


def for_pages(otherwise: Any) -> Handler:
    async def handle(request: Request, error: Any) -> Response:
        if not wants_page(request):
            answer: Response = await otherwise(request, error)
            return answer
        return error_page(request, ours(request, error))

    return handle


def wants_page(request: Request) -> bool:
    route = request.scope.get("route")
    if route is not None:
        return isinstance(route, PageRoute)
    lost = not request.scope["path"].startswith(("/v1/", "/static/"))
    return lost and "text/html" in request.headers.get("accept", "")


def ours(request: Request, error: Exception) -> TrancheError:
    if isinstance(error, TrancheError):
        return error
    if isinstance(error, RequestValidationError):
        return from_request(error)
    if isinstance(error, HTTPException):
        known = from_http(with_methods(request, error))
        return type(known)(NO_PAGE, headers=known.headers) if isinstance(known, NotFound | MethodNotAllowed) else known
    log.error("unforeseen %s", type(error).__name__)
    return InternalError("Something failed on our side. Nothing was changed; try again.")


def error_page(request: Request, error: TrancheError) -> Response:
    note_problem(error)
    if isinstance(error, Unauthenticated):
        return to_sign_in(request)
    visit = getattr(request.state, "visit", None)
    context = {"visit": visit, "flash": None, "error": error, "faults": error.faults}
    answer = html("error.html", context, error.status, request.app.state.runtime.settings.path_prefix)
    answer.headers.update(error.headers)
    return answer


def to_sign_in(request: Request) -> Response:
    """Back to this page afterwards; what a form wanted to do is not done behind a sign-in."""
    url = request.url
    wanted = url.path + (f"?{url.query}" if url.query else "") if request.method == "GET" else "/"
    there = "/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted, safe='')}"
    answer = protect(Response(status_code=303, headers={"Location": there}))
    cookies = cookies_of(request, request.app.state.runtime.settings)
    if cookies.read("session") is not None:
        # It has ended, and the browser need not try it again.
        cookies.drop(answer, "session")
    return answer
