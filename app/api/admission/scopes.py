"""What scope a way into a route asks for, so that it is judged before the route is entered."""

from collections.abc import Callable
from typing import Any

from fastapi import Depends
from fastapi.dependencies.models import Dependant


def needs(scope: str | None, way: Callable[..., Any]) -> Any:
    """`way` as a dependency of a route, for who holds `scope`; None: for anybody."""
    way.scope = scope  # type: ignore[attr-defined]
    return Depends(way)


def scope_of(dependant: Dependant) -> str | None:
    """The scope that a route's way in asks for; None where it is open to anybody."""
    asked = (getattr(one.call, "scope", None) for one in dependant.dependencies)
    return next((scope for scope in asked if scope is not None), None)
