"""How often: counters by the minute, in the memory of one process."""

import math
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from limits import RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from app.errors import RateLimited

MINUTE_S = 60
MOST_COUNTED = 10_000
"""Who is counted at once: whoever has been counted longest makes room for another."""


class Counters(Storage):
    """What `limits` counts, bounded, by our own clock. Its own store in memory starts a thread for what has expired and
    keeps a counter for everybody who ever came within the minute."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], datetime], most: int = MOST_COUNTED) -> None:
        super().__init__()
        self.clock, self.most = clock, most
        self.counted: dict[str, tuple[int, float]] = {}
        self.lock = Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        return KeyError

    def now(self) -> float:
        return self.clock().timestamp()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        with self.lock:
            count, end = self.counted.get(key, (0, 0.0))
            if end <= self.now():
                self.counted.pop(key, None)
                if len(self.counted) >= self.most:
                    del self.counted[next(iter(self.counted))]
                count, end = 0, self.now() + expiry
            self.counted[key] = count + amount, end
            return count + amount

    def get(self, key: str) -> int:
        count, end = self.counted.get(key, (0, 0.0))
        return count if end > self.now() else 0

    def get_expiry(self, key: str) -> float:
        return self.counted.get(key, (0, self.now()))[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        number = len(self.counted)
        self.counted.clear()
        return number

    def clear(self, key: str) -> None:
        self.counted.pop(key, None)


class Rate:
    """So many in a minute for each who is counted; 0: as many as they like.

    The minute of each begins with the first that is counted.
    """

    def __init__(self, per_minute: int, clock: Callable[[], datetime]) -> None:
        self.per_minute = per_minute
        self.counters = Counters(clock)
        self.limit = RateLimitItemPerMinute(per_minute)
        self.limiter = FixedWindowRateLimiter(self.counters)

    def count(self, who: str) -> bool:
        """One more of `who`: whether it may be."""
        return not self.per_minute or self.limiter.hit(self.limit, who)

    def left(self, who: str) -> tuple[int, int]:
        """How many more of `who` this minute, and the seconds until the next, rounded up."""
        if not self.per_minute:
            return 1, 0
        stats = self.limiter.get_window_stats(self.limit, who)
        return stats.remaining, min(MINUTE_S, max(1, math.ceil(stats.reset_time - self.counters.now())))

    def headers(self, who: str) -> list[tuple[bytes, bytes]]:
        """The fields RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers)."""
        if not self.per_minute:
            return []
        left, seconds = self.left(who)
        policy = f'"calls";q={self.per_minute};w={MINUTE_S}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", f'"calls";r={left};t={seconds}'.encode())]

    def refusal(self, who: str, detail: str) -> RateLimited:
        seconds = self.left(who)[1]
        return RateLimited(f"{detail} Come again in {seconds} s.", headers={"Retry-After": str(seconds)})
