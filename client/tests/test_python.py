"""Python 3.10 runs the package, whichever Python runs this test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[1]
FILES = sorted([*(CLIENT / "tranche").rglob("*.py"), *(CLIENT / "tests").glob("*.py")])
FLOOR = (3, 10)
NEWER: dict[str, frozenset[str]] = {
    "asyncio": frozenset({"Barrier", "Runner", "TaskGroup", "timeout", "timeout_at"}),
    "builtins": frozenset({"BaseExceptionGroup", "ExceptionGroup", "PythonFinalizationError"}),
    "calendar": frozenset({"Day", "Month"}),
    "collections.abc": frozenset({"Buffer"}),
    "contextlib": frozenset({"chdir"}),
    "copy": frozenset({"replace"}),
    "datetime": frozenset({"UTC"}),
    "enum": frozenset({"EJECT", "EnumCheck", "FlagBoundary", "KEEP", "ReprEnum", "StrEnum", "global_enum", "member",
                       "nonmember", "property", "show_flag_values", "verify"}),
    "hashlib": frozenset({"file_digest"}),
    "http": frozenset({"HTTPMethod"}),
    "importlib.resources": frozenset({"is_package"}),
    "inspect": frozenset({"BufferFlags", "getmembers_static", "markcoroutinefunction"}),
    "itertools": frozenset({"batched"}),
    "logging": frozenset({"getHandlerByName", "getHandlerNames", "getLevelNamesMapping"}),
    "math": frozenset({"cbrt", "exp2", "fma", "sumprod"}),
    "operator": frozenset({"call"}),
    "os": frozenset({"process_cpu_count"}),
    "random": frozenset({"binomialvariate"}),
    "re": frozenset({"NOFLAG"}),
    "statistics": frozenset({"kde", "kde_random"}),
    "sys": frozenset({"activate_stack_trampoline", "exception", "monitoring"}),
    "types": frozenset({"CapsuleType", "get_original_bases"}),
    "typing": frozenset({"LiteralString", "Never", "NoDefault", "NotRequired", "ReadOnly", "Required", "Self",
                         "TypeAliasType", "TypeIs", "TypeVarTuple", "Unpack", "assert_never", "assert_type",
                         "clear_overloads", "dataclass_transform", "get_overloads", "get_protocol_members",
                         "is_protocol", "override", "reveal_type"}),
    "uuid": frozenset({"uuid6", "uuid7", "uuid8"}),
}  # fmt: skip
"""What the standard library has since 3.11, module by module (What's New in Python 3.11 to 3.14)."""
NEWER_MODULES = frozenset({"annotationlib", "compression", "concurrent.interpreters", "string.templatelib", "tomllib",
                           "wsgiref.types"})  # fmt: skip
NEWER_METHODS = frozenset({"add_note", "fromisoformat"})
"""3.10 reads no "Z" and not every fraction of a second."""


def newer_names(tree: ast.AST) -> Iterator[str]:
    """What a module takes that 3.10 does not have."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from (f"{module}.{one.name}" for one in node.names if one.name in NEWER.get(module, ()))
            yield from {module} & NEWER_MODULES
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name in NEWER_MODULES)
            modules |= {one.asname or one.name: one.name for one in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in NEWER["builtins"]:
            yield node.id
        elif isinstance(node, ast.Subscript) and any(isinstance(part, ast.Starred) for part in ast.walk(node.slice)):
            yield ast.unparse(node)
        elif isinstance(node, ast.Attribute):
            of = modules.get(ast.unparse(node.value), "")
            if node.attr in NEWER.get(of, ()) or node.attr in NEWER_METHODS:
                yield ast.unparse(node)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CLIENT)))
def test_a_file_needs_nothing_newer_than_the_floor(file: Path) -> None:
    assert list(newer_names(ast.parse(file.read_text(), feature_version=FLOOR))) == []


@pytest.mark.parametrize(
    "source",
    [
        "from typing import Self",
        "from datetime import UTC, datetime",
        "import datetime\nnow = datetime.datetime.now(datetime.UTC)",
        "import datetime as dt\ndt.UTC",
        "import tomllib",
        "from enum import StrEnum",
        "raise ExceptionGroup('a', [])",
        "error.add_note('a')",
        "datetime.fromisoformat('2026-11-20T10:00:00Z')",
        "x: tuple[*int]",
    ],
)
def test_what_is_newer_is_found(source: str) -> None:
    assert list(newer_names(ast.parse(source)))


def test_newer_grammar_is_refused() -> None:
    with pytest.raises(SyntaxError):
        ast.parse("try:\n    pass\nexcept* ValueError:\n    pass", feature_version=FLOOR)


def test_the_package_says_its_floor() -> None:
    assert f'requires-python = ">={FLOOR[0]}.{FLOOR[1]}"' in (CLIENT / "pyproject.toml").read_text()
