"""Things that belong to one event loop: locks and connections that another loop must not touch."""

import asyncio
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One thing for each running event loop, made when it is first asked for and dropped with the loop."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, T] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def get(self) -> T:
        """Give the running loop's."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._made:
                self._made[loop] = self._make()
            return self._made[loop]

    def pop(self) -> T | None:
        """Take the running loop's away, if there is one."""
        with self._lock:
            return self._made.pop(asyncio.get_running_loop(), None)


class ThreadLocks:
    """A lock for each name, which lives as long as somebody holds or awaits it."""

    def __init__(self) -> None:
        self._locks: weakref.WeakValueDictionary[Hashable, threading.Lock] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def of(self, name: Hashable) -> threading.Lock:
        """Give the lock of a name; keep the reference while it is needed."""
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())


class TaskLocks:
    """The same for the tasks of one event loop."""

    def __init__(self) -> None:
        self._locks: weakref.WeakValueDictionary[Hashable, asyncio.Lock] = weakref.WeakValueDictionary()

    def of(self, name: Hashable) -> asyncio.Lock:
        """Give the lock of a name; keep the reference while it is needed."""
        return self._locks.setdefault(name, asyncio.Lock())
