"""The proposals that wait for who looks."""

from typing import Annotated

from app.services.purchases.inbox import name_of, waits_for
from app.web.site.visit import Answer, Visit, pages, sees

router = pages()

MOST = 100


@router.get("/waiting")
def waiting_list(visit: Annotated[Visit, sees("buy")]) -> Answer:
    waiting = waits_for(visit.session, visit.caller, visit.now)
    shown = [(one, name_of(visit.session, one.proposed_by)) for one in waiting[:MOST]]
    return visit.render("waiting.html", waiting=shown, more=len(waiting) - len(shown))
