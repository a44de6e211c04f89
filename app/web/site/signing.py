"""What is signed: the screen, on the page of the plan and of a round that is proposed, and the words of who signs."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from app.api.http.bulk import validated
from app.api.purchases.rounds import AcceptIn
from app.services.signing import Members, Screen, screen_of
from app.store.models.projects import Project
from app.web.site.visit import Visit

WORDS: TypeAdapter[AcceptIn] = TypeAdapter(AcceptIn)


def words_in(visit: Visit) -> AcceptIn:
    """The fields `note` and `reference` of a form. Raises Invalid."""
    said: AcceptIn = validated(WORDS, {name: visit.said(name) or None for name in AcceptIn.model_fields})
    return said


def screen_parts(visit: Visit, project: Project, answer: Mapping[str, Any], left: Decimal) -> Screen:
    """The screen of an answer of `GET …/allocations/next`; left: of the project's money before it."""
    return screen_of(project, answer, Members.of(visit.session, project), left)
