"""Who may come in, how often, and with how much at once: what one process keeps of it."""

import hashlib
import logging
import re
import secrets
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from app.api.admission.bodies import Pace, read_body
from app.api.admission.rates import Rate
from app.api.admission.shares import Shares
from app.errors import NotFound, Unauthenticated
from app.services.access.keys import Caller
from app.settings import Settings

log = logging.getLogger("tranche")

STRANGERS = 4
"""Threads, and with them database connections, for keys that this process has not seen yet."""
MOST_KNOWN = 10_000
IPV6_NETWORK = 64
"""Bits that name one customer's network: who has one has all its addresses."""
OF_OURS = re.compile(r"tranche_([0-9a-f]{16})_")
LONGEST_ADDRESS = 50
"""What a proxy hands on as one may be anything."""
COUNTED = "rate_limit"

Found = TypeVar("Found")


class Door:
    """Keys, sessions and webhook addresses are looked up here. Those that are known stay welcome whatever else comes
    from their address: of what is new, an address may try so many wrong ones in a minute, and those after them are
    refused without a look at the database."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.calls = Rate(settings.calls_per_minute, clock)
        self.failures = Rate(settings.failures_per_minute, clock)
        self.bodies = Shares(settings.bodies_mb * 1_000_000, "bytes of bodies", come_back_s=5)
        self.streams = Shares(settings.streams, "event streams", come_back_s=30)
        rate = settings.body_rate_kb_s * 1_000
        self.pace = Pace(settings.body_timeout_s, max(1, round(rate * settings.body_timeout_s)))
        self.strangers = CapacityLimiter(STRANGERS)
        self.known: dict[bytes, str] = {}
        self.salt = secrets.token_bytes(16)

    async def admit(self, request: Request, kind: str, token: str, identify: Callable[[], Caller]) -> Caller:
        """The caller behind an API key or a session, whose call is counted. Raises as `let_in`, and RateLimited where
        the key has made too many calls this minute."""
        key_id = self.name_of(token)
        if key_id is not None:
            self.count(request, key_id)
        caller = await self.let_in(request, kind, token, identify, lambda found: found.key_id)
        if key_id is None:
            self.count(request, caller.key_id)
        return caller

    def count(self, request: Request, key_id: str) -> None:
        """Raises RateLimited."""
        may = self.calls.count(key_id)
        request.scope.setdefault("state", {})[COUNTED] = self.calls.headers(key_id)
        if not may:
            raise self.calls.refusal(key_id, f"This key made over {self.calls.per_minute:,} calls this minute.")

    async def let_in(
        self, request: Request, kind: str, token: str, look_up: Callable[[], Found], name: Callable[[Found], str]
    ) -> Found:
        """What `look_up` finds of a token, in a thread; its `name` is known from then on. Raises what `look_up` raises,
        and RateLimited where the token is unknown and its address has tried too many that are none."""
        address = request.client.host[:LONGEST_ADDRESS] if request.client else "unknown"

        def as_stranger() -> Found:
            network = network_of(address)
            if not self.failures.left(network)[0]:
                raise self.failures.refusal(network, "Too many unknown keys came from this address.")
            try:
                return look_up()
            except (Unauthenticated, NotFound):
                self.failures.count(network)
                log.warning("%s from %s is unknown, expired or revoked", described(kind, token), address)
                if not self.failures.left(network)[0]:
                    log.warning("too many unknown keys from %s: more are refused for a minute", network)
                raise

        try:
            if self.name_of(token) is None:
                found = await to_thread.run_sync(as_stranger, limiter=self.strangers)
            else:
                found = await run_in_threadpool(look_up)
        except (Unauthenticated, NotFound):
            self.forget(token)
            raise
        self.remember(token, name(found))
        return found

    def name_of(self, token: str) -> str | None:
        """What a known token is the token of; None for one that this process has not seen."""
        return self.known.get(self.digest(token))

    def remember(self, token: str, name: str) -> None:
        if len(self.known) >= MOST_KNOWN:
            del self.known[next(iter(self.known))]
        self.known[self.digest(token)] = name

    def forget(self, token: str) -> None:
        self.known.pop(self.digest(token), None)

    def digest(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode("utf-8", "surrogateescape"), digest_size=16, key=self.salt).digest()

    @asynccontextmanager
    async def body(self, request: Request, limit: int, owner: Hashable) -> AsyncIterator[bytes]:
        """The body of a call of `owner`, who is let in; its room is held until what was made of it is done with.
        Raises as `read_body`."""
        with self.bodies.room(owner) as room:
            yield await read_body(request, limit, room, self.pace)


def network_of(address: str) -> str:
    """The address, or of IPv6 the network of one customer."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return f"{IPv6Address(int(ip) >> IPV6_NETWORK << IPV6_NETWORK)}/{IPV6_NETWORK}"


def described(kind: str, token: str) -> str:
    """A token as it may be logged: by the part that is no secret."""
    ours = OF_OURS.match(token)
    return f"{kind} {ours[1]}" if ours else kind
