"""The commands `tranche import csv`, `mlflow` and `wandb`: look first, post with --yes."""

import argparse
from collections.abc import Callable, Sequence

from tranche.client import Client
from tranche.imports.csv_files import long_table, wide_table
from tranche.imports.logged import Found, ImportRefused, Pattern, Wanted, observations_of
from tranche.imports.mlflow_store import mlflow_runs
from tranche.imports.preview import preview
from tranche.imports.wandb_files import wandb_runs
from tranche.runs import Observation
from tranche.sheets import ReadAs, SheetFaults, decimal_mark
from tranche.terminal.service import with_service

BATCH = 1_000
FAULTS_SHOWN = 20


def run_import(options: argparse.Namespace) -> int:
    """0 where it went well, 2 where it is refused, with a sentence on standard error."""
    return with_service(options, lambda client, project: look_and_post(client, project, options))


def look_and_post(client: Client, project: str, options: argparse.Namespace) -> int:
    """Raises ImportRefused."""
    groups = [group.key for group in client.groups(project)]
    try:
        found, read_as = SOURCES[options.source](options, groups)
    except SheetFaults as error:
        said = "\n".join(["nothing is imported:", *map(str, error.faults[:FAULTS_SHOWN])])
        said += f"\n… and {len(error.faults) - FAULTS_SHOWN} more" if len(error.faults) > FAULTS_SHOWN else ""
        raise ImportRefused(said) from None
    if read_as is not None:
        print(read_as.words())
    print(preview(found, options.project))
    if not found.observations:
        raise ImportRefused("there is nothing to import")
    if not options.yes:
        print("\nNothing is posted yet; --yes posts it.")
        return 0
    post(client, project, found.observations)
    return 0


def post(client: Client, project: str, runs: Sequence[Observation]) -> None:
    """In batches, of which each is stored as a whole; what is there already is a duplicate."""
    accepted = duplicates = 0
    warnings: dict[tuple[str, str | None], str] = {}
    for start in range(0, len(runs), BATCH):
        done = client.post_observations(project, runs[start : start + BATCH])
        accepted, duplicates = accepted + done.accepted, duplicates + done.duplicates
        warnings.update({(one.code, one.group): one.detail for one in done.warnings})
    for detail in warnings.values():
        print(f"warning: {detail}")
    print(f"\n{accepted} accepted, {duplicates} duplicates.")


def from_csv(options: argparse.Namespace, groups: Sequence[str]) -> tuple[Found, ReadAs | None]:
    mark = decimal_mark(options.decimal)
    if options.value is None and options.count is None:
        return long_table(options.file, options.extra == "ignore", mark)
    return wide_table(options.file, wanted(options, groups), options.id, mark)


def from_mlflow(options: argparse.Namespace, groups: Sequence[str]) -> tuple[Found, ReadAs | None]:
    return observations_of(mlflow_runs(options.tracking_uri, options.experiment), wanted(options, groups)), None


def from_wandb(options: argparse.Namespace, groups: Sequence[str]) -> tuple[Found, ReadAs | None]:
    return observations_of(wandb_runs(options.folder), wanted(options, groups)), None


def wanted(options: argparse.Namespace, groups: Sequence[str]) -> Wanted:
    """Raises ImportRefused for options that do not go together."""
    if options.value is None or options.count is None:
        raise ImportRefused("name both --value and --count, such as --value 'accuracy/{group}' --count 'n/{group}'")
    size: str | None = options.eval_size
    return Wanted(
        value=Pattern(options.value),
        count=Pattern(options.count),
        groups=groups,
        eval_size=None if size is None else int(size) if size.isascii() and size.isdecimal() else Pattern(size),
        stderr=None if options.stderr is None else Pattern(options.stderr),
        holdout=options.holdout,
        missing_is_zero=options.missing == "zero",
    )


SOURCES: dict[str, Callable[[argparse.Namespace, Sequence[str]], tuple[Found, ReadAs | None]]] = {
    "csv": from_csv,
    "mlflow": from_mlflow,
    "wandb": from_wandb,
}
