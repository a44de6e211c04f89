"""What all routes share: who calls, known before the body is read; one transaction in one thread; ETags.

A route is a plain function from its inputs and a `Call` to a shape. `Route` runs it as a whole — session,
function, serialisation, idempotency record, commit — inside one worker thread. Spread over several, a thread that
held the database's lock could wait for a thread while all threads waited for the lock; and an answer must not
leave before its commit.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, wraps
from inspect import signature
from typing import Annotated, Any, get_type_hints

from fastapi import Depends, Header, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import TypeAdapter

from app.api.admission.bodies import giving
from app.api.http.bulk import JSON, content_type
from app.api.http.etags import NotModified, etag_of, matches
from app.api.http.idempotency import recall, remember
from app.api.http.problems import NOT_MODIFIED, declared
from app.api.http.query import KnownQuery
from app.api.http.runtime import MAX_BODY, Runtime
from app.api.http.shapes import Frame, JsonRequest
from app.errors import (
    BodyTooSlow,
    CallRunning,
    Forbidden,
    IdempotencyKeyReused,
    Invalid,
    Malformed,
    NotFound,
    PreconditionFailed,
    RateLimited,
    TooLarge,
    TrancheError,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from app.services.access.audit import watch
from app.services.access.keys import Caller, present
from app.services.access.rights import Right, needs, right_of
from app.services.computing import Admit, settled
from app.services.enqueue import Enqueue
from app.services.projects.projects import get_project
from app.store.db import Session
from app.store.models.projects import Project

MAX_BULK_BODY = 50_000_000
BODILESS = ("GET", "HEAD", "DELETE")
"""Methods whose body, if any, means nothing and is not read."""


@dataclass
class Call:
    """One request as a route sees it. `session` is open while the route runs; `headers` go into the answer.

    shows_secret: the answer's field `secret` is not kept for repeats of the request.
    remembered: what is kept of the answer for repeats, where it shows more than may be kept.
    `right`: what the route demands. `writes`: whether it may change anything. `status`: of the answer, where it is not
    the route's.
    """

    request: Request
    runtime: Runtime
    caller: Caller
    now: datetime
    right: Right
    body: bytes
    if_match: str | None = None
    if_none_match: str | None = None
    idempotency_key: str | None = None
    headers: dict[str, str] = field(default_factory=dict, init=False)
    shows_secret: bool = field(default=False, init=False)
    remembered: bytes | None = field(default=None, init=False)
    open_session: Session | None = field(default=None, init=False)
    writes: bool = field(default=False, init=False)
    status: int | None = field(default=None, init=False)

    @property
    def session(self) -> Session:
        """The open transaction. Raises RuntimeError outside of the route."""
        if self.open_session is None:
            raise RuntimeError("a call has a session only while its route runs")
        return self.open_session

    def begin(self, session: Session, writes: bool) -> None:
        """Begin, or begin again, with nothing said yet."""
        self.open_session, self.writes = session, writes
        self.headers.clear()
        self.shows_secret, self.remembered, self.status = False, None, None

    @property
    def admit(self) -> Admit:
        """How the call's workspace is let in to compute."""
        return partial(self.runtime.computations.admitted, self.caller.workspace_id)

    @property
    def enqueue(self) -> Enqueue:
        return self.runtime.enqueue

    @property
    def path(self) -> str:
        return self.request.url.path

    def project(self, project_id: str, *, archived: bool = False) -> Project:
        """The caller's project; locked against other writers where this call may write."""
        return get_project(self.session, self.caller, project_id, archived=archived, lock=self.writes)

    def still(self, session: Session) -> Caller:
        """The caller as its key is now, for an answer that goes on. Raises Unauthenticated, Forbidden."""
        caller = present(session, self.caller, self.runtime.clock())
        self.right.demand(caller)
        return caller

    def match(self, current: Frame) -> None:
        """Honour If-Match against the resource as it is now. Raises PreconditionFailed."""
        self.match_tag(etag_of(current.model_dump_json().encode()))

    def match_tag(self, current: str) -> None:
        """As `match`, by the tag of the resource as it is now. Raises PreconditionFailed."""
        wanted = self.if_match
        if wanted is not None and not matches(wanted, current):
            raise PreconditionFailed(
                f"If-Match is {wanted[:100]}, but the resource is now {current}. Read it again and decide anew."
            )

    def unless_matched(self, current: str) -> None:
        """Name the answer's ETag. Raises NotModified where the client has that version."""
        self.headers["ETag"] = current
        if self.if_none_match is not None and matches(self.if_none_match, current):
            raise NotModified(current)


# The ways into a route. Each names the headers it reads, so that the contract shows them.

BEARER = HTTPBearer(
    auto_error=False,
    description="An API key: tranche_<id>_<secret>. An operation names the scope that the key must have; `admin` stands"
    " for each. `x-whole-workspace`: a key that is limited to projects is refused.",
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=255, description="The same key and body within 24 h: one effect")
]


async def enter(request: Request, right: Right, **headers: str | None) -> Call:
    """The call of who was let in by its route."""
    runtime: Runtime = request.app.state.runtime
    return Call(request, runtime, request.state.caller, runtime.clock(), right, await request.body(), **headers)


def reads(*scopes: str, whole_workspace: bool = False) -> Any:
    right = Right(scopes, whole_workspace)

    async def read(
        request: Request,
        _: Bearer,
        if_none_match: Annotated[str | None, Header(description="Answer 304 if this ETag is current")] = None,
    ) -> Call:
        return await enter(request, right, if_none_match=if_none_match)

    return Depends(needs(right, read))


def posts(*scopes: str, whole_workspace: bool = False) -> Any:
    right = Right(scopes, whole_workspace)

    async def post(
        request: Request,
        _: Bearer,
        idempotency_key: IdempotencyKey = None,
    ) -> Call:
        return await enter(request, right, idempotency_key=idempotency_key)

    return Depends(needs(right, post))


def buys(*scopes: str, whole_workspace: bool = False) -> Any:
    """A POST that may be conditional on what was looked at."""
    right = Right(scopes, whole_workspace)

    async def buy(
        request: Request,
        _: Bearer,
        if_match: Annotated[str | None, Header(description="Act only if this ETag is current")] = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Call:
        return await enter(request, right, if_match=if_match, idempotency_key=idempotency_key)

    return Depends(needs(right, buy))


def asks(*scopes: str, whole_workspace: bool = False) -> Any:
    """Of a `QuestionRoute`: as there is no effect, no Idempotency-Key is needed to repeat it."""
    right = Right(scopes, whole_workspace)

    async def ask(request: Request, _: Bearer) -> Call:
        return await enter(request, right)

    return Depends(needs(right, ask))


def changes(*scopes: str, whole_workspace: bool = False) -> Any:
    right = Right(scopes, whole_workspace)

    async def change(
        request: Request,
        _: Bearer,
        if_match: Annotated[str | None, Header(description="Change only if this ETag is current")] = None,
    ) -> Call:
        return await enter(request, right, if_match=if_match)

    return Depends(needs(right, change))


class KeyedRoute(KnownQuery):
    """A route for callers with an API key. The key, its rate, its scope and what the headers say of the body are judged
    before the body is read; JSON is read strictly.

    max_body: bytes beyond which a body is refused.
    """

    max_body = MAX_BODY

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        right = right_of(self.dependant)
        if right is None:
            raise RuntimeError(f"{self.path} has no way in: reads, posts, buys, asks or changes")
        content = (self.openapi_extra or {}).get("requestBody", {}).get("content", {})
        kinds = (JSON,) if self.body_field is not None else tuple(content)
        optional = self.body_field is not None and not self.body_field.field_info.is_required()

        async def keyed(request: Request) -> Response:
            runtime: Runtime = request.app.state.runtime
            bearer = await BEARER(request)
            caller = await runtime.admit(request, bearer.credentials if bearer else None)
            right.demand(caller)
            request.state.caller = caller
            if request.method in BODILESS:
                return await handle(Request(request.scope, giving(b"")))
            if kinds and not (optional and is_bare(request)):
                content_type(request, *kinds)
            async with runtime.door.body(request, self.max_body, caller.workspace_id) as body:
                return await handle(JsonRequest(request.scope, giving(body)))

        return keyed


def is_bare(request: Request) -> bool:
    """Whether by its headers the request has no body."""
    return request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers


class Route(KeyedRoute):
    """A route whose function runs as one transaction in one thread.

    only_asks: a POST that changes nothing reads like a GET.
    """

    only_asks = False

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        shape = get_type_hints(endpoint).get("return")
        status = options.get("status_code") or 200
        method = next(iter(options.get("methods") or {"GET"}))
        writes = method != "GET" and not self.only_asks
        described = "requestBody" in (options.get("openapi_extra") or {})
        has_body = described or "body" in signature(endpoint).parameters
        beside = options.get("responses") or {}
        if method == "GET" and not is_file(shape):
            beside = {304: NOT_MODIFIED, **beside}
        options["responses"] = declared(*usual_errors(path, method, writes, has_body), beside=beside)
        super().__init__(path, one_transaction(endpoint, shape, status, writes), **options)


class BulkRoute(Route):
    """A route for whole lists."""

    max_body = MAX_BULK_BODY


class QuestionRoute(Route):
    """A question too long for a query: a POST on a snapshot, which locks, changes and stores nothing."""

    only_asks = True


def usual_errors(path: str, method: str, writes: bool, has_body: bool = False) -> list[type[TrancheError]]:
    usual: list[type[TrancheError]] = [Unauthenticated, Forbidden]
    if "{" in path:
        usual.append(NotFound)
    if method in ("PATCH", "PUT", "DELETE"):
        usual.append(PreconditionFailed)
    if has_body:
        usual.append(Malformed)
    if method not in BODILESS:
        usual += [BodyTooSlow, TooLarge, UnsupportedMediaType]
    usual.append(Invalid)
    if method == "POST" and writes:
        usual += [CallRunning, IdempotencyKeyReused]
    return [*usual, RateLimited, Unavailable]


def one_transaction(endpoint: Callable[..., Any], shape: Any, status: int, writes: bool) -> Callable[..., Response]:
    """`endpoint` with its session, its answer's bytes (a file has its own) and its commit around it. Where it computes,
    it is begun again (app/services/computing.py); the bytes of what only reads are made without a connection."""
    adapter: TypeAdapter[Any] | None = None if is_file(shape) else TypeAdapter(shape)

    @wraps(endpoint)
    def run(*, call: Call, **inputs: Any) -> Response:
        database = call.runtime.database

        def answered(result: Any) -> Response:
            return result if adapter is None else rendered(call, adapter, result, call.status or status)

        def act(session: Session) -> Any:
            call.begin(session, writes)
            if not writes:
                return endpoint(call=call, **inputs)
            watch(session, call.caller, call.now)
            stored = recall(call)
            if stored is None:
                stored = answered(endpoint(call=call, **inputs))
                remember(call, stored)
            return stored

        try:
            result = settled(database.writing if writes else database.reading, act, call.admit, writes=writes)
            return result if writes else answered(result)
        except NotModified as same:
            return Response(status_code=304, headers={"ETag": same.etag})

    return run


def is_file(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, Response)


def rendered(call: Call, adapter: TypeAdapter[Any], result: Any, status: int) -> Response:
    if result is None:
        return Response(status_code=204, headers=call.headers)
    body = adapter.dump_json(result)
    if call.request.method != "DELETE" and "ETag" not in call.headers:
        tag = etag_of(body)
        call.unless_matched(tag) if call.request.method == "GET" else call.headers.setdefault("ETag", tag)
    return Response(body, status, headers=call.headers, media_type="application/json")
