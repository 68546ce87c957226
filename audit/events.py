"""What can happen: every event type is registered once, under a name that says what was done to which noun."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\.[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class Severity(IntEnum):
    """How much an event matters; the numbers are OCSF's ``severity_id``."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


class BadEventName(ValueError):
    """The name is not of the form ``noun.past_participle``."""


class DuplicateEventType(ValueError):
    """The name is registered already, for something else."""


class UnknownEventType(LookupError):
    """Nobody registered an event type of this name."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: its name (``credential.revoked``), a label for people, and how much it matters."""

    name: str
    label: str
    severity: Severity = Severity.INFORMATIONAL

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadEventName(f"{self.name!r} is not of the form noun.past_participle")


_registered: Final[dict[str, EventType]] = {}


def register(*types: EventType) -> None:
    """Make event types known; called once by each app when it is ready.

    Registering an equal type again changes nothing. Raises DuplicateEventType for another type of a known name, and then
    registers none of them.
    """
    for event_type in types:
        known = _registered.get(event_type.name, event_type)
        if known != event_type or sum(other.name == event_type.name for other in types) > 1:
            raise DuplicateEventType(f"the event type {event_type.name!r} is registered twice")
    _registered.update((event_type.name, event_type) for event_type in types)


def event_type(name: str) -> EventType:
    """Look an event type up by name; raises UnknownEventType."""
    try:
        return _registered[name]
    except KeyError:
        raise UnknownEventType(f"no event type is registered as {name!r}") from None


def event_types() -> tuple[EventType, ...]:
    """List every registered event type, by name."""
    return tuple(_registered[name] for name in sorted(_registered))


LOG_EXPORTED: Final = EventType("log.exported", "The event log was exported", Severity.LOW)
LOG_EXPORT_COMPLETED: Final = EventType("log.export_completed", "An export of the event log was given out to its end")
LOG_VERIFIED: Final = EventType("log.verified", "The event log was verified, and is whole")
LOG_FOUND_BROKEN: Final = EventType("log.found_broken", "The event log was found broken", Severity.CRITICAL)
JOB_REQUEUED: Final = EventType("job.requeued", "A job was begun anew", Severity.LOW)
JOB_CANCELLED: Final = EventType("job.cancelled", "A job was called off", Severity.LOW)
