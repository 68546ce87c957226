"""Events are read page by page along their ids, so that an export of any length needs the memory of one page.

Ids are made before their records commit, by several processes: the youngest may still appear behind each other. An export
therefore ends a little before now, and whoever goes on after its last id misses nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from audit import encoding
from audit.chain import NotCanonical, instant
from audit.export.filters import Filters
from audit.models import Event

SETTLING: Final = timedelta(seconds=15)
"""Longer than a record may take from its id to its commit: the writer gives up after ten seconds."""

_PAGE: Final = 500
_COLUMNS: Final = ("id", "chain_id", "sequence", "hash", "body", "type", "at", "actor_kind", "actor_id", "actor_label")
_MORE: Final = ("target_type", "target_id", "target_label", "effect", "request_id", "reason")


@dataclass(frozen=True, slots=True)
class Previous:
    """The record that another one follows in its chain."""

    id: str
    record: dict[str, Any]


@dataclass(slots=True)
class ExportedEvent:
    """One event as it leaves the house: its record, the bytes of it that were hashed, and where it stands."""

    id: UUID
    chain_id: UUID
    sequence: int
    hash: str
    stored: str
    record: dict[str, Any]
    readable: bool
    """Whether the stored bytes are a record; if not, the record was put together from the columns."""
    previous: Previous | None = None


def last_settled_id(now: datetime) -> UUID:
    """The first id (UUIDv7, RFC 9562) that is too young to be exported."""
    return UUID(int=int((now - SETTLING).timestamp() * 1000) << 80)


def pages(
    organization_id: UUID, filters: Filters, *, after: UUID | None, settled: UUID, linked: bool
) -> Iterator[list[ExportedEvent]]:
    """Read an organization's events in pages, each one query; with ``linked`` one more for the records before them."""
    rows = filters.keep(Event.objects.for_organization(organization_id)).filter(id__lt=settled)
    while True:
        ordered = rows.newest_first(before=after) if filters.newest_first else rows.oldest_first(after=after)
        page = [_exported(row) for row in ordered.values_list(*_COLUMNS, *_MORE)[:_PAGE]]
        if page:
            if linked:
                _link(page)
            yield page
            after = page[-1].id
        if len(page) < _PAGE:
            return


def _exported(row: tuple[Any, ...]) -> ExportedEvent:
    event_id, chain_id, sequence, record_hash, body = row[:5]
    try:
        record = encoding.parse(body.encode("utf-8", "surrogatepass"))
    except NotCanonical:
        # Somebody has changed it. That it is there and cannot be read must not keep the rest from leaving.
        return ExportedEvent(event_id, chain_id, sequence, record_hash, body, _from_columns(row), readable=False)
    return ExportedEvent(event_id, chain_id, sequence, record_hash, body, record, readable=True)


def _from_columns(row: tuple[Any, ...]) -> dict[str, Any]:
    event_id, chain_id, sequence, _hash, body, event_type, at, *texts = row
    actor_kind, actor_id, actor_label, target_type, target_id, target_label, effect, request_id, reason = texts
    return {
        "id": str(event_id),
        "chain": str(chain_id),
        "sequence": sequence,
        "previous": "",
        "type": event_type,
        "at": instant(at),
        "actor": {"kind": actor_kind, "id": actor_id, "label": actor_label, "address": ""},
        "target": {"type": target_type, "id": target_id, "label": target_label} if target_type else None,
        "effect": effect,
        "request_id": request_id,
        "reason": reason,
        "data": {"unreadable": body},
    }


def _link(page: Sequence[ExportedEvent]) -> None:
    """Find the record before each; one query for those that are not on the page themselves."""
    places = {(event.chain_id, event.sequence): Previous(str(event.id), event.record) for event in page}
    wanted: dict[UUID, list[int]] = defaultdict(list)
    for event in page:
        if event.sequence > 1 and (event.chain_id, event.sequence - 1) not in places:
            wanted[event.chain_id].append(event.sequence - 1)
    if wanted:
        chosen = Q()
        for chain_id, sequences in wanted.items():
            chosen |= Q(chain_id=chain_id, sequence__in=sequences)
        for row in Event.objects.filter(chosen).values_list(*_COLUMNS, *_MORE):
            former = _exported(row)
            places[former.chain_id, former.sequence] = Previous(str(former.id), former.record)
    for event in page:
        event.previous = places.get((event.chain_id, event.sequence - 1))
