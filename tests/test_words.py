"""Names and docstrings say what they should."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).parents[1] / "app"


def trees(room: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the room, parsed."""
    return ((path, ast.parse(path.read_text())) for path in sorted((APP / room).rglob("*.py")))


def own(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function itself, not in a function or class inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield child
            yield from own(child)


def raises(function: ast.AST) -> bool:
    """Whether it raises an error of its own, other than one let through or NotImplementedError."""
    thrown = [ast.unparse(node.exc) for node in own(function) if isinstance(node, ast.Raise) and node.exc]
    return any(not error.startswith("NotImplementedError") for error in thrown)


def constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names in capitals and their values, as written."""
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        paired = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        for name, one in zip(target.elts, value.elts, strict=True) if paired else [(target, value)]:
            if isinstance(name, ast.Name) and name.id.isupper():
                yield name.id, ast.unparse(one)


@pytest.mark.parametrize("room", ["planner", "services", "store", "outbound", "vendors"])
def test_functions_that_raise_say_so(room: str) -> None:
    silent = [
        f"{path.relative_to(APP)}:{node.lineno} {node.name}"
        for path, tree in trees(room)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and raises(node)
        if "Raise" not in (ast.get_docstring(node) or "")
    ]
    assert not silent


def test_constants_of_the_planner_with_one_name_have_one_value() -> None:
    values: dict[str, set[str]] = defaultdict(set)
    for _, tree in trees("planner"):
        for name, value in constants(tree):
            values[name].add(value)
    assert [name for name, found in values.items() if len(found) > 1] == []
