"""Errors as problem details (RFC 9457): what every failing request answers."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.api.http.shapes import Frame, Shape
from app.errors import (
    Fault,
    InternalError,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    TrancheError,
    Unauthenticated,
    UnsupportedMediaType,
    escape,
    invalid,
)
from app.telemetry.notes import note_problem, request_id

MEDIA_TYPE = "application/problem+json"
MAX_FAULTS = 1_000
log = logging.getLogger("tranche")

# Our words where pydantic's would leave open what to change.
WORDING = {
    "missing": "is required",
    "extra_forbidden": "is not a field here; check its spelling or leave it out",
    "json_type": "must be JSON",
    "model_type": "must be an object",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
}


class FaultShape(Shape):
    pointer: str
    detail: str


class Problem(Shape):
    """A problem detail. `type` names the kind of error for ever; `errors` says what is wrong with the input;
    `request_id`, as in the header X-Request-ID, finds the call in the service's log."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FaultShape] | None = None
    request_id: str | None = None


Responses = dict[int | str, dict[str, Any]]
NOT_MODIFIED: dict[str, Any] = {"description": "What If-None-Match names is current"}


def repeated(shape: type[Frame]) -> Responses:
    """The OpenAPI response to the repeat of an `external_id`, which changes nothing."""
    return {200: {"model": shape, "description": "It was there: the same external_id with the same content"}}


def declared(*kinds: type[TrancheError], beside: Responses | None = None) -> Responses:
    """The OpenAPI responses of these kinds of errors, `beside` others."""
    by_status = beside or {}
    for kind in kinds:
        entry = by_status.setdefault(kind.status, {"description": "", "content": {MEDIA_TYPE: {"examples": {}}}})
        entry["description"] = "; ".join(filter(None, [entry["description"], kind.title]))
        content = entry["content"][MEDIA_TYPE]
        content["schema"] = {"$ref": "#/components/schemas/Problem"}
        content["examples"][kind.code()] = {"value": body_of(kind(kind.title))}
    return by_status


def body_of(error: TrancheError) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": error.type_uri(),
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
    if error.faults:
        body["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults]
    called = request_id()
    if called is not None:
        body["request_id"] = called
    return body


class ProblemResponse(JSONResponse):
    """A problem that repeats what was sent, half of a character as "?": that alone must not fail the answer."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")


def answer(error: TrancheError) -> JSONResponse:
    note_problem(error)
    headers = dict(error.headers)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return ProblemResponse(body_of(error), error.status, headers=headers, media_type=MEDIA_TYPE)


def from_pydantic(errors: Sequence[Any], document: Any, at: str = "") -> Invalid:
    """Pydantic's errors as faults; `document` is what was read, `at` the pointer where it stands in the body."""
    faults = tuple(Fault(at + pointer(error["loc"], document), wording(error)) for error in errors)
    return invalid(*faults[:MAX_FAULTS])


def wording(error: Any) -> str:
    if error["type"] in WORDING:
        return WORDING[error["type"]]
    message: str = error["msg"]
    return message.removeprefix("Value error, ").removeprefix("Input ")


def pointer(location: Sequence[str | int], document: Any) -> str:
    """A JSON pointer (RFC 6901), leaving out the steps pydantic adds for the branches of a union."""
    tokens: list[str] = []
    here = document
    for step, part in enumerate(location):
        inside = isinstance(here, dict) and part in here
        inside = inside or (isinstance(here, list) and isinstance(part, int) and part < len(here))
        if inside:
            here = here[part]
        elif part == "[key]" or step < len(location) - 1:
            continue
        elif not isinstance(here, dict):
            break
        tokens.append(escape(str(part)))
    return "".join(f"/{token}" for token in tokens)


def from_request(error: RequestValidationError) -> Invalid:
    """FastAPI's own 422: the body's faults as pointers, those of the query and the headers by name."""
    faults = []
    for one in error.errors():
        place, *rest = one["loc"]
        if place == "body":
            faults.append(Fault(pointer(rest, error.body), wording(one)))
        else:
            prefix = {"query": "?", "header": "header "}.get(str(place), "")
            faults.append(Fault(prefix + ".".join(str(part) for part in rest), wording(one)))
    return invalid(*faults[:MAX_FAULTS])


def from_http(error: HTTPException) -> TrancheError:
    """The framework's errors as ours."""
    if isinstance(error.__cause__, TrancheError):
        return error.__cause__
    ours: dict[int, TrancheError] = {
        400: Malformed("The body cannot be read as the content type it is sent with."),
        404: NotFound("There is nothing at this path; those of the API have no slash at the end. See /docs."),
        405: MethodNotAllowed(
            "This path does not know the method; the header Allow names those that it knows.",
            headers=dict(error.headers or {}),
        ),
        415: UnsupportedMediaType("Send JSON with 'Content-Type: application/json'."),
    }
    return ours.get(error.status_code) or InternalError("Something failed on our side. Nothing was changed; try again.")


def with_methods(request: Request, error: HTTPException) -> HTTPException:
    """The error; where it is of the method, with all that the path knows, of which the framework names one route's."""
    if error.status_code == 405:
        routes = iter_route_contexts(request.app.routes)
        here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
        known = {method for route in here for method in route.methods or ()}
        error.headers = {**(error.headers or {}), "Allow": ", ".join(sorted(known))}
    return error


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem detail."""

    @app.exception_handler(TrancheError)
    async def ours(_: Request, error: TrancheError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def request_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(from_request(error))

    @app.exception_handler(ValidationError)
    async def shape_invalid(_: Request, error: ValidationError) -> JSONResponse:
        log.error("an answer did not fit its shape", exc_info=error)
        return answer(InternalError("Something failed on our side. Nothing was changed; try again."))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> JSONResponse:
        return answer(from_http(with_methods(request, error)))

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        log.error("unforeseen %s", type(error).__name__)
        return answer(InternalError("Something failed on our side. Nothing was changed; try again."))
