"""Where bench_inbox.py and bench_receivers.py look for what serving.py has."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from serving import ACCURACY, databases, serving

__all__ = ["ACCURACY", "databases", "service"]


@contextmanager
def service(url: str, _: dict[str, float]) -> Iterator[httpx.Client]:
    with serving(url) as one:
        yield one.client
