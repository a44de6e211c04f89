"""The options of `tranche import`. Argparse alone: help must be quick."""

import argparse
from typing import TYPE_CHECKING

from tranche.terminal.parsers import add_service

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def add_import(commands: "Commands") -> None:
    """Adds `import` with its three sources."""
    top = commands.add_parser("import", help="post runs that exist already, from CSV, MLflow or W&B")
    sources = top.add_subparsers(required=True, metavar="SOURCE", dest="source")
    one = sources.add_parser("csv", help="a CSV file: Tranche's own columns, or a line per run as trackers export it")
    one.add_argument("file")
    one.add_argument("--id", metavar="COLUMN", help="of a line per run: the column that names the run")
    one.add_argument("--decimal", choices=["point", "comma"], help="the decimal mark, where the numbers do not tell it")
    one.add_argument("--extra", choices=["ignore"], help="leave columns that are not known unread")
    add_common(one)
    one = sources.add_parser("mlflow", help="an MLflow tracking store (needs tranche-client[mlflow])")
    one.add_argument("--tracking-uri", metavar="URI", help="such as sqlite:///mlflow.db (default: as MLflow's own)")
    one.add_argument("--experiment", required=True, metavar="NAME", help="name or id of the experiment")
    add_common(one)
    one = sources.add_parser("wandb", help="the folder `wandb` that offline runs of W&B leave")
    one.add_argument("folder")
    add_common(one)


def add_common(one: argparse.ArgumentParser) -> None:
    add_service(one)
    one.add_argument("--value", metavar="PATTERN", help="name of a group's metric, such as 'accuracy/{group}'")
    one.add_argument("--count", metavar="PATTERN", help="name of its count of training samples, such as 'n/{group}'")
    one.add_argument("--eval-size", metavar="N|PATTERN", help="evaluation samples, or the name of their count")
    one.add_argument("--stderr", metavar="PATTERN", help="name of the metric's standard error")
    one.add_argument("--holdout", help="what the runs were scored on")
    one.add_argument("--missing", choices=["zero"], help="take counts that a run does not name as 0")
    one.add_argument("--yes", action="store_true", help="post it; without this it is only shown")
    one.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from tranche.imports.run_import import run_import

    return run_import(options)
