"""The OpenAPI document, with what FastAPI cannot know: our error bodies, and the shapes of bodies read by hand."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from app.api.http.problems import Problem
from app.api.observations.runs import ObservationIn, Observations
from app.api.projects.groups import GroupIn
from app.api.projects.sources import SourceIn
from app.api.rights import operations_of
from app.api.vendors.orders import RowIn
from app.services.access.rights import Right

EXTRA_SHAPES = (Problem, ObservationIn, Observations, GroupIn, SourceIn, RowIn)


def operation_id(route: APIRoute) -> str:
    """`tag_verb`: the route's tag, then the name of its function without the words that the tag says already, as
    `projects_create` of `create_project`."""
    words = str(route.tags[0] if route.tags else "pages").lower().split()
    known = {form for word in words for form in (word, word.removesuffix("s"))}
    rest = [word for word in route.name.split("_") if word not in known]
    return "_".join(words + rest)


def finish_contract(app: FastAPI) -> None:
    """Make `app.openapi()` the whole contract."""
    plain = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            shapes = document.setdefault("components", {}).setdefault("schemas", {})
            shapes |= extra_shapes()
            for operation in operations(document):
                own_validation_error(operation)
            for asked in operations_of(app):
                if asked.right is not None and not asked.is_page:
                    tell_right(document["paths"][asked.path][asked.method.lower()], asked.right)
            for operation in received(document):
                operation["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                shapes.pop(name, None)
            document["components"]["schemas"] = dict(sorted(shapes.items()))
        return app.openapi_schema or document

    app.openapi = whole  # type: ignore[method-assign]


def extra_shapes() -> dict[str, Any]:
    wanted = [(shape, "validation") for shape in EXTRA_SHAPES]
    _, schema = models_json_schema(wanted, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    defined: dict[str, Any] = schema["$defs"]
    return defined


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def received(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls that others receive."""
    return [operation for call in document["webhooks"].values() for operation in call.values()]


def tell_right(operation: dict[str, Any], right: Right) -> None:
    """One of the scopes is enough. That a key may be limited to projects has no place of its own in OpenAPI."""
    operation["security"] = [{"HTTPBearer": [scope]} for scope in right.scopes]
    if right.whole_workspace:
        operation["x-whole-workspace"] = True


def own_validation_error(operation: dict[str, Any]) -> None:
    """FastAPI adds its own 422 body where it finds inputs; ours are problem details."""
    content = operation["responses"].get("422", {}).get("content", {})
    content.pop("application/json", None)
