"""The OpenAPI document: committed, whole, and with something to copy for every operation."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app import errors
from app.api.contract import extra_shapes
from app.api.http.shapes import Frame, examples
from app.main import create_app
from app.settings import Settings

ROOT = Path(__file__).parents[1]
CONTRACT: dict[str, Any] = create_app(Settings(database_url="sqlite:///unused.db")).openapi()
OPERATIONS = [
    pytest.param(method, path, operation, id=f"{method} {path}")
    for path, methods in CONTRACT["paths"].items()
    for method, operation in methods.items()
]


def all_errors(kind: type[errors.TrancheError] = errors.TrancheError) -> list[type[errors.TrancheError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in all_errors(child))]


def test_the_committed_contract_is_what_the_app_serves() -> None:
    assert json.loads((ROOT / "openapi" / "openapi.json").read_text()) == CONTRACT


def shapes(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"].rsplit("/")[-1]] if "$ref" in node else []
        return here + [name for value in node.values() for name in shapes(value)]
    return [name for value in node for name in shapes(value)] if isinstance(node, list) else []


def test_every_shape_that_is_named_is_defined() -> None:
    assert set(shapes(CONTRACT)) <= CONTRACT["components"]["schemas"].keys()


def has_example(content: dict[str, Any]) -> bool:
    if "example" in content or "examples" in content:
        return True
    schema = content["schema"]
    name = shapes(schema.get("items", schema))
    if not name:
        return False
    shape = CONTRACT["components"]["schemas"][name[0]]
    return "examples" in shape or any(has_example({"schema": part}) for part in shape.get("properties", {}).values())


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_operation_has_a_summary_an_example_and_its_errors(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    bodies = list(operation.get("requestBody", {}).get("content", {}).values())[:1]
    answers = [
        content
        for status, answer in operation["responses"].items()
        if status.startswith("2")
        for content in answer.get("content", {}).values()
    ]
    for content in [*bodies, *answers]:
        assert has_example(content), content
    if path.startswith("/v1/hooks/"):
        assert {"400", "401", "413"} <= operation["responses"].keys()
        assert operation["security"] == [], "a vendor has no API key; its signature is checked"
    elif path.startswith("/v1"):
        assert {"401", "403", "422"} <= operation["responses"].keys()
        assert all(one["HTTPBearer"] for one in operation["security"]), "the scope it needs"
    if "{" in path:
        assert "404" in operation["responses"]
    for status, answer in operation["responses"].items():
        if not status.startswith("2") and status != "304":
            assert list(answer["content"]) == ["application/problem+json"], status


def all_shapes(kind: type[Frame] = Frame) -> list[type[Frame]]:
    return [kind, *(found for child in kind.__subclasses__() for found in all_shapes(child))]


def test_every_example_is_one_of_the_shape_that_it_is_named_after() -> None:
    named = {(shape.__module__.split(".")[2], shape.__name__): shape for shape in all_shapes()}
    files = list((ROOT / "app" / "api" / "examples").glob("*.json"))
    assert files
    for file in files:
        for name, example in examples(file.stem).items():
            named[file.stem, name].model_validate_json(json.dumps(example))


def test_every_kind_of_problem_has_its_page() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "problems").glob("*.md")}
    assert pages - {"README"} == {kind.code() for kind in all_errors()[1:]}


def test_the_tree_of_errors_is_drawn_whole() -> None:
    drawn = errors.__doc__ or ""
    for kind in all_errors()[1:]:
        assert f" {kind.__name__} " in drawn, kind


def test_no_two_shapes_share_a_name() -> None:
    """FastAPI would tell them apart by module paths, which say nothing to a reader."""
    assert not [name for name in CONTRACT["components"]["schemas"] if "__" in name]
    plain = FastAPI.openapi(create_app(Settings(database_url="sqlite:///unused.db")))["components"]["schemas"]
    for name, shape in extra_shapes().items():
        assert plain.get(name, shape)["properties"].keys() == shape["properties"].keys(), name


def every_operation() -> list[dict[str, Any]]:
    return [way for section in ("paths", "webhooks") for ways in CONTRACT[section].values() for way in ways.values()]


def test_operations_are_named_by_their_tag_and_a_verb() -> None:
    names = [operation["operationId"] for operation in every_operation()]
    assert len(names) == len(set(names))
    for operation in every_operation():
        [tag] = operation["tags"]
        start = tag.lower().replace(" ", "_") + "_"
        assert re.fullmatch(re.escape(start) + r"[a-z]+(_[a-z]+)*", operation["operationId"])
    assert {"projects_create", "projects_list", "allocations_next", "allocations_what_if"} <= set(names)


def defaults(node: Any, at: str = "") -> list[str]:
    """Where an object is a default: generators of clients leave such a body out."""
    if isinstance(node, list):
        return [place for index, child in enumerate(node) for place in defaults(child, f"{at}/{index}")]
    if not isinstance(node, dict):
        return []
    here = [at] if isinstance(node.get("default"), dict) and "type" not in node["default"] else []
    children = ((name, child) for name, child in node.items() if name not in ("example", "examples"))
    return here + [place for name, child in children for place in defaults(child, f"{at}/{name}")]


def test_no_default_is_an_object() -> None:
    assert defaults(CONTRACT) == []
    assert defaults({"a": [{"default": {"kind": "x"}}]}) == ["/a/0"]
