"""Attestations: signed statements that are written in the transaction of the change they speak of, and never changed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from agentiam.kit.ids import uuid7
from audit import keys, statements
from audit.chain import PublicKey, instant
from audit.models import Attestation, SigningKey
from audit.selectors import public_keys
from audit.services import OutsideTransaction, Target
from audit.statements import Statement, Verdict

OFFBOARDING: Final = "offboarding"


def attest(*, organization_id: UUID, kind: str, target: Target, content: Mapping[str, Any], at: datetime) -> Attestation:
    """Sign a statement about one thing, with the key that signs checkpoints; ``content`` is JSON data.

    Raises OutsideTransaction, BadKey when there is no key, and TypeError for content that is not JSON.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction("a statement is signed in the transaction of the change that it speaks of")
    signer = keys.signer()
    SigningKey.objects.get_or_create(key_id=signer.public.id, defaults={"jwk": signer.public.jwk, "first_used_at": at})
    statement = Statement(
        id=str(uuid7()),
        kind=kind,
        organization=str(organization_id),
        target_type=target.type,
        target_id=target.id,
        target_label=target.label,
        at=at.astimezone(UTC),
        content=content,
    )
    stored, found, signature = statements.sign(statement, signer)
    return Attestation.objects.create(
        id=UUID(statement.id),
        organization_id=organization_id,
        kind=kind,
        target_type=target.type,
        target_id=target.id,
        target_label=target.label,
        at=statement.at,
        body=stored.decode("utf-8"),
        hash=found,
        key_id=signer.public.id,
        signature=signature,
    )


def verify_attestation(attestation: Attestation) -> Verdict:
    """Check a stored statement against the keys of the configuration, and its columns against what was signed.

    Raises BadKey when there is no key to trust.
    """
    verdict = statements.verify(
        attestation.body.encode("utf-8", "surrogatepass"),
        stored_hash=attestation.hash,
        key_id=attestation.key_id,
        signature=attestation.signature,
        keys=public_keys(),
        trusted=keys.trusted_key_ids(),
    )
    if verdict.genuine and (wrong := _contradicted(attestation, verdict.body)):
        verdict.problems.append(f"the row says something else than what was signed: {', '.join(wrong)}")
    return verdict


def verify_proof(content: bytes, *, pinned: PublicKey | None = None) -> Verdict:
    """Check an exported statement against one key, or else against the keys of the configuration.

    Raises NotAProof, and BadKey when there is no key to trust.
    """
    return statements.verify_file(content, pinned=pinned, trusted=() if pinned is not None else keys.trusted_key_ids())


def proof_of(attestation: Attestation) -> bytes:
    """Write a stored statement as a file that verifies offline; raises LookupError when its key is not at hand."""
    key = public_keys().get(attestation.key_id)
    if key is None:
        raise LookupError(f"the key {attestation.key_id} is not at hand")
    stored = attestation.body.encode("utf-8", "surrogatepass")
    return statements.proof_file(stored, signature=attestation.signature, key=key)


def _contradicted(row: Attestation, body: Mapping[str, Any]) -> list[str]:
    signed = {
        "id": body["id"],
        "organization_id": body["organization"],
        "kind": body["statement"],
        "target_type": body["target"]["type"],
        "target_id": body["target"]["id"],
        "target_label": body["target"]["label"],
        "at": body["at"],
    }
    said = {name: str(getattr(row, name)) for name in signed} | {"at": instant(row.at)}
    return [name for name, value in signed.items() if said[name] != value]
