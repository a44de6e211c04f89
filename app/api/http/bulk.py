"""Bodies that are whole lists: one JSON document, or one JSON object per line."""

from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter, ValidationError

from app.api.http.problems import from_pydantic
from app.api.http.shapes import Shape
from app.errors import Fault, Malformed, UnsupportedMediaType, invalid
from app.strict_json import parse_json, refuse_many

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"

Member = TypeVar("Member", bound=Shape)


def content_type(request: Request, *known: str) -> str:
    """The body's type, JSON for what is written in it. Raises UnsupportedMediaType for others than `known`; curl's
    default is a form."""
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    kind = JSON if given.endswith("+json") else given
    if kind not in known:
        kinds = " or ".join(f"'Content-Type: {one}'" for one in known)
        raise UnsupportedMediaType(f"Content-Type is {given[:100] or 'missing'}; send {kinds}.")
    return kind


def json_lines(body: bytes) -> list[tuple[int, Any]]:
    """The objects of a body of one JSON object per line, with their line numbers. Raises Malformed."""
    refuse_many(body, ",[{\n")
    objects = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            try:
                objects.append((number, parse_json(line)))
            except Malformed as error:
                faults = tuple(Fault(f"line {number} {one.pointer}", one.detail) for one in error.faults)
                raise Malformed(f"Line {number}: {error.detail}", faults) from None
    return objects


def validated(adapter: TypeAdapter[Any], document: Any, at: str = "") -> Any:
    """`document` as its shape. Raises Invalid with pointers below `at`."""
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        raise from_pydantic(error.errors(include_url=False, include_input=False), document, at) from None


def read_list(adapter: TypeAdapter[Any], kind: str, body: bytes, most: int) -> list[Any]:
    """The items of a body. Raises Malformed, and Invalid for more than `most` or bad ones."""
    document = parse_json(body) if kind == JSON else [line for _, line in json_lines(body)]
    if isinstance(document, list) and len(document) > most:
        raise invalid(Fault("", f"{len(document):,} items; send at most {most:,}"))
    read: list[Any] = validated(adapter, document)
    return read


def list_body(shape: type[Member], most: int) -> Any:
    """A dependency: the body as a list of `shape`, at most `most` of them."""
    adapter: TypeAdapter[list[Member]] = TypeAdapter(list[shape])  # type: ignore[valid-type]

    async def read(request: Request) -> Sequence[Member]:
        kind = content_type(request, JSON, NDJSON)
        return await run_in_threadpool(read_list, adapter, kind, await request.body(), most)

    return Depends(read)


def list_contract(shape: type[Shape]) -> dict[str, Any]:
    """The OpenAPI request body of `list_body`."""
    item = {"$ref": f"#/components/schemas/{shape.__name__}"}
    return {
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": {"type": "array", "items": item}}, NDJSON: {"schema": item}},
        }
    }
