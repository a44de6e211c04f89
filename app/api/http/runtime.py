"""What routes share for the life of the process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version

from fastapi import Request

from app.api.admission import Door
from app.api.admission.computations import Computations
from app.errors import Unauthenticated
from app.services.access.keys import Caller, authenticate
from app.services.curves.fits import Fits
from app.services.enqueue import Enqueue
from app.settings import Settings
from app.store.db import Database
from app.store.upkeep.readiness import Readiness
from app.telemetry.notes import note_caller

SOFTWARE_VERSION = version("tranche")
MAX_BODY = 10_000_000


@dataclass(frozen=True)
class Runtime:
    """What one running service has: made once by `create_app`, read by every call."""

    settings: Settings
    database: Database
    clock: Callable[[], datetime]
    hash_keys: Sequence[bytes]
    fits: Fits
    enqueue: Enqueue
    readiness: Readiness
    door: Door
    computations: Computations

    async def admit(self, request: Request, token: str | None) -> Caller:
        """The caller behind an API key, whose call is counted. Raises Unauthenticated, RateLimited."""
        if token is None:
            raise Unauthenticated("Send an API key: 'Authorization: Bearer tranche_…'.")
        return await self.door.admit(request, "API key", token, partial(self.identify, token))

    def identify(self, token: str) -> Caller:
        """The caller behind an API key. Raises Unauthenticated."""
        with self.database.reading() as session:
            caller = authenticate(session, self.clock(), self.hash_keys, token)
        note_caller(caller.key_id, caller.workspace_id)
        return caller
