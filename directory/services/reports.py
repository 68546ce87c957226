"""How a service ends: what happened enters the event log, and the organization's policy gets its next revision."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from agentiam.kit.actors import Actor
from audit.events import EventType
from audit.services import Change, record_all
from directory.models import Organization
from directory.services.revisions import advance_revision
from directory.services.targets import Thing, target_of


def report(
    event_type: EventType, thing: Thing, *, by: Actor, reason: str, now: datetime, data: Mapping[str, Any] | None = None
) -> Change:
    """Say what happened to a row of the directory, in its organization's log."""
    organization_id = thing.pk if isinstance(thing, Organization) else thing.organization_id
    return Change(
        event_type=event_type,
        organization_id=organization_id,
        by=by,
        target=target_of(thing),
        reason=reason,
        data=data,
        at=now,
    )


def conclude(changes: Sequence[Change], *, touched: Iterable[str]) -> int:
    """Record what happened in one organization, and answer the policy revision that it made."""
    record_all(changes)
    return advance_revision(organization_id=changes[0].organization_id, touched=touched)
