"""The table of rights: what every operation of the API and every page asks of a key, read off their routes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app.services.access.rights import Right, right_of

OWN_PROJECTS, REFUSED = "their projects", "refused"


@dataclass(frozen=True)
class Operation:
    """One method of one path. `right` is null where no key is asked for."""

    path: str
    method: str
    right: Right | None
    is_page: bool


def operations_of(app: FastAPI) -> list[Operation]:
    """Every operation and every page, by path and method."""
    found = {
        Operation(context.path or "", method, right_of(context.dependant), not context.include_in_schema)
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
        for method in context.methods or ()
    }
    return sorted(found, key=lambda one: (one.path, one.method))


def as_markdown(app: FastAPI) -> str:
    """Both tables. Methods of a path that need the same share a row."""
    every = operations_of(app)
    api = [one for one in every if not one.is_page]
    pages = [one for one in every if one.is_page and one.right is not None]
    return "\n".join([*table("operation", api), "", *table("page", pages)])


def table(what: str, operations: Sequence[Operation]) -> Iterator[str]:
    yield f"| {what} | needs | keys limited to projects |"
    yield "| --- | --- | --- |"
    for (path, right), same in groupby(sorted(operations, key=place), key=lambda one: (one.path, one.right)):
        methods = ", ".join(one.method for one in same)
        yield f"| {methods} `{path}` | {needed(right)} | {limited(right)} |"


def place(one: Operation) -> tuple[str, str]:
    return one.path, needed(one.right) + limited(one.right)


def needed(right: Right | None) -> str:
    return "no key" if right is None else " or ".join(f"`{scope}`" for scope in right.scopes)


def limited(right: Right | None) -> str:
    if right is None:
        return ""
    return REFUSED if right.whole_workspace else OWN_PROJECTS
