"""The options of `tranche next` and `tranche purchase`. Argparse alone: help must be quick."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def add_next(commands: "Commands") -> None:
    """Adds `next`: a project's next allocation."""
    one = commands.add_parser("next", help="ask a service what to collect next")
    add_service(one)
    one.add_argument("--budget", help="money for this round (default: the project's rest shared by its rounds)")
    one.add_argument("--policy", help="how to split the money (default: optimal)")
    one.set_defaults(run=run_next)


def add_purchase(commands: "Commands") -> None:
    """Adds `purchase`: what was bought and has arrived."""
    one = commands.add_parser("purchase", help="record what was bought and has arrived")
    add_service(one)
    what = one.add_mutually_exclusive_group(required=True)
    what.add_argument("--plan", action="store_true", help="all that the next allocation orders")
    what.add_argument("--order", action="append", metavar="SOURCE=N", help="samples from a source (repeatable)")
    what.add_argument("--group", action="append", metavar="GROUP=N", help="accepted samples of a group (repeatable)")
    one.add_argument("--spent", help="what it cost in all (default: what the sources' prices say)")
    one.add_argument("--external-id", required=True, metavar="ID", help="yours; the same purchase again adds nothing")
    one.add_argument("--note", help="kept with the round, such as the number of an invoice")
    one.set_defaults(run=run_purchase)


def add_service(one: argparse.ArgumentParser) -> None:
    """Which project of which service."""
    one.add_argument("--project", required=True, metavar="ID", help="id, external id or name of the project")
    one.add_argument("--url", help="of the service (TRANCHE_URL)")
    one.add_argument("--key", help="an API key (TRANCHE_API_KEY)")


def run_next(options: argparse.Namespace) -> int:
    from tranche.terminal.buying import show_next

    return show_next(options)


def run_purchase(options: argparse.Namespace) -> int:
    from tranche.terminal.buying import record

    return record(options)
