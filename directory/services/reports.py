"""How a service ends: what happened enters the event log, and the organization's policy gets its next revision."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

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


@dataclass(slots=True)
class _Gathered:
    """What services have done so far of a change that is one to the outside."""

    changes: list[Change] = field(default_factory=list)
    touched: dict[UUID, set[str]] = field(default_factory=dict)
    revisions: dict[UUID, int] = field(default_factory=dict)

    def add(self, changes: Sequence[Change], touched: Iterable[str]) -> int:
        """Note what one service did, and answer the revision that all of it together will make."""
        organization_id = changes[0].organization_id
        if organization_id not in self.revisions:
            rows = Organization.objects.filter(pk=organization_id)
            self.revisions[organization_id] = rows.values_list("revision", flat=True).get() + 1
        self.changes += changes
        self.touched.setdefault(organization_id, set()).update(touched)
        return self.revisions[organization_id]

    @contextmanager
    def unless_it_breaks_off(self) -> Iterator[None]:
        """Forget what the services within did when it is taken back."""
        kept = list(self.changes), {pk: set(refs) for pk, refs in self.touched.items()}, dict(self.revisions)
        try:
            yield
        except BaseException:
            self.changes, self.touched, self.revisions = kept
            raise


_gathered: Final[ContextVar[_Gathered | None]] = ContextVar("gathered", default=None)


@contextmanager
def together() -> Iterator[None]:
    """Make what the services within do one change: each with its own event, in order, and all with one revision.

    It is a transaction of its own or part of one; when it breaks off, nothing has happened. Within another one it is part of
    that one's change.
    """
    outer = _gathered.get()
    if outer is not None:
        with transaction.atomic(), outer.unless_it_breaks_off():
            yield
        return
    with transaction.atomic():
        gathered = _Gathered()
        token = _gathered.set(gathered)
        try:
            yield
        finally:
            _gathered.reset(token)
        if gathered.changes:
            record_all(gathered.changes)
        for organization_id, touched in gathered.touched.items():
            advance_revision(organization_id=organization_id, touched=touched)


def conclude(changes: Sequence[Change], *, touched: Iterable[str]) -> int:
    """Record what happened in one organization, and answer the policy revision that it made."""
    gathered = _gathered.get()
    if gathered is not None:
        return gathered.add(changes, touched)
    record_all(changes)
    return advance_revision(organization_id=changes[0].organization_id, touched=touched)
