"""Every route knows its scope before it is entered."""

from typing import Annotated

import pytest
from fastapi import APIRouter

from app.api.admission import scope_of
from app.api.http.transactions import Call, KeyedRoute, Route, reads
from app.web import ROUTERS
from app.web.site.visit import PageRoute


def test_a_route_of_the_api_needs_a_way_in() -> None:
    router = APIRouter(route_class=Route)

    @router.get("/a")
    def with_one(call: Annotated[Call, reads("admin")]) -> int:
        return 1

    [route] = router.routes
    assert isinstance(route, KeyedRoute)
    assert scope_of(route.dependant) == "admin"
    with pytest.raises(RuntimeError, match="/b has no way in"):

        @router.get("/b")
        def without(a: int) -> int:
            return a


def test_of_pages_signing_in_and_out_alone_are_open_to_anybody() -> None:
    pages = [route for router in ROUTERS for route in router.routes if isinstance(route, PageRoute)]
    assert len(pages) > 30
    assert {page.path for page in pages if scope_of(page.dependant) is None} == {"/sign-in", "/sign-out"}
