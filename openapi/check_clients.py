"""Makes clients from openapi.json with public generators, and fails where one of them leaves something out.

Run by `make check-clients`, in the environment of the generators.
"""

import compileall
import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
CONTRACT = HERE / "openapi.json"
GENERATORS = HERE.parent / ".generators"
USE = """import type {{ operations, webhooks }} from "./client";
export type Every = [{every}];
export type Told = webhooks[keyof webhooks];
"""


def operation_ids(contract: Path, *sections: str) -> list[str]:
    document = json.loads(contract.read_text("utf-8"))
    return [way["operationId"] for name in sections for ways in document[name].values() for way in ways.values()]


def left_out(wanted: Iterable[str], made: Iterable[str]) -> list[str]:
    """The operations that were not made, in their order."""
    known = set(made)
    return [name for name in wanted if name not in known]


def run(*command: str | Path) -> None:
    """Raises CalledProcessError where it fails."""
    subprocess.run(command, check=True)  # noqa: S603 - its words are ours


def make_python(contract: Path, folder: Path) -> list[str]:
    """Make, compile and import a Python client in `folder`. Returns the operations that can be called.

    Raises CalledProcessError where the generator warns of what it cannot make.
    """
    tool = Path(sys.executable).with_name("openapi-python-client")
    where = ("--path", contract, "--output-path", folder / "python", "--config", HERE / "generators" / "python.yml")
    run(tool, "generate", *where, "--fail-on-warning")
    if not compileall.compile_dir(folder / "python", quiet=1):
        raise SystemExit("the Python client does not compile")
    sys.path.insert(0, str(folder / "python"))
    package = next(path.parent.name for path in (folder / "python").glob("*/client.py"))
    root = importlib.import_module(package)
    names = [found.name for found in pkgutil.walk_packages(root.__path__, f"{package}.")]
    modules = [importlib.import_module(name) for name in names]
    return [module.__name__.rpartition(".")[2] for module in modules if hasattr(module, "sync_detailed")]


def check_typescript(contract: Path, folder: Path) -> None:
    """Make a TypeScript client in `folder` and compile a use of each operation. Raises CalledProcessError where the
    compiler misses one."""
    tools, client = GENERATORS / "node_modules" / ".bin", folder / "client.d.ts"
    run(tools / "openapi-typescript", contract, "--output", client)
    every = ", ".join(f'operations["{name}"]' for name in operation_ids(contract, "paths", "webhooks"))
    (folder / "use.ts").write_text(USE.format(every=every), "utf-8")
    run(tools / "tsc", "--noEmit", "--strict", folder / "use.ts", client)


def main() -> int:
    with TemporaryDirectory() as name:
        folder = Path(name)
        wanted = operation_ids(CONTRACT, "paths")
        missing = left_out(wanted, make_python(CONTRACT, folder))
        print(f"Python: {'lacks ' + ', '.join(missing) if missing else f'all {len(wanted)} operations'}")
        check_typescript(CONTRACT, folder)
        print("TypeScript: all operations and webhooks")
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
