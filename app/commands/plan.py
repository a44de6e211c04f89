"""A plan from files."""

import argparse
import sys
from pathlib import Path

from pydantic import TypeAdapter
from tranche import Allocation

from app.api.http.runtime import MAX_BODY
from app.api.planning.allocations import AllocationOut
from app.local.examples import write_example
from app.local.plan import File, InputFaults, Inputs, Planned, plan_of
from app.local.texts import as_markdown, as_table, says_no

ANSWER: TypeAdapter[AllocationOut] = TypeAdapter(AllocationOut)
DO_NOT_BUY = 3


def run_plan(options: argparse.Namespace) -> int:
    try:
        if options.example is not None:
            return run_example(options)
        planned = plan_of(inputs_of(options))
    except InputFaults as faults:
        print(*(f"tranche: {line}" for line in faults.lines), sep="\n", file=sys.stderr)
        return 2
    plan = Allocation.of(planned.answer.model_dump(mode="json"))
    print(shown(planned, plan, options.format))
    return DO_NOT_BUY if says_no(plan) else 0


def run_example(options: argparse.Namespace) -> int:
    """Raises InputFaults."""
    if options.project or options.runs or options.groups:
        raise InputFaults(["--example takes a folder alone; leave the other files out"])
    try:
        print(write_example(Path(options.example)))
    except OSError as error:
        raise InputFaults([f"{options.example}: {error.strerror}"]) from None
    return 0


def inputs_of(options: argparse.Namespace) -> Inputs:
    """Raises InputFaults."""
    if options.project is None:
        raise InputFaults(["name a project's file, such as project.yaml; tranche plan --example writes one"])
    return Inputs(
        project=read_file(options.project),
        runs=None if options.runs is None else read_file(options.runs),
        groups=None if options.groups is None else read_file(options.groups),
        budget=options.budget,
        policy=options.policy,
        missing_is_zero=options.missing == "zero",
    )


def read_file(name: str) -> File:
    """Raises InputFaults where it cannot be read or is larger than a request to the API may be."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(MAX_BODY + 1)
    except (OSError, ValueError) as error:
        raise InputFaults([f"{name}: {getattr(error, 'strerror', None) or error}"]) from None
    if len(content) > MAX_BODY:
        raise InputFaults([f"{name}: is over {MAX_BODY // 1_000_000} MB, the most that is read"])
    return File(name, content)


def shown(planned: Planned, plan: Allocation, layout: str) -> str:
    """Without a line end."""
    if layout == "json":
        return ANSWER.dump_json(planned.answer).decode()
    make = as_markdown if layout == "md" else as_table
    return make(plan, planned.metric, planned.answer.currency)
