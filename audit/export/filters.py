"""What an export leaves out: everything that its filters do not name; a filter that names nothing known is an error."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentiam.kit.errors import Invalid
from audit import events
from audit.chain import instant
from audit.models import Effect, Event
from audit.querysets import EventQuerySet


class BadFilter(Invalid):
    """A filter asks for what cannot be; with it the export would be empty in silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which events of an organization an export holds, and in which direction they are read.

    ``since`` is included, ``until`` is not; both have a time zone. ``actor`` and ``target`` are ids as the log has them. Empty
    means all.
    """

    since: datetime | None = None
    until: datetime | None = None
    types: tuple[str, ...] = ()
    actor: str = ""
    target: str = ""
    effects: tuple[str, ...] = ()
    newest_first: bool = False

    def check(self) -> None:
        """Raise BadFilter for an unknown type or effect, an instant without a zone, and a time that ends before it begins."""
        known = {event_type.name for event_type in events.event_types()}
        if unknown := [name for name in self.types if name not in known]:
            raise BadFilter(f"There is no event type {unknown[0]!r}.")
        if unknown := [name for name in self.effects if name not in Effect.values or not name]:
            raise BadFilter(f"There is no effect {unknown[0]!r}: it is one of allow, deny, escalate.")
        if any(moment is not None and moment.tzinfo is None for moment in (self.since, self.until)):
            raise BadFilter("An instant needs a time zone.")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise BadFilter("The time ends before it begins.")
        if "\0" in self.actor + self.target:
            raise BadFilter("An id cannot hold the character U+0000.")

    def keep(self, rows: "EventQuerySet[Event]") -> "EventQuerySet[Event]":
        """Keep of some events those that are asked for."""
        if self.since is not None:
            rows = rows.filter(at__gte=self.since)
        if self.until is not None:
            rows = rows.filter(at__lt=self.until)
        if self.types:
            rows = rows.filter(type__in=self.types)
        if self.actor:
            rows = rows.filter(actor_id=self.actor)
        if self.target:
            rows = rows.filter(target_id=self.target)
        return rows.filter(effect__in=self.effects) if self.effects else rows

    def as_json(self) -> dict[str, Any]:
        """Say it in the event that records the export; what is not set is left out."""
        said: dict[str, Any] = {
            "since": None if self.since is None else instant(self.since),
            "until": None if self.until is None else instant(self.until),
            "types": list(self.types),
            "actor": self.actor,
            "target": self.target,
            "effects": list(self.effects),
            "newest_first": self.newest_first,
        }
        return {name: value for name, value in said.items() if value}
