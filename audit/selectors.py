"""Reads the log for those who verify or export it: page by page, each record once, while others keep writing."""

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Sum

from agentiam.kit.rounds import outcome
from audit import encoding, keys
from audit.chain import PublicKey, instant
from audit.events import LOG_FOUND_BROKEN, LOG_VERIFIED
from audit.models import Chain, Checkpoint, Event, SigningKey
from audit.verification import Columns, Report, Verifier

_PAGE: Final = 2_000
_FIELDS: Final = (
    "id",
    "organization_id",
    "chain_id",
    "sequence",
    "type",
    "at",
    "actor_kind",
    "actor_id",
    "actor_label",
    "target_type",
    "target_id",
    "target_label",
    "effect",
    "request_id",
    "reason",
    "body",
    "hash",
)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as the table has it."""

    stored: bytes
    hash: str
    columns: Columns


def _stored(row: tuple[Any, ...]) -> StoredRecord:
    columns = (str(row[0]), str(row[1]), str(row[2]), row[3], row[4], instant(row[5]), *row[6:15])
    return StoredRecord(row[15].encode("utf-8", "surrogatepass"), row[16], columns)


def records_of_chain(chain_id: UUID, *, to_sequence: int) -> Iterator[StoredRecord]:
    """Stream a chain's records in order, up to a sequence; one query for each 2,000."""
    after = -(2**62)
    while True:
        page = Event.objects.filter(chain_id=chain_id, sequence__gt=after, sequence__lte=to_sequence)
        rows = list(page.order_by("sequence").values_list(*_FIELDS)[:_PAGE])
        yield from map(_stored, rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1][3]


def checkpoints_of(organization_id: UUID, *, to_number: int | None = None) -> Iterator[Checkpoint]:
    """Stream an organization's checkpoints in order; one query for each 2,000."""
    after = 0
    while True:
        page = Checkpoint.objects.for_organization(organization_id).filter(number__gt=after)
        if to_number is not None:
            page = page.filter(number__lte=to_number)
        checkpoints = list(page.order_by("number")[:_PAGE])
        yield from checkpoints
        if len(checkpoints) < _PAGE:
            return
        after = checkpoints[-1].number


def public_keys() -> dict[str, PublicKey]:
    """The public keys at hand by their own ids, whatever the table calls them; being at hand makes none trusted."""
    found = [keys.signer().public, *(PublicKey.from_jwk(jwk) for jwk in SigningKey.objects.values_list("jwk", flat=True))]
    return {key.id: key for key in found}


def organizations_in_log() -> list[UUID]:
    """List every organization that left a trace: events, chains or checkpoints. Reads the index of all events."""
    found: set[UUID] = set()
    for rows in (Chain.objects.all(), Checkpoint.objects.all(), Event.objects.all()):
        found.update(rows.order_by().values_list("organization_id", flat=True).distinct())
    return sorted(found)


def records_in_log() -> int:
    """Count the records of all organizations, as the heads of their chains say it; one query of a small table."""
    total: int | None = Chain.objects.aggregate(total=Sum("last_sequence"))["total"]
    return total or 0


def _orphans(organization_id: UUID) -> list[tuple[UUID, UUID]]:
    """Chains that events name and that have no row, or one that says another organization; and the first event of each."""
    chain = Chain.objects.filter(id=OuterRef("chain_id"), organization_id=OuterRef("organization_id"))
    orphans = Event.objects.for_organization(organization_id).filter(~Exists(chain))
    chain_ids = orphans.order_by("chain_id").values_list("chain_id", flat=True).distinct()
    return [
        (chain_id, orphans.filter(chain_id=chain_id).order_by("sequence").values_list("id", flat=True)[0])
        for chain_id in chain_ids
    ]


def verify_organization(organization_id: UUID) -> Report:
    """Verify the log of one organization, while others go on writing to it.

    Each reading comes after those that it must not be behind: what checkpoints and records say is in the heads read after them.
    Raises BadKey when there is no key to trust.
    """
    return outcome(verifying(organization_id))


def verifying(organization_id: UUID) -> Generator[int, None, Report]:
    """Verify as ``verify_organization`` does, step by step: yields after each page how many records it had."""
    organization = str(organization_id)
    verifier = Verifier(organization, keys=public_keys(), trusted=keys.trusted_key_ids(), parse=encoding.parse)
    sworn = dict(Chain.objects.for_organization(organization_id).values_list("id", "sworn_sequence"))
    for checkpoint in checkpoints_of(organization_id):
        verifier.checkpoint(
            checkpoint.body.encode("utf-8", "surrogatepass"),
            stored_hash=checkpoint.hash,
            key_id=checkpoint.key_id,
            signature=checkpoint.signature,
            columns={"number": checkpoint.number, "at": instant(checkpoint.at), "previous": checkpoint.previous},
        )
    ends = {chain_id: _last_sequence(chain_id) for chain_id in sworn}
    heads = list(Chain.objects.for_organization(organization_id).order_by("id"))
    for head in heads:
        verifier.head(
            chain=str(head.id),
            organization=str(head.organization_id),
            sequence=head.last_sequence,
            record_hash=head.last_hash,
            sworn_sequence=sworn.get(head.id, 0),
        )
    for head in heads:
        yield from _feed(verifier, head.id, to_sequence=max(head.last_sequence, ends.get(head.id, 0)))
    for chain_id, event_id in _orphans(organization_id):
        verifier.orphan(chain=str(chain_id), event=str(event_id))
    return verifier.report()


@dataclass(frozen=True, slots=True)
class Verification:
    """What the last look at a log found, and when that was; ``findings`` counts what is wrong."""

    at: datetime
    whole: bool
    records: int
    findings: int


def last_verification(organization_id: UUID) -> Verification | None:
    """Answer what the clock found when it last verified an organization's log; None when it never did. One query."""
    results = Event.objects.for_organization(organization_id).changes().of_types([LOG_VERIFIED.name, LOG_FOUND_BROKEN.name])
    event = results.newest_first().first()
    if event is None:
        return None
    seen = json.loads(event.body)["data"]
    return Verification(event.at, event.type == LOG_VERIFIED.name, seen["records"], seen.get("findings", 0))


def _last_sequence(chain_id: UUID) -> int:
    last = Event.objects.filter(chain_id=chain_id).order_by("-sequence").values_list("sequence", flat=True).first()
    return last or 0


def _feed(verifier: Verifier, chain_id: UUID, *, to_sequence: int) -> Iterator[int]:
    fed = 0
    for record in records_of_chain(chain_id, to_sequence=to_sequence):
        verifier.record(record.stored, stored_hash=record.hash, columns=record.columns)
        fed += 1
        if fed == _PAGE:
            yield fed
            fed = 0
    yield fed
