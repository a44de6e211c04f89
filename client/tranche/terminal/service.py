"""The service and the project that a command speaks of, and what it says when that goes wrong."""

import argparse
import os
import sys
import uuid
from collections.abc import Callable

import httpx

from tranche.client import Client
from tranche.errors import TrancheError


class Refused(Exception):
    """What was asked for cannot be done; the text says what to change."""


def with_service(options: argparse.Namespace, work: Callable[[Client, str], int]) -> int:
    """What `work` gives for a client and the project's id; 2 where it is refused, with a sentence on standard error."""
    try:
        url, key = setting(options.url, "TRANCHE_URL", "--url"), setting(options.key, "TRANCHE_API_KEY", "--key")
        with Client(url, key) as client:
            return work(client, project_id(client, options.project))
    except (Refused, TrancheError, httpx.TransportError) as error:
        print(f"tranche: {error}", file=sys.stderr)
        return 2


def setting(given: str | None, variable: str, option: str) -> str:
    """Raises Refused."""
    found = given or os.environ.get(variable)
    if not found:
        raise Refused(f"set {variable}, or give {option}")
    return found


def project_id(client: Client, asked: str) -> str:
    """Of the project with that id, external id or, where only one has it, name. Raises Refused."""
    try:
        return str(uuid.UUID(asked))
    except ValueError:
        pass
    try:
        found = client.find_project(external_id=asked) or client.find_project(name=asked)
    except LookupError as error:
        raise Refused(str(error)) from None
    if found is None:
        raise Refused(f"there is no project '{asked}'")
    return found.id
