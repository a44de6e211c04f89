"""What the server adds to the command line: serve, work, migrate, make keys, plan from files, run the demo, print the
contract and the table of rights.

Parsers need argparse alone; a command imports what it runs when it is run.
"""

import argparse
import sys
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

__all__ = ["add_commands"]


def add_commands(commands: "Commands") -> None:
    """Adds the server's commands (the entry point `tranche.commands`)."""
    one = commands.add_parser("serve", help="serve the API")
    one.add_argument("--host", help="address to listen on (TRANCHE_HOST)")
    one.add_argument("--port", type=int, help="port to listen on (TRANCHE_PORT)")
    one.add_argument("--processes", type=int, help="processes that serve, on PostgreSQL (TRANCHE_PROCESSES)")
    # How they are started: each with the number of the socket that it serves.
    one.add_argument("--on-socket", type=int, help=argparse.SUPPRESS)
    one.add_argument("--no-worker", action="store_true", help="serve the API alone; jobs wait for a worker")
    one.set_defaults(run=later("serve", "run_serve"))
    one = commands.add_parser("worker", help="run jobs (serve does so too; this adds workers, on any host)")
    one.add_argument("--until-parent-ends", action="store_true", help="stop when standard input is closed")
    one.set_defaults(run=later("serve", "run_worker"))
    one = commands.add_parser("migrate", help="bring the database to the newest schema")
    one.add_argument("--check", action="store_true", help="only check that the migrations make what the models say")
    one.set_defaults(run=later("database", "run_migrate"))
    one = commands.add_parser("backup", help="write the whole database to one file, also while it is served")
    one.add_argument("file", metavar="FILE", help="must not be there yet")
    one.set_defaults(run=later("database", "run_backup"))
    one = commands.add_parser("restore", help="bring back what backup wrote; stop the service first")
    one.add_argument("file", metavar="FILE")
    one.add_argument("--replace", action="store_true", help="give up what the database holds now")
    one.set_defaults(run=later("database", "run_restore"))
    one = commands.add_parser("purge", help="delete now what is kept long enough (workers do so hour by hour)")
    one.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    one.add_argument("--vacuum", action="store_true", help="then give the room back (SQLite: writes the file anew)")
    one.set_defaults(run=later("erase", "run_purge"))
    add_erasures(commands)
    key = commands.add_parser("key", help="API keys").add_subparsers(required=True, metavar="COMMAND")
    one = key.add_parser("create", help="make an API key and print it, once")
    one.add_argument("--scopes", required=True, help="comma list of read, observe, deliver, write, buy, admin")
    one.add_argument("--name", help="who or what uses it, as rounds and lists say beside its id")
    one.add_argument("--workspace", default="default", help="made if it is not there (default: %(default)s)")
    one.add_argument("--project", action="append", metavar="ID", help="limit the key to this project (repeatable)")
    one.add_argument("--expires-at", type=instant, help="RFC 3339, such as 2027-01-01T00:00:00Z")
    one.set_defaults(run=later("keys", "run_key_create"))
    secret = commands.add_parser("secret-key", help="the key of stored secrets (TRANCHE_SECRET_KEY)")
    secrets = secret.add_subparsers(required=True, metavar="COMMAND")
    one = secrets.add_parser("create", help="print a new one; nothing is changed")
    one.set_defaults(run=later("keys", "run_secret_key_create"))
    one = secrets.add_parser("renew", help="encrypt every stored secret under the first key of the list")
    one.set_defaults(run=later("keys", "run_secret_key_renew"))
    add_plan(commands)
    one = commands.add_parser("demo", help="plan a real purchase on a fresh database, then serve it")
    one.add_argument("--port", type=int, default=8000, help="port to serve on, if free (default: %(default)s)")
    one.add_argument("--exit", action="store_true", help="end when the plan is printed")
    one.set_defaults(run=later("demo", "run_demo"))
    one = commands.add_parser("openapi", help="print the OpenAPI document")
    one.set_defaults(run=later("openapi", "run_openapi"))
    one = commands.add_parser("rights", help="print what every operation and page asks of a key")
    one.set_defaults(run=later("rights", "run_rights"))


def add_erasures(commands: "Commands") -> None:
    abandon = "although orders are open, which vendors may still deliver, and charge"
    project = commands.add_parser("project", help="projects").add_subparsers(required=True, metavar="COMMAND")
    one = project.add_parser("erase", help="erase a project for good, and print the receipt")
    one.add_argument("project", metavar="ID")
    one.add_argument("--name", required=True, help="its name, to confirm")
    one.add_argument("--abandon-orders", action="store_true", help=abandon)
    one.set_defaults(run=later("erase", "run_project_erase"))
    workspace = commands.add_parser("workspace", help="workspaces").add_subparsers(required=True, metavar="COMMAND")
    one = workspace.add_parser("erase", help="erase a workspace, its keys too, for good, and print the receipt")
    one.add_argument("workspace", metavar="NAME")
    one.add_argument("--confirm", required=True, metavar="NAME", help="its name once more")
    one.add_argument("--abandon-orders", action="store_true", help=abandon)
    one.set_defaults(run=later("erase", "run_workspace_erase"))


def add_plan(commands: "Commands") -> None:
    one = commands.add_parser(
        "plan",
        help="plan from files, without a service",
        description="The service's next allocation for what stands in files. Exit code 0: collect what the plan says;"
        " 3: nothing is to be collected; 2: a file or an option must be changed.",
    )
    one.add_argument("project", nargs="?", metavar="project.yaml", help="what POST /v1/projects takes, as YAML")
    one.add_argument("runs", nargs="?", metavar="runs.csv", help="what was measured, as POST …/observations takes it")
    one.add_argument("--groups", metavar="groups.csv", help="the groups, where they do not stand in project.yaml")
    one.add_argument("--budget", help="money for this round (default: the project's rest shared by its rounds)")
    one.add_argument("--policy", default="optimal", help="how to split the money (default: %(default)s)")
    one.add_argument("--missing", choices=["zero"], help="take the counts that a run does not name as 0")
    one.add_argument("--format", choices=["table", "md", "json"], default="table", help="(default: %(default)s)")
    one.add_argument("--example", nargs="?", const=".", metavar="DIR", help="write files to start from, and end")
    one.set_defaults(run=later("plan", "run_plan"))


def later(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """The command `name` of a module of this room, imported when it is run; what it refuses is said in a sentence."""

    def run(options: argparse.Namespace) -> int:
        from pydantic import ValidationError

        from app.commands.native_output import keep_for_python
        from app.errors import TrancheError

        keep_for_python()
        try:
            code: int = getattr(import_module(f"app.commands.{module}"), name)(options)
        except ValidationError as error:
            return complain("\n".join(setting_fault(one) for one in error.errors()))
        except TrancheError as error:
            return complain(error.detail)
        return code

    return run


def complain(message: str) -> int:
    print(f"tranche: {message}", file=sys.stderr)
    return 2


def setting_fault(error: "ErrorDetails") -> str:
    name = str(error["loc"][0]) if error["loc"] else "settings"
    variable = name if name.startswith("TRANCHE_") else f"TRANCHE_{name.upper()}"
    return f"{variable}: {error['msg'].removeprefix('Value error, ')}"


def instant(text: str) -> datetime:
    """An instant. Raises ArgumentTypeError where it cannot be read."""
    from tranche.sheets.instants import read_instant

    try:
        return read_instant(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
