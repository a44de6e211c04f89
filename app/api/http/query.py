"""Query parameters that a route does not have are refused: with a misspelt budget another purchase would be planned."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes
from fastapi.routing import APIRoute

from app.errors import Fault, invalid

LONGEST = 100
MOST = 20


class KnownQuery(APIRoute):
    """A route that answers nothing but what its parameters ask."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        parameters = get_flat_params(self.dependant)
        known = {one.alias for one in parameters if getattr(one.field_info, "in_", None) is ParamTypes.query}

        async def checked(request: Request) -> Response:
            refuse_unknown(request, known)
            return await handle(request)

        return checked


def refuse_unknown(request: Request, known: set[str]) -> None:
    """Raises Invalid where the query has names beside the `known` ones."""
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        there = f"the parameters are {', '.join(sorted(known))}" if known else "there are no parameters"
        faults = (Fault(f"?{name[:LONGEST]}", f"is no parameter here; {there}") for name in unknown[:MOST])
        raise invalid(*faults)
