"""For how long a person lets an agent act: the shortest that fits comes first, and nothing is without an end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from directory.models import Organization, Run

LONGEST: Final = timedelta(days=90)
SHORTEST: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Period:
    """One answer to "until when"."""

    name: str
    words: str
    ends_at: datetime


def periods(organization: Organization, run: Run | None, *, now: datetime) -> Iterator[Period]:
    """List what there is to choose from, the first the shortest; a day is one of the organization's time zone."""
    if run is not None:
        yield Period("task", "This task", min(filter(None, (run.expires_at, now + timedelta(days=1)))))
    local = now.astimezone(ZoneInfo(organization.time_zone))
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    if midnight - local >= SHORTEST:
        yield Period("today", "Today", midnight)
    else:
        yield Period("hour", "One hour", now + SHORTEST)
    yield Period("week", "7 days", now + timedelta(days=7))
    yield Period("month", "30 days", now + timedelta(days=30))
    yield Period("stopped", "Until I stop it, at most 90 days", now + LONGEST)
