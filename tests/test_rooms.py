"""The rooms of the code: how many modules they hold, what their faces list, what is called what, and who tests whom."""

import ast
import re
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = ROOT / "app"
MODULES = sorted(file for file in APP.rglob("*.py") if file.name != "__init__.py")
ROOMS = sorted({file.parent for file in MODULES})
LAYERS = ("planner", "services", "api")
SERVES = ["app.__main__", *(f"app.commands.{file.stem}" for file in (APP / "commands").glob("[a-z]*.py"))]
"""What starting the command line may import."""
LISTED: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "tested_through.toml").read_text())["tested"]
"""By test: the modules that have no test of their own name and are tested through it."""


def name(path: Path, base: Path = APP) -> str:
    return path.relative_to(base).as_posix()


def own_test(module: Path) -> Path:
    """Where the test of a module lies: the same room below tests/."""
    return ROOT / "tests" / module.relative_to(APP).with_name(f"test_{module.name}")


@pytest.mark.parametrize("room", ROOMS, ids=name)
def test_a_room_can_be_looked_over(room: Path) -> None:
    most = 12 if name(room).split("/")[0] in LAYERS else 16
    modules = [file.name for file in room.glob("*.py") if file.name != "__init__.py"]
    assert len(modules) <= most, modules


@pytest.mark.parametrize("room", [room for room in ROOMS if room != APP], ids=name)
def test_a_room_has_a_face(room: Path) -> None:
    """One sentence, and at most fifteen names for others."""
    face = ast.parse((room / "__init__.py").read_text())
    assert (ast.get_docstring(face) or "").strip().endswith(".")
    listed = [
        node.value for node in face.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert sum(len(ast.literal_eval(names)) for names in listed) <= 15


def test_nothing_is_imported_as_itself() -> None:
    """A name that others may use stands in a face, not in an import that repeats it."""
    found = []
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom):
                found += [f"{name(module)}: {one.name}" for one in node.names if one.asname == one.name]
    assert found == []


@pytest.mark.parametrize("layer", ["planner", "services"])
def test_a_class_name_means_one_thing(layer: str) -> None:
    places = defaultdict(set)
    for module in MODULES:
        if name(module).startswith(f"{layer}/"):
            for node in ast.parse(module.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].add(name(module))
    assert {word: where for word, where in places.items() if len(where) > 1} == {}


def test_every_module_has_a_test_at_its_mirrored_path_or_is_listed() -> None:
    listed = [module for modules in LISTED.values() for module in modules]
    lacking = [name(module) for module in MODULES if not own_test(module).exists()]
    assert sorted(lacking) == sorted(listed)


@pytest.mark.parametrize("test", LISTED)
def test_what_is_listed_is_reached_by_the_test_that_is_named(test: str) -> None:
    """The test is there, and what it imports, or the service that it asks, leads to each module."""
    text = (ROOT / "tests" / test).read_text()
    serves = re.search(r"\bapi: Api\b|\bfleet\b|\bdatabase: Database\b|\btranche\b|\"-m\", \"app\"", text) is not None
    reached = reachable(["tests." + test[:-3].replace("/", "."), *(SERVES if serves else [])])
    missed = [module for module in LISTED[test] if "app." + module[:-3].replace("/", ".") not in reached]
    assert missed == []


def reachable(starts: list[str]) -> set[str]:
    """The modules of the app and of its tests that importing `starts` runs."""
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        module = waiting.pop()
        if module not in found and (imported := imports_of(module)) is not None:
            found.add(module)
            waiting += imported
    return found


@cache
def imports_of(module: str) -> list[str] | None:
    """What of the app and of its tests a module names in its imports; None where there is no such module."""
    file = ROOT / (module.replace(".", "/") + ".py")
    file = file if file.exists() else ROOT / module.replace(".", "/") / "__init__.py"
    if not file.exists():
        return None
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("app", "tests"):
            found += [str(node.module), *(f"{node.module}.{one.name}" for one in node.names)]
    return found
