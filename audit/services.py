"""Changes enter the log in the transaction that makes them; checkpoints swear how far the log went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict
from agentiam.kit.ids import uuid7
from audit import events, keys, store
from audit.chain import GENESIS, SwornHead, checkpoint_bytes, digest
from audit.encoding import Draft, Row, append
from audit.events import EventType
from audit.models import Chain, Checkpoint, Event, SigningKey

CHANGES: Final = "changes"
_SIGNING_ATTEMPTS: Final = 10


class OutsideTransaction(RuntimeError):
    """A change was to be recorded outside the transaction that makes it."""


class CheckpointContended(Conflict):
    """Other processes kept taking the checkpoint's number."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an event is about, by id and label."""

    type: str
    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One event that a service reports; ``at`` is now unless the caller knows better."""

    event_type: EventType
    organization_id: UUID
    by: Actor
    target: Target | None = None
    reason: str = ""
    data: Mapping[str, Any] | None = None
    at: datetime | None = None


def _draft(change: Change, now: datetime) -> Draft:
    by, target = change.by, change.target
    return Draft(
        organization_id=change.organization_id,
        id=uuid7(),
        type=events.event_type(change.event_type.name).name,
        at=change.at or now,
        actor={"kind": by.kind, "id": by.id, "label": by.label, "address": by.address},
        target=None if target is None else {"type": target.type, "id": target.id, "label": target.label},
        reason=change.reason,
        request_id=by.request_id,
        data=dict(change.data or {}),
    )


def _event(draft: Draft, row: Row, chain_id: UUID) -> Event:
    event = Event(
        id=draft.id,
        organization_id=draft.organization_id,
        chain_id=chain_id,
        sequence=row[3],
        type=row[4],
        at=draft.at,
        actor_kind=row[6],
        actor_id=row[7],
        actor_label=row[8],
        target_type=row[9],
        target_id=row[10],
        target_label=row[11],
        effect=row[12],
        request_id=row[13],
        reason=row[14],
        body=row[15],
        hash=row[16],
    )
    event._state.adding = False  # noqa: SLF001 (Django's own way to say that a row exists)
    event._state.db = connection.alias  # noqa: SLF001
    return event


def record(
    event_type: EventType,
    *,
    organization_id: UUID,
    by: Actor,
    target: Target | None = None,
    reason: str = "",
    data: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> Event:
    """Record one change in the transaction that makes it; see record_all."""
    change = Change(
        event_type=event_type, organization_id=organization_id, by=by, target=target, reason=reason, data=data, at=at
    )
    return record_all([change])[0]


def record_all(changes: Sequence[Change]) -> list[Event]:
    """Record changes, in order, in the transaction that makes them: three queries an organization and one for the rows.

    Each organization's chain stays locked until the transaction ends, so changes of one organization commit one after another:
    record last. Raises OutsideTransaction, UnknownEventType, and Unencodable for data that is not JSON; then nothing is
    written.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction("a change is recorded in the transaction that makes it")
    now = datetime.now(UTC)
    drafts = [_draft(change, now) for change in changes]
    # Always in the same order, so that two transactions that touch the same organizations do not wait for each other.
    organizations = sorted({draft.organization_id for draft in drafts})
    heads = {organization: store.locked_head(organization, CHANGES, now=now) for organization in organizations}
    former = {organization: head.sequence for organization, head in heads.items()}
    rows = [append(heads[draft.organization_id], draft) for draft in drafts]
    if rows:
        store.insert_rows(rows)
        store.move_heads((head, former[organization]) for organization, head in heads.items())
    return [_event(draft, row, heads[draft.organization_id].chain_id) for draft, row in zip(drafts, rows, strict=True)]


def organizations_to_swear() -> list[UUID]:
    """List the organizations with records that no checkpoint covers yet."""
    moved = Chain.objects.filter(last_sequence__gt=F("sworn_sequence"))
    return list(moved.order_by("organization_id").values_list("organization_id", flat=True).distinct())


def sign_checkpoint(organization_id: UUID, *, complete: bool = False, at: datetime | None = None) -> Checkpoint:
    """Sign how far an organization's chains go: those that moved since the last checkpoint, or every one if ``complete``.

    Returns the last checkpoint when nothing moved. Processes may sign at once: one gets the number, the others look again.
    Raises CheckpointContended when that keeps happening, BadKey when there is no key.
    """
    for _ in range(_SIGNING_ATTEMPTS):
        try:
            with transaction.atomic():
                return _sign(organization_id, complete=complete, at=at or datetime.now(UTC))
        except IntegrityError:
            if not Checkpoint.objects.for_organization(organization_id).exists():
                raise
    raise CheckpointContended("other processes kept signing at the same time")


def _sign(organization_id: UUID, *, complete: bool, at: datetime) -> Checkpoint:
    latest = Checkpoint.objects.for_organization(organization_id).order_by("-number").first()
    chains = Chain.objects.for_organization(organization_id).filter(last_sequence__gt=0)
    if not complete:
        chains = chains.filter(last_sequence__gt=F("sworn_sequence"))
    # One statement, hence one snapshot of all heads.
    heads = [SwornHead(str(c.id), c.writer, c.last_sequence, c.last_hash) for c in chains]
    if latest is not None and not heads and not complete:
        return latest
    signer = keys.signer()
    SigningKey.objects.get_or_create(key_id=signer.public.id, defaults={"jwk": signer.public.jwk, "first_used_at": at})
    number = latest.number + 1 if latest is not None else 1
    previous = latest.hash if latest is not None else GENESIS
    stored = checkpoint_bytes(
        organization=str(organization_id),
        number=number,
        at=at,
        previous=previous,
        heads=heads,
        complete=complete,
        key_id=signer.public.id,
    )
    checkpoint = Checkpoint.objects.create(
        organization_id=organization_id,
        number=number,
        at=at,
        previous=previous,
        body=stored.decode("utf-8"),
        hash=digest(stored),
        key_id=signer.public.id,
        signature=signer.sign(stored),
    )
    _note_sworn(organization_id, heads)
    return checkpoint


def _note_sworn(organization_id: UUID, heads: Sequence[SwornHead]) -> None:
    """Remember how far the checkpoints go.

    A chain that a transaction holds is passed over and sworn again next time: never wait for it.
    """
    behind = Chain.objects.for_organization(organization_id).filter(last_sequence__gt=F("sworn_sequence"))
    free = {str(chain_id) for chain_id in behind.select_for_update(skip_locked=True).values_list("id", flat=True)}
    for head in heads:
        if head.chain in free:
            Chain.objects.filter(id=head.chain, sworn_sequence__lt=head.sequence).update(sworn_sequence=head.sequence)
