"""A document of a server that is kept: fresh for a while, used beyond that only while the server cannot be reached."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from agentiam.client.errors import Unavailable
from agentiam.client.wire import Flow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    fetched_at: float


class KeptDocument(Generic[T]):
    """What was fetched last, with its times in seconds.

    It is fetched again when older than ``fresh_for``, or when what is asked for is not in it, and never more often than once
    in ``pause``. If that fails, what is there is used until it is older than ``stale_for``. Reading needs no lock; whoever
    carries out ``current`` holds one, so that many who wait cause one request.
    """

    def __init__(
        self, fetch: Callable[[], Flow[T]], *, fresh_for: float, stale_for: float, pause: float, clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._fresh_for, self._stale_for, self._pause = fresh_for, stale_for, pause
        self._clock = clock
        self._kept: _Kept[T] | None = None
        self._tried_at: float | None = None
        self._in_flight: set[object] = set()

    def fresh(self, *, holds: Callable[[T], bool] = lambda _: True) -> T | None:
        """Give the document if nothing needs to be fetched, or waited for, to answer from it."""
        kept = self._kept
        if kept is None or not holds(kept.value):
            return None
        now = self._clock()
        # While it is being fetched, or could not be a moment ago, nobody waits for what an older one answers too.
        allowed = self._fresh_for if self._may_try(now) else self._stale_for
        return kept.value if self._age(kept, now) <= allowed else None

    def current(self, *, holds: Callable[[T], bool] = lambda _: True) -> Flow[T]:
        """Give the document, fetched anew if it must be. Raises Unavailable."""
        found = self.fresh(holds=holds)
        if found is not None:
            return found
        now = self._clock()
        kept = self._kept
        usable = kept is not None and self._age(kept, now) <= self._stale_for
        # Somebody who holds another lock can be fetching; that is no failure to go by.
        if not self._may_try(now) and not self._in_flight:
            if kept is not None and usable:
                return kept.value
            raise Unavailable("the authorization server could not be read a moment ago")
        self._tried_at = now
        attempt = object()
        self._in_flight.add(attempt)
        try:
            value = yield from self._fetch()
        except Unavailable:
            if kept is not None and usable:
                return kept.value
            raise
        finally:
            self._in_flight.discard(attempt)
        self._kept = _Kept(value, now)
        return value

    def _may_try(self, now: float) -> bool:
        # A clock that was set back must not stop us from ever trying again.
        return self._tried_at is None or not 0 <= now - self._tried_at < self._pause

    def _age(self, kept: _Kept[T], now: float) -> float:
        return max(0.0, now - kept.fetched_at)
