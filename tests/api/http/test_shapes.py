"""Null in an optional field: the same as leaving it out, in every body of every POST; the default, in every PATCH."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from app.api.http.shapes import Answer, Frame, Patch, Shape, examples
from app.api.projects.sources import SourceIn

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parents[3] / "openapi" / "openapi.json").read_text("utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]
# What no example stands in: the least that makes one of the shape.
LEAST: dict[str, dict[str, Any]] = {
    "AssumedCurve": {"asymptote": 0.1, "scale": 1.0, "exponent": 0.5},
    "BudgetIn": {"total": "10"},
    "CostLimit": {"name": "all", "measure": "cost"},
    "CountLimit": {"name": "all", "measure": "count"},
    "OrdersLimit": {"name": "all", "measure": "orders"},
    "ShareLimit": {"name": "all", "measure": "cost_share"},
    "DeterminesRule": {"kind": "determines", "columns": ["a"], "column": "b"},
    "MixRule": {"kind": "mix", "column": "a", "shares": {"x": 1.0}, "tv_at_most": 0.1},
    "RangeRule": {"kind": "range", "column": "a", "min": 0.0, "max": 1.0},
    "ReadingIn": {"value": 0.5},
    "RequiredRule": {"kind": "required", "columns": ["a"]},
    "Stakeholder": {"name": "audit", "objective": {"kind": "maximin"}},
    "UniqueRule": {"kind": "unique", "columns": ["a"]},
    "VerdictThresholds": {},
    "ValuesRule": {"kind": "values", "column": "a", "values": ["x"]},
    "Robust": {"kind": "robust", "weight_vectors": [{"a": 1.0}]},
    **{name: {"kind": name.lower()} for name in ("Utilitarian", "Isoelastic", "Maximin", "Cvar", "Targets", "Gap")},
}


def named(node: Any, seen: set[str]) -> set[str]:
    """The names of the schemas that `node` leads to."""
    if isinstance(node, dict):
        name = str(node.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            named(SCHEMAS[name], seen)
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        named(child, seen)
    return seen


def all_shapes(kind: type[Frame] = Frame) -> Iterator[type[Frame]]:
    yield kind
    for child in kind.__subclasses__():
        yield from all_shapes(child)


BODIES = named(
    [way["requestBody"] for ways in CONTRACT["paths"].values() for way in ways.values() if "requestBody" in way], set()
)
SHAPES = {shape.__name__: shape for shape in all_shapes() if not issubclass(shape, Answer)}
OPTIONAL = [
    (name, field)
    for name in sorted(BODIES)
    for field in SCHEMAS[name].get("properties", {})
    if field not in SCHEMAS[name].get("required", []) and field != "quality"
]
"""But for a source's quality, of which null says that it is to be learned (docs/api.md)."""


def takes_null(schema: dict[str, Any]) -> bool:
    return schema == {} or schema.get("type") == "null" or any(map(takes_null, schema.get("anyOf", [])))


def example_of(shape: type[Frame]) -> dict[str, Any]:
    room = shape.__module__.split(".")[2]
    found = examples(room).get(shape.__name__)
    return dict(found) if found is not None else LEAST.get(shape.__name__, {})


def test_every_body_of_the_contract_is_a_shape() -> None:
    assert len(OPTIONAL) > 150
    assert {name for name, _ in OPTIONAL} <= SHAPES.keys()


@pytest.mark.parametrize(("name", "field"), [one for one in OPTIONAL if not issubclass(SHAPES[one[0]], Patch)])
def test_null_is_the_same_as_leaving_a_field_out(name: str, field: str) -> None:
    shape = SHAPES[name]
    without = {key: value for key, value in example_of(shape).items() if key != field}
    assert takes_null(SCHEMAS[name]["properties"][field]), "the contract has to say so, for clients made from it"
    left_out = shape.model_validate_json(json.dumps(without))
    assert shape.model_validate(without | {field: None}) == left_out


@pytest.mark.parametrize(("name", "field"), [one for one in OPTIONAL if issubclass(SHAPES[one[0]], Patch)])
def test_null_in_a_patch_restores_the_default_or_is_refused(name: str, field: str) -> None:
    """Where null takes the value away, the type says so itself; what must be given at the making has no default."""
    shape = SHAPES[name]
    assert issubclass(shape, Patch)
    made = {one.alias or key: one for key, one in shape.made_from.model_fields.items()}.get(field)
    default = None if made is None or made.is_required() else made.get_default(call_default_factory=True)
    if not takes_null(SCHEMAS[name]["properties"][field]):
        assert default is None
        with pytest.raises(ValueError, match=field):
            shape.model_validate({field: None})
    else:
        changed = shape.model_validate({field: None})
        assert getattr(changed, field) == default
        assert changed.model_fields_set == {field}


@pytest.mark.parametrize("name", ["SourceIn", "SourcePatch", "SourceTerms"])
def test_a_quality_of_null_is_one_to_be_learned(name: str) -> None:
    shape = SHAPES[name]
    assert takes_null(SCHEMAS[name]["properties"]["quality"])
    assert shape.model_validate(example_of(shape) | {"quality": None}).quality is None
    assert SourceIn.model_validate(example_of(SourceIn) | {}).quality == 1.0


def test_answers_take_no_nulls_that_their_types_do_not_know() -> None:
    class Said(Answer):
        count: int = 0

    with pytest.raises(ValueError, match="count"):
        Said.model_validate({"count": None})
    assert Said.model_json_schema()["properties"]["count"]["type"] == "integer"


def test_a_null_that_means_nothing_is_refused_where_it_stands() -> None:
    class Inner(Shape):
        size: int
        most: int = 3

    class Outer(Shape):
        inner: Inner
        name: str = "x"

    assert issubclass(Outer, BaseModel)
    assert Outer.model_validate({"inner": {"size": 1, "most": None}, "name": None}).inner.most == 3
    with pytest.raises(ValueError, match=r"inner\.size"):
        Outer.model_validate({"inner": {"size": None}})
