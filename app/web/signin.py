"""Sign in with an API key; sign out."""

from typing import Annotated

from fastapi import Query
from fastapi.concurrency import run_in_threadpool

from app.errors import RateLimited, TrancheError, Unauthenticated, Unavailable
from app.services.access.sessions import refuse_sign_in, sign_in, sign_out
from app.store.db import Session
from app.telemetry.notes import note_problem
from app.web.site.sessions import at_loopback, local_path, over_tls
from app.web.site.visit import Answer, Knocks, LooksIn, Visit, pages

router = pages()

NEEDS_TLS = (
    "Sign-in needs HTTPS here: the browser would not keep the session otherwise. Open this service at its https "
    "address, and set TRANCHE_PUBLIC_URL to it where a proxy does the TLS."
)


@router.get("/sign-in")
def sign_in_page(visit: LooksIn, next: Annotated[str, Query(max_length=2000)] = "/") -> Answer:
    if visit.visitor is not None:
        return visit.redirect(local_path(next))
    return form(visit, next)


def form(visit: Visit, wanted: str, error: TrancheError | None = None) -> Answer:
    usable = over_tls(visit.request, visit.runtime.settings) or at_loopback(visit.request)
    shown = error if usable else Unavailable(NEEDS_TLS)
    status = 200 if error is None else error.status
    answer = visit.rendered("sign_in.html", status, wanted=local_path(wanted), error=shown)
    visit.cookies.write(answer, "form", visit.token, None)
    return answer


@router.post("/sign-in")
async def start_session(visit: Knocks) -> Answer:
    """The key is known before anything is written, and a wrong one counts as in the API."""
    wanted, key = local_path(visit.said("next")), visit.said("key")
    try:
        await visit.runtime.admit(visit.request, key)
    except Unauthenticated as error:
        note_problem(error)
        return await run_in_threadpool(refused, visit, wanted, key, error)
    except RateLimited as error:
        note_problem(error)
        return await run_in_threadpool(form, visit, wanted, error)
    return await run_in_threadpool(signed_in, visit, wanted, key)


def refused(visit: Visit, wanted: str, key: str, error: TrancheError) -> Answer:
    with visit.runtime.database.writing() as session:
        refuse_sign_in(session, visit.now, key)
    return form(visit, wanted, error)


def signed_in(visit: Visit, wanted: str, key: str) -> Answer:
    with visit.runtime.database.writing() as session:
        token = sign_in(session, visit.now, visit.runtime.hash_keys, key)
        end_present(visit, session)
    answer = visit.redirect(wanted)
    visit.cookies.write_session(answer, token)
    visit.cookies.drop(answer, "form")
    return answer


@router.post("/sign-out")
def end_session(visit: Knocks) -> Answer:
    end_present(visit, visit.session)
    answer = visit.redirect("/sign-in", "You are signed out.")
    visit.cookies.drop(answer, "session")
    return answer


def end_present(visit: Visit, session: Session) -> None:
    held = visit.cookies.read("session")
    if held is not None:
        sign_out(session, visit.now, visit.runtime.hash_keys, held)
