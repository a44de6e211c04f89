"""The operations of the contract, and whether an answer is one that it declares."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.fuzz.asking import Answer, Request

ROOT = Path(__file__).parents[2]
HOME = "urn:contract"
JSON_TYPES = ("application/json", "application/problem+json")
LEAKS = re.compile(
    r"Traceback|site-packages|\.py\", line|sqlalchemy|psycopg|sqlite3|pydantic|starlette|\bSELECT .* FROM\b|INSERT INTO"
    rf"|{re.escape(str(ROOT))}|/home/|/tmp/"
)
"""What no answer may hold: traces, statements, paths of the machine."""


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    document: Mapping[str, Any]

    @property
    def responses(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document["responses"]
        return found

    @property
    def bodies(self) -> Mapping[str, Any]:
        """By content type."""
        found: Mapping[str, Any] = self.document.get("requestBody", {}).get("content", {})
        return found

    def parameters(self, place: str) -> list[Mapping[str, Any]]:
        return [one for one in self.document.get("parameters", ()) if one["in"] == place]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Contract:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        resource = Resource(contents=document, specification=DRAFT202012)
        self.registry: Registry[Any] = Registry().with_resource(HOME, resource)
        self.validators: dict[str, Draft202012Validator] = {}

    def operations(self) -> list[Operation]:
        return [
            Operation(method.upper(), path, one)
            for path, methods in self.document["paths"].items()
            for method, one in methods.items()
        ]

    def schema(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a reference leads to."""
        while "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def faults(self, request: Request, answer: Answer) -> Iterator[str]:
        """What is wrong with an answer, whatever was asked."""
        text = answer.body.decode("utf-8", "replace")
        leak = LEAKS.search(text) if answer.is_text else None
        if leak is not None:
            yield f"the answer shows {leak.group(0)!r}"
        operation = request.operation
        if answer.status >= 500 and not (answer.status == 503 and operation and "503" in operation.responses):
            yield f"status {answer.status}: {answer.raised or text[:300]}"
        if answer.status >= 400 and answer.body and request.is_api and answer.media_type != JSON_TYPES[1]:
            yield f"an error as {answer.media_type or 'nothing'}"
        if request.method == "HEAD" and answer.body:
            yield "an answer to HEAD with a body"
        if operation is not None:
            yield from self.faults_of(operation, request, answer)

    def faults_of(self, operation: Operation, request: Request, answer: Answer) -> Iterator[str]:
        """Against what the operation declares."""
        if answer.status == 304 and request.header("if-none-match") is not None:
            return
        declared = operation.responses.get(str(answer.status))
        if declared is None:
            yield f"status {answer.status}, which is not declared: {answer.body[:300]!r}"
            return
        content = declared.get("content", {})
        if not content or request.method == "HEAD":
            if answer.body:
                yield f"a body with status {answer.status}, of which none is declared"
            return
        if answer.media_type not in content:
            yield f"{answer.media_type!r}, but declared are {sorted(content)}"
        elif answer.media_type in JSON_TYPES:
            yield from self.schema_faults(operation, answer)

    def schema_faults(self, operation: Operation, answer: Answer) -> Iterator[str]:
        parts = ("paths", operation.path, operation.method.lower(), "responses", str(answer.status), "content")
        tokens = [part.replace("~", "~0").replace("/", "~1") for part in (*parts, answer.media_type, "schema")]
        pointer = "/".join(tokens)
        if pointer not in self.validators:
            schema = {"$ref": f"{HOME}#/{pointer}"}
            self.validators[pointer] = Draft202012Validator(schema, registry=self.registry)
        try:
            document = json.loads(answer.body)
        except ValueError as error:
            yield f"a body that is no JSON: {error}"
            return
        for error in self.validators[pointer].iter_errors(document):
            yield f"off its schema at {error.json_path}: {error.message[:300]}"
            return


@cache
@cache
def contract() -> Contract:
    return Contract(json.loads((ROOT / "openapi" / "openapi.json").read_text("utf-8")))
