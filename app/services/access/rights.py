"""What a key must hold for an operation of the API or for a page, said once where its route begins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from app.services.access.keys import Caller

Way = TypeVar("Way", bound=Callable[..., Any])


@dataclass(frozen=True)
class Right:
    """`scopes`: one of them is enough, and `admin` stands for each. `whole_workspace`: what is asked for belongs to no
    project, so that keys limited to projects are refused."""

    scopes: tuple[str, ...]
    whole_workspace: bool = False

    def demand(self, caller: Caller) -> None:
        """Raises Forbidden where the key does not hold it."""
        caller.require(*self.scopes)
        if self.whole_workspace:
            caller.require_whole_workspace()

    def held_by(self, caller: Caller) -> bool:
        whole = caller.project_ids is None or not self.whole_workspace
        return whole and bool(caller.scopes & {*self.scopes, "admin"})


def needs(right: Right, way: Way) -> Way:
    """`way`, a dependency of routes that demands the right, marked with it."""
    way.right = right  # type: ignore[attr-defined]
    return way


def right_of(dependant: Any) -> Right | None:
    """The right that a route's dependencies demand; None where they demand none."""
    ways = [dependant.call, *(one.call for one in dependant.dependencies)]
    return next((way.right for way in ways if hasattr(way, "right")), None)
