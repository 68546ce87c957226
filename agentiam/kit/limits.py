"""So many of a kind a minute, counted in one step, in Redis for all processes together, else in this one.

What cannot be counted is refused: nobody gets more tries by bringing Redis down.
"""

import logging
import math
import threading
import time
from contextlib import nullcontext
from functools import cache
from typing import Any, Final, NamedTuple

from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

log = logging.getLogger(__name__)
RETRY_SECONDS: Final = 5
KEY_PREFIX = "agentiam:limits"

# The library reads a counter in memory after it has let go of it: of many at once, too many would be refused.
_memory = threading.Lock()


class NotCounted(Exception):
    """Nothing can be counted just now."""


class Taken(NamedTuple):
    """Whether one more was within the limit, what is left, and in how many seconds that is whole again."""

    allowed: bool
    left: int
    seconds: int


def take(a_minute: int, *names: str) -> Taken:
    """Count one of a kind; raises NotCounted."""
    item = RateLimitItemPerMinute(a_minute)
    try:
        with _memory if not settings.REDIS_URL else nullcontext():
            allowed = _limiter().hit(item, *names)
        state = _limiter().get_window_stats(item, *names)
    except StorageError as error:
        log.warning("a request cannot be counted and is refused: %s", error)
        raise NotCounted from None
    return Taken(allowed, max(0, state.remaining), max(1, math.ceil(state.reset_time - time.time())))


@cache
def _limiter() -> SlidingWindowCounterRateLimiter:
    if not settings.REDIS_URL:
        return SlidingWindowCounterRateLimiter(_stored("memory://"))
    # The library has a name of its own for a socket.
    url = settings.REDIS_URL.replace("unix://", "redis+unix://", 1)
    return SlidingWindowCounterRateLimiter(_stored(url, key_prefix=KEY_PREFIX, **settings.REDIS_PATIENCE))


def _stored(url: str, **options: Any) -> Any:
    return storage_from_string(url, wrap_exceptions=True, **options)
