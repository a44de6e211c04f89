"""What all pages share: who looks, one transaction in one thread, forms that only our own pages can send.

A page is a plain function from its inputs and a `Visit` to an answer. `PageRoute` runs it as a whole, rendering
included, inside one worker thread, and commits before the answer leaves (app/api/http/transactions.py says why).
"""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Annotated, Any, TypeAlias, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import UploadFile

from app.api.admission.bodies import giving
from app.api.http.runtime import MAX_BODY, Runtime
from app.errors import Fault, Forbidden, TrancheError, Unauthenticated, invalid
from app.services.access.audit import watch
from app.services.access.keys import Caller
from app.services.access.rights import Right, needs, right_of
from app.services.access.sessions import recognise
from app.services.computing import settled
from app.services.enqueue import Enqueue
from app.services.projects.projects import get_project
from app.services.purchases.inbox import waits_for
from app.store.db import Session
from app.store.models.projects import Project
from app.store.reading import Listing, load_undone
from app.telemetry.notes import note_caller
from app.web.site.render import html, protect
from app.web.site.sessions import (
    STALE_FORM,
    Cookies,
    cookies_of,
    form_token,
    from_elsewhere,
    is_form_token,
    new_token,
)

MAX_FIELDS = 20_000
MAX_SIGN_IN = 16_000
"""Bytes of a form that anybody may send."""
OPEN = Right(())
"""Of the pages for whoever comes."""


@dataclass(frozen=True)
class Later:
    """An answer that is made without a connection."""

    make: Callable[[], Response]


Answer: TypeAlias = Response | Later
Found = TypeVar("Found")


@dataclass(frozen=True)
class Upload:
    """A file sent with a form."""

    name: str
    content: bytes


@dataclass
class Visit:
    """One request as a page sees it. `session` is open while the page runs.

    `visitor` is who is signed in, if anybody; `right` is what the page demands. `form` and `files` are a POST's, whose
    token was checked. `waits`: proposals that wait for the visitor, said in the head of every page.
    """

    request: Request
    runtime: Runtime
    visitor: Caller | None
    now: datetime
    cookies: Cookies
    token: str
    right: Right = OPEN
    form: Mapping[str, list[str]] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)
    open_session: Session | None = field(default=None, init=False)
    writes: bool = field(default=False, init=False)
    waits: int = field(default=0, init=False)

    @property
    def caller(self) -> Caller:
        """Who is signed in. Raises Unauthenticated."""
        if self.visitor is None:
            raise Unauthenticated("Sign in first.")
        return self.visitor

    @property
    def session(self) -> Session:
        """The open transaction. Raises RuntimeError outside of the page."""
        if self.open_session is None:
            raise RuntimeError("a visit has a session only while its page runs")
        return self.open_session

    def admit(self, cells: int) -> AbstractContextManager[object]:
        """How the visitor's workspace is let in to compute."""
        return self.runtime.computations.admitted(self.caller.workspace_id, cells)

    @property
    def enqueue(self) -> Enqueue:
        return self.runtime.enqueue

    @property
    def csrf(self) -> str:
        """For the field `csrf` of every form."""
        return form_token(self.token)

    @property
    def path(self) -> str:
        return self.request.url.path

    def project(self, project_id: str, *, archived: bool = False) -> Project:
        """The visitor's project; locked against other writers where this visit may write. Raises NotFound."""
        return get_project(self.session, self.caller, project_id, archived=archived, lock=self.writes)

    def may(self, *scopes: str, whole_workspace: bool = False) -> bool:
        return self.visitor is not None and Right(scopes, whole_workspace).held_by(self.visitor)

    def still(self, session: Session) -> Caller:
        """Who is signed in now, for a page that goes on. Raises Unauthenticated once the session or its key has ended,
        Forbidden."""
        held = self.cookies.read("session") or ""
        visitor = recognise(session, self.runtime.clock(), self.runtime.hash_keys, held)
        if visitor is None:
            raise Unauthenticated("Sign in first.")
        self.right.demand(visitor)
        return visitor

    def said(self, name: str) -> str:
        """A field of the form without the blanks around it; empty where it was not sent."""
        return next(iter(self.form.get(name, ())), "").strip()

    def trying(self) -> AbstractContextManager[object]:
        """What the block changes is undone where it raises, so that the form can be shown again with the fault."""
        return self.session.begin_nested()

    def render(self, template: str, *, error: TrancheError | None = None, **context: Any) -> Answer:
        """As `rendered`, once the transaction is over."""
        if self.open_session is not None:
            if self.visitor is not None:
                self.waits = len(waits_for(self.open_session, self.visitor, self.now))
            # What was undone is to be read anew, and there is no transaction for it then.
            load_undone(self.open_session)
        return Later(partial(self.rendered, template, error=error, **context))

    def rendered(
        self, template: str, status: int | None = None, *, error: TrancheError | None = None, **context: Any
    ) -> Response:
        """With the status and the faults of `error` where nothing else is said."""
        flash, faults = self.cookies.flash(), error.faults if error else ()
        shown = {"visit": self, "flash": flash, "error": error, "faults": faults, **context}
        prefix = self.runtime.settings.path_prefix
        response = html(template, shown, status or (error.status if error else 200), prefix)
        if flash is not None:
            self.cookies.drop(response, "flash")
        return response

    def mark(self, mark: str) -> Response:
        """What tells the state that a page shows from any other: its script asks for it now and then."""
        return Response(mark, media_type="text/plain; charset=utf-8")

    def redirect(self, path: str, flash: str | None = None) -> Response:
        """On to a page of ours, which says `flash` once."""
        response = protect(Response(status_code=303, headers={"Location": path}))
        if flash is not None:
            self.cookies.write_flash(response, flash)
        return response


# The ways into a page.


async def arrive(request: Request) -> Visit:
    """The visit as its cookies tell it; who is not signed in has a token for the sign-in form alone. Raises RateLimited
    where the key behind the session calls too often, or the address comes with too many sessions that are none."""
    runtime: Runtime = request.app.state.runtime
    cookies, now = cookies_of(request, runtime.settings), runtime.clock()
    held, visitor = cookies.read("session"), None
    if held is not None:
        with suppress(Unauthenticated):
            visitor = await runtime.door.admit(request, "session", held, partial(who_holds, runtime, now, held))
    token = held if visitor is not None and held is not None else cookies.read("form") or new_token()
    return Visit(request, runtime, visitor, now, cookies, token)


def who_holds(runtime: Runtime, now: datetime, token: str) -> Caller:
    """Raises Unauthenticated."""
    with runtime.database.reading() as session:
        found = recognise(session, now, runtime.hash_keys, token)
    if found is None:
        raise Unauthenticated("Sign in first.")
    note_caller(found.key_id, found.workspace_id)
    return found


async def look_in(request: Request) -> Visit:
    """The visit that its route let in."""
    visit: Visit = request.state.visit
    visit.request = request
    return visit


async def knock(request: Request) -> Visit:
    """As `look_in`, with the form. Raises Forbidden where it does not come from a page of this session."""
    visit = await look_in(request)
    fields: dict[str, list[str]] = {}
    files: dict[str, Upload] = {}
    async with request.form(max_files=10, max_fields=MAX_FIELDS, max_part_size=MAX_BODY) as sent:
        for name, value in sent.multi_items():
            if isinstance(value, UploadFile):
                files[name] = Upload(value.filename or "", await value.read())
            else:
                fields.setdefault(name, []).append(value)
    if not is_form_token(next(iter(fields.get("csrf", ())), ""), visit.token):
        raise Forbidden(STALE_FORM)
    visit.form, visit.files = fields, files
    return visit


def sees(*scopes: str, whole_workspace: bool = False) -> Any:
    """A page for who holds one of the scopes. Others are asked to sign in, or told what is missing."""
    right = Right(scopes, whole_workspace)

    async def see(request: Request) -> Visit:
        return await admitted(request, right)

    return Depends(needs(right, see))


def acts(*scopes: str, whole_workspace: bool = False) -> Any:
    """A form's POST."""
    right = Right(scopes, whole_workspace)

    async def act(request: Request) -> Visit:
        visit = await knock(request)
        visit.right = right
        return visit

    return Depends(needs(right, act))


async def admitted(request: Request, right: Right) -> Visit:
    """The visit that its route let in, by the right that it demanded."""
    visit = await look_in(request)
    visit.right = right
    return visit


# For sign-in alone: whoever comes, with and without a form.
LooksIn = Annotated[Visit, Depends(look_in)]
Knocks = Annotated[Visit, Depends(knock)]


Place = Annotated[str | None, Query(max_length=40)]


def place_in(rows: Listing[Any], text: str | None, parameter: str) -> Any:
    """Where a page of a list begins, as the query names it. Raises Invalid."""
    try:
        return rows.read_place(text) if text else None
    except ValueError:
        raise invalid(Fault(f"?{parameter}", "is no place in this list; start from its first page")) from None


def tried(step: Callable[[], Found]) -> tuple[Found | None, TrancheError | None]:
    """What `step` gives, or why it gives nothing: the page says so beside all the rest. Raises what passes."""
    try:
        return step(), None
    except TrancheError as error:
        if error.passes:
            raise
        return None, error


class PageRoute(APIRoute):
    """A route whose function runs as one transaction in one thread, and whose answers are protected.

    A plain function takes its `Visit` as `visit`. An async one runs as it is: it opens its own transactions.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        method = next(iter(options.get("methods") or {"GET"}))
        super().__init__(path, one_transaction(endpoint, method != "GET"), **options | {"response_model": None})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        right = right_of(self.dependant)
        max_body = MAX_SIGN_IN if right is None else MAX_BODY

        async def protected(request: Request) -> Response:
            visit = await arrive(request)
            request.state.visit = visit
            if right is not None:
                right.demand(visit.caller)
            if request.method in ("GET", "HEAD"):
                return protect(await handle(request))
            elsewhere = from_elsewhere(request)
            if elsewhere:
                raise Forbidden(elsewhere)
            owner = None if visit.visitor is None else visit.visitor.workspace_id
            async with visit.runtime.door.body(request, max_body, owner) as body:
                return protect(await handle(Request(request.scope, giving(body))))

        return protected


def one_transaction(endpoint: Callable[..., Any], writes: bool) -> Callable[..., Any]:
    if iscoroutinefunction(endpoint):
        return endpoint

    @wraps(endpoint)
    def run(*, visit: Visit, **inputs: Any) -> Response:
        database = visit.runtime.database

        def act(session: Session) -> Answer:
            visit.open_session, visit.writes = session, writes
            if writes and visit.visitor is not None:
                watch(session, visit.visitor, visit.now)
            answer: Answer = endpoint(visit=visit, **inputs)
            return answer

        answer = settled(database.writing if writes else database.reading, act, visit.admit, writes=writes)
        return answer.make() if isinstance(answer, Later) else answer

    return run


def pages() -> APIRouter:
    """A router for pages."""
    return APIRouter(include_in_schema=False, route_class=PageRoute)
