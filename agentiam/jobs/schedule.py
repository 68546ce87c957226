"""What happens by the clock is declared beside its tasks, and each instant of it becomes one job, however many processes look.

An app says so in its module ``jobs``::

    SCHEDULE = (Every("directory.end_expired", minutes=1), At("audit.verify", hour=3))

Instants are in UTC. An instant is a row with the key ``schedule:<name>:<instant>``, which can be there once. Instants that were
missed while nothing ran become one job, for the latest of them; and while a job of an entry waits or runs, the next instant
waits for its end.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from django.apps import apps
from django.db import transaction
from django.utils.module_loading import autodiscover_modules

from agentiam.jobs.models import Job
from agentiam.jobs.queue import enqueue

_PREFIX: Final = "schedule"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BadSchedule(ValueError):
    """An entry of a schedule cannot be kept; the text says why."""


class Entry(Protocol):
    """One line of a schedule."""

    @property
    def task(self) -> str:
        """Answer the name of the Celery task."""

    @property
    def name(self) -> str:
        """Answer what tells this entry from all others; the task's name unless said otherwise."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Answer the task's keyword arguments."""

    def latest(self, now: datetime) -> datetime:
        """Answer the last instant that is not after ``now``."""


@dataclass(frozen=True, slots=True)
class Every:
    """A task that is due each so many seconds, minutes or hours, counted from 1970: the same instants in every process."""

    task: str
    seconds: int = 0
    minutes: int = 0
    hours: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        if self.interval < timedelta(seconds=1):
            raise BadSchedule(f"{self.task} is due every nothing.")
        object.__setattr__(self, "name", self.name or self.task)

    @property
    def interval(self) -> timedelta:
        """Answer the time between two instants."""
        return timedelta(seconds=self.seconds, minutes=self.minutes, hours=self.hours)

    def latest(self, now: datetime) -> datetime:
        """Answer the last instant that is not after ``now``."""
        return now - (now - _EPOCH) % self.interval


@dataclass(frozen=True, slots=True)
class At:
    """A task that is due each day at a time of day in UTC, or on one day of the week (0 is Monday)."""

    task: str
    hour: int
    minute: int = 0
    weekday: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        if not (0 <= self.hour < 24 and 0 <= self.minute < 60 and self.weekday in (None, *range(7))):
            raise BadSchedule(f"{self.task} is due at a time that does not exist.")
        object.__setattr__(self, "name", self.name or self.task)

    def latest(self, now: datetime) -> datetime:
        """Answer the last instant that is not after ``now``."""
        instant = now.astimezone(UTC).replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        if instant > now:
            instant -= timedelta(days=1)
        if self.weekday is not None:
            instant -= timedelta(days=(instant.weekday() - self.weekday) % 7)
        return instant


def declared() -> tuple[Entry, ...]:
    """List the entries of all apps; raises BadSchedule when two have the same name."""
    autodiscover_modules("jobs")
    entries: list[Entry] = []
    for config in apps.get_app_configs():
        entries += getattr(sys.modules.get(f"{config.name}.jobs"), "SCHEDULE", ())
    names = [entry.name for entry in entries]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise BadSchedule(f"Declared twice, so that one would hide the other; give one a name: {', '.join(sorted(twice))}.")
    return tuple(entries)


class Planter:
    """Turns instants into jobs; what it found planted it remembers, so that it asks the database once for each instant."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = tuple(entries)
        self._planted: dict[str, datetime] = {}

    def plant(self, *, now: datetime) -> list[Job]:
        """Add the jobs of the instants that have come, each once under any number of processes; answer those added here.

        An entry whose earlier job is not over yet is looked at again next time. No query while no instant has come.
        """
        instants = {entry.name: entry.latest(now) for entry in self._entries}
        come = [entry for entry in self._entries if self._planted.get(entry.name) != instants[entry.name]]
        if not come:
            return []
        keys = {entry.name: f"{_PREFIX}:{entry.name}:{instants[entry.name]:%Y-%m-%dT%H:%M:%SZ}" for entry in come}
        known = set(Job.objects.filter(key__in=keys.values()).values_list("key", flat=True))
        added: list[Job] = []
        for entry in come:
            if keys[entry.name] not in known:
                if Job.objects.of_schedule(f"{_PREFIX}:{entry.name}:").unfinished().exists():
                    continue
                added += self._add(entry, keys[entry.name], now=now)
            self._planted[entry.name] = instants[entry.name]
        return added

    def _add(self, entry: Entry, key: str, *, now: datetime) -> list[Job]:
        with transaction.atomic():
            job = enqueue(entry.task, arguments=entry.arguments, organization_id=None, now=now, key=key)
        return [] if job is None else [job]
