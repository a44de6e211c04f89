from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.settings import Settings
from tests.api_client import Api
from tests.jobs.worker import job_context
from tests.vendors.world import World


@pytest.fixture
def make_world(settings: Settings, api: Api) -> Iterator[Callable[..., World]]:
    with job_context(settings, api.clock) as context:

        def make(**connection: Any) -> World:
            return World(api, context, connection)

        yield make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A vendor that speaks our own contract."""
    return make_world()
