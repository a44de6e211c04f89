"""Query parameters that a route does not have, or that are given twice, are refused: with a misspelt budget another
purchase would be planned."""

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, get_args, get_origin

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
        asked = [one for one in parameters if getattr(one.field_info, "in_", None) is ParamTypes.query]
        known = {one.alias for one in asked}
        lists = {one.alias for one in asked if is_list(one.field_info.annotation)}

        async def checked(request: Request) -> Response:
            refuse_unknown(request, known)
            refuse_repeated(request, known - lists)
            return await handle(request)

        return checked


def is_list(annotation: Any) -> bool:
    return any(get_origin(one) is list for one in (annotation, *get_args(annotation)))


def refuse_repeated(request: Request, single: set[str]) -> None:
    """Raises Invalid where one of the `single` parameters is given twice: which is meant?"""
    counts = Counter(name for name, _ in request.query_params.multi_items())
    twice = [name for name, count in counts.items() if count > 1 and name in single]
    if twice:
        raise invalid(*(Fault(f"?{name}", "is given twice; say it once") for name in twice))


def refuse_unknown(request: Request, known: set[str]) -> None:
    """Raises Invalid where the query has names beside the `known` ones."""
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        there = f"the parameters are {', '.join(sorted(known))}" if known else "there are no parameters"
        faults = (Fault(f"?{name[:LONGEST]}", f"is no parameter here; {there}") for name in unknown[:MOST])
        raise invalid(*faults)
