"""What a process counts, in numbers that the other processes of the machine can read: never a name of a person or an agent.

Counting costs an addition under a lock, less than half a microsecond. The numbers stand in memory that is a file where
``keep_in`` was called, so that any process can answer for all of them, without asking anybody and with nothing to flush. The
file of a process that has ended is removed by whoever reads next.
"""

import json
import mmap
import os
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

try:
    import fcntl
except ImportError:  # not everywhere; each process then answers for itself
    fcntl = None  # type: ignore[assignment]

Kind = Literal["counter", "gauge", "histogram"]

_MOST: Final = 4_096
_NUMBER: Final = 8


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers: how it is called, what tells it from others of that name, and its values.

    A histogram's values are the counts of its buckets, one for what is above them all, and the sum.
    """

    kind: Kind
    name: str
    labels: Mapping[str, str]
    bounds: tuple[float, ...]
    values: tuple[float, ...]
    process: int


class Measures:
    """The numbers of one process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Start at nothing; also in the child of a fork, which must not count into its parent's file."""
        held = getattr(self, "_held", None)
        if held is not None:
            held.close()
        self.lock = threading.Lock()
        self.numbers: Any = array("d", bytes(_MOST * _NUMBER))
        self._places: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        self._described: list[str] = []
        self._next = 0
        self._names: Any = None
        self._held: Any = None

    def counter(self, name: str, **labels: str) -> "Counter":
        """Give the number that only grows."""
        return Counter(self, ("counter", name, labels, ()))

    def gauge(self, name: str, **labels: str) -> "Gauge":
        """Give the number that is set."""
        return Gauge(self, ("gauge", name, labels, ()))

    def histogram(self, name: str, bounds: Sequence[float], **labels: str) -> "Histogram":
        """Give the numbers that say how many values were at most how large."""
        return Histogram(self, ("histogram", name, labels, tuple(bounds)))

    def place(self, kind: Kind, name: str, labels: Mapping[str, str], bounds: tuple[float, ...]) -> int:
        """Find or make room for a series; -1 when there is none left, and then it is not counted. The lock is held."""
        key = name, tuple(sorted(labels.items()))
        at = self._places.get(key)
        if at is not None:
            return at
        size = len(bounds) + 2 if kind == "histogram" else 1
        if self._next + size > _MOST:
            return -1
        at, self._next = self._next, self._next + size
        self._places[key] = at
        line = json.dumps([at, kind, name, dict(labels), list(bounds)])
        self._described.append(line)
        if self._names is not None:
            self._names.write(line + "\n")
            self._names.flush()
        return at

    def keep_in(self, directory: Path) -> None:
        """Keep the numbers in a file from now on, where ``everybody`` of the other processes reads them."""
        if fcntl is None:
            return
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.lock:
            if self._held is not None:
                return
            described = _new(directory / f"{os.getpid()}.names")
            described.write("".join(f"{line}\n" for line in self._described).encode())
            described.close()
            begun = directory / f"{os.getpid()}.begun"
            held = _new(begun)
            # Held as long as the process lives: that is how others know that it does, from the moment they can see it.
            fcntl.flock(held, fcntl.LOCK_EX)
            held.truncate(_MOST * _NUMBER)
            shared = memoryview(mmap.mmap(held.fileno(), _MOST * _NUMBER)).cast("d")
            shared[:] = memoryview(self.numbers)
            begun.replace(directory / f"{os.getpid()}.numbers")
            self._names = (directory / f"{os.getpid()}.names").open("a", encoding="utf-8")
            self.numbers, self._held = shared, held

    def own(self) -> list[Series]:
        """Read this process's series."""
        with self.lock:
            return list(_series(self._described, list(self.numbers[: self._next]), os.getpid()))


def _new(path: Path) -> Any:
    """Make a file that only its owner reads; one of the same name is of a process that has ended."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+b")


def _series(described: Sequence[str], numbers: Sequence[float], process: int) -> Iterator[Series]:
    for line in described:
        at, kind, name, labels, bounds = json.loads(line)
        size = len(bounds) + 2 if kind == "histogram" else 1
        yield Series(kind, name, labels, tuple(bounds), tuple(numbers[at : at + size]), process)


class _Measure:
    """A series by the place where its numbers stand, found when it is first used."""

    __slots__ = ("_at", "_described", "_numbers", "_owner")

    def __init__(self, owner: Measures, described: tuple[Kind, str, Mapping[str, str], tuple[float, ...]]) -> None:
        self._owner = owner
        self._described = described
        self._numbers: Any = None
        self._at = -1

    def _find(self) -> None:
        """Look the place up; the lock is held. The memory moves when it becomes a file, and after a fork."""
        self._at = self._owner.place(*self._described)
        self._numbers = self._owner.numbers


class Counter(_Measure):
    """A number that only grows."""

    __slots__ = ()

    def add(self, amount: float = 1) -> None:
        """Count."""
        owner = self._owner
        with owner.lock:
            numbers = owner.numbers
            if numbers is not self._numbers:
                self._find()
            at = self._at
            if at >= 0:
                numbers[at] += amount


class Gauge(_Measure):
    """A number that is as it was last set."""

    __slots__ = ()

    def set(self, value: float) -> None:
        """Set."""
        owner = self._owner
        with owner.lock:
            if owner.numbers is not self._numbers:
                self._find()
            if self._at >= 0:
                self._numbers[self._at] = value


class Histogram(_Measure):
    """How many values were at most how large, and their sum."""

    __slots__ = ()

    def observe(self, value: float) -> None:
        """Note a value."""
        owner, bounds = self._owner, self._described[3]
        bucket = bisect_left(bounds, value)
        with owner.lock:
            numbers = owner.numbers
            if numbers is not self._numbers:
                self._find()
            at = self._at
            if at >= 0:
                numbers[at + bucket] += 1
                numbers[at + len(bounds) + 1] += value


def everybody(directory: Path, measures: Measures) -> list[Series]:
    """Read the series of this process, and of every living one that keeps its numbers in a directory."""
    found = measures.own()
    if fcntl is None or not directory.is_dir():
        return found
    for path in sorted(directory.glob("*.numbers")):
        if path.stem != str(os.getpid()):
            found += _of_another(path)
    return found


def _of_another(path: Path) -> list[Series]:
    names = path.with_suffix(".names")
    try:
        with path.open("rb") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                numbers = array("d", held.read(_MOST * _NUMBER))
                described = names.read_text(encoding="utf-8").splitlines()
                return list(_series(described, numbers, int(path.stem)))
            # Nobody holds it: its process has ended, and its numbers with it.
            names.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    except (OSError, ValueError):
        # It begins or ends at this moment; the next reading finds it whole, or not at all.
        return []
    return []


measures: Final = Measures()
