"""The export that proves itself: JSON lines with the very bytes that were hashed and signed.

``python -m audit.offline`` verifies it. The first line is a header with the public keys. Then come the records, chain by
chain, the heads of the chains, and the checkpoints; the last was signed for this export and covers exactly those heads.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO
from uuid import UUID

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.canonical import canonical_bytes
from audit import events, selectors, services
from audit.chain import instant, parse_canonical
from audit.models import Checkpoint
from audit.offline import FORMAT


def export_events(
    *, organization_id: UUID, stream: BinaryIO, by: Actor, reason: str = "", at: datetime | None = None
) -> Checkpoint:
    """Record that an organization's log is exported, write all of it to a binary stream, and return the checkpoint over it.

    Memory stays constant, and what is recorded meanwhile is left out.
    """
    now = at or datetime.now(UTC)
    with transaction.atomic():
        services.record(events.LOG_EXPORTED, organization_id=organization_id, by=by, reason=reason, at=now)
    checkpoint = services.sign_checkpoint(organization_id, complete=True, at=now)
    stream.writelines(line + b"\n" for line in _lines(organization_id, checkpoint, now))
    return checkpoint


def _lines(organization_id: UUID, covering: Checkpoint, now: datetime) -> Iterator[bytes]:
    jwks = [{**key.jwk, "kid": key_id} for key_id, key in sorted(selectors.public_keys().items())]
    header = {"format": FORMAT, "organization": str(organization_id), "exported_at": instant(now), "keys": jwks}
    yield canonical_bytes(header)
    heads: list[dict[str, Any]] = parse_canonical(covering.body.encode("utf-8"))["chains"]
    for head in heads:
        for record in selectors.records_of_chain(UUID(head["id"]), to_sequence=head["sequence"]):
            yield b'{"hash":%b,"record":%b}' % (_text(record.hash), record.stored)
    for head in heads:
        yield canonical_bytes({"head": {name: head[name] for name in ("id", "sequence", "hash")}})
    for checkpoint in selectors.checkpoints_of(organization_id, to_number=covering.number):
        yield b'{"hash":%b,"key_id":%b,"signature":%b,"checkpoint":%b}' % (
            _text(checkpoint.hash),
            _text(checkpoint.key_id),
            _text(checkpoint.signature),
            checkpoint.body.encode("utf-8", "surrogatepass"),
        )


def _text(value: str) -> bytes:
    return json.dumps(value).encode("ascii")
