"""The command `tranche`: what speaks to a service, and what an installed server adds to it."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, entry_points, version

from tranche.imports.parsers import add_import
from tranche.terminal.parsers import add_next, add_purchase

DISTRIBUTIONS = ("tranche", "tranche-client")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    options = parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def parser() -> argparse.ArgumentParser:
    """The commands of this package and those that others register under `tranche.commands`."""
    top = argparse.ArgumentParser(prog="tranche", description="What should the next round of data collection buy?")
    top.add_argument("--version", action="version", version=versions())
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (add_next, add_purchase, add_import):
        add(commands)
    for point in entry_points(group="tranche.commands"):
        point.load()(commands)
    return top


def versions() -> str:
    """What is installed, such as "tranche 0.1.0, tranche-client 0.1.0"."""
    return ", ".join(filter(None, map(version_of, DISTRIBUTIONS)))


def version_of(name: str) -> str | None:
    """A distribution and its version; None where it is not installed."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
