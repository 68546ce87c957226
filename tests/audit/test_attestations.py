"""A signed statement verifies as it was signed, by whom it was signed, and in no other form: in the table and in a file."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from agentiam.kit.canonical import canonical_bytes
from agentiam.kit.ids import uuid7
from audit import keys, statements
from audit.attestations import OFFBOARDING, attest, proof_of, verify_attestation, verify_proof
from audit.chain import GENESIS, PublicKey, Signer, checkpoint_bytes, digest
from audit.models import Attestation
from audit.offline import main
from audit.querysets import AppendOnly
from audit.services import OutsideTransaction, Target
from tests.factories import NOW
from tests.unguarded import unguarded

ROOT = Path(__file__).resolve().parents[2]
CONTENT = {"reason": "Größe \U0001d504", "ended": {"grants": [["1", "a", "read"]]}, "remaining": {"grants": 0}, "many": 2**60}
OTHER = Signer(b"another key of thirty-two bytes.")


def signed(**values):
    given = {"organization_id": uuid7(), "kind": OFFBOARDING, "target": Target("agent", "bot", "Bot"), "content": CONTENT}
    with transaction.atomic():
        return attest(**given | values, at=NOW)


def altered(attestation, **columns):
    """Change a row behind the guards, as whoever has the database can."""
    from django.db import connection

    names = ", ".join(f"{name} = %s" for name in columns)
    key = attestation.pk.hex if connection.vendor == "sqlite" else attestation.pk
    with unguarded(connection) as cursor:
        cursor.execute(f"UPDATE audit_attestation SET {names} WHERE id = %s", [*columns.values(), key])
    return Attestation.objects.get(pk=attestation.pk)


def test_what_was_signed_is_genuine_in_the_table_and_in_a_file(db):
    attestation = Attestation.objects.get(pk=signed().pk)
    verdict = verify_attestation(attestation)
    assert verdict.genuine
    assert verdict.body["content"]["ended"] == CONTENT["ended"]
    assert verdict.body["target"] == {"type": "agent", "id": "bot", "label": "Bot"}
    assert verdict.body["content"]["many"] == str(2**60)
    exported = verify_proof(proof_of(attestation))
    assert exported.genuine
    assert exported.body == verdict.body


def test_no_byte_of_a_file_can_change(db):
    proof = proof_of(signed(content={"reason": "é"}))
    assert verify_proof(proof).genuine
    for position in range(len(proof)):
        for flip in (1, 0x20):
            changed = proof[:position] + bytes([proof[position] ^ flip]) + proof[position + 1 :]
            try:
                genuine = verify_proof(changed).genuine
            except statements.NotAProof:
                genuine = False
            assert not genuine, (position, changed[position - 10 : position + 10])
    for cut in (proof[:-1], proof[1:], proof + b"\n", proof + b" ", b""):
        with pytest.raises(statements.NotAProof):
            verify_proof(cut)


def test_what_is_signed_by_another_key_is_not_genuine_even_if_it_brings_that_key_along(db, settings):
    attestation = signed()
    body = json.loads(attestation.body) | {"key_id": OTHER.public.id}
    stored = canonical_bytes(body)
    forged = statements.proof_file(stored, signature=OTHER.sign(stored), key=OTHER.public)
    assert "is not trusted" in " ".join(verify_proof(forged).problems)
    assert "is not trusted" in " ".join(verify_proof(forged, pinned=keys.signer().public).problems)
    assert verify_proof(forged, pinned=OTHER.public).genuine
    assert statements.verify_file(forged).genuine, "the key in the file itself proves no origin"
    settings.AUDIT_TRUSTED_KEY_IDS = [OTHER.public.id]
    assert verify_proof(forged).genuine


def test_a_former_key_is_believed_while_it_is_trusted(db, settings):
    attestation, former = signed(), keys.signer().public.id
    settings.AUDIT_SIGNING_KEY = "x" * 43 + "="
    assert not verify_attestation(attestation).genuine
    settings.AUDIT_TRUSTED_KEY_IDS = [former]
    assert verify_attestation(attestation).genuine
    assert verify_proof(proof_of(attestation)).genuine


@pytest.mark.parametrize(
    "columns",
    [
        {"kind": "onboarding"},
        {"target_id": "other"},
        {"target_label": "Other"},
        {"target_type": "person"},
        {"hash": "0" * 64},
        {"key_id": OTHER.public.id},
        {"signature": OTHER.sign(b"x")},
        {"at": "2020-01-01 00:00:00+00:00"},
        {"body": "{}"},
        {"body": "not JSON"},
    ],
)
def test_a_row_that_was_changed_is_found(db, columns):
    attestation = signed()
    assert verify_attestation(attestation).genuine
    assert not verify_attestation(altered(attestation, **columns)).genuine


def test_what_the_row_says_of_the_organization_is_checked_too(db):
    attestation = signed()
    attestation.organization_id = uuid7()
    assert "organization_id" in verify_attestation(attestation).problems[0]


def test_a_checkpoint_is_no_statement_and_a_statement_no_checkpoint(db):
    signer = keys.signer()
    stored = checkpoint_bytes(
        organization="x", number=1, at=NOW, previous=GENESIS, heads=[], complete=True, key_id=signer.public.id
    )
    proof = statements.proof_file(stored, signature=signer.sign(stored), key=signer.public)
    assert verify_proof(proof).problems == ["this is not a statement"]
    assert "previous" not in json.loads(signed().body)


def test_a_signature_in_another_spelling_is_refused(db):
    attestation = signed()
    members = json.loads(proof_of(attestation))
    respelled = canonical_bytes(members | {"signature": members["signature"] + "=="}) + b"\n"
    assert not verify_proof(respelled).genuine
    named = canonical_bytes(members | {"key": {**members["key"], "kid": "x"}}) + b"\n"
    with pytest.raises(statements.NotAProof):
        verify_proof(named)
    with pytest.raises(statements.NotAProof):
        verify_proof(json.dumps(members).encode() + b"\n")


def test_statements_are_signed_within_a_change_and_never_changed_or_removed(transactional_db):
    with pytest.raises(OutsideTransaction):
        attest(organization_id=uuid7(), kind=OFFBOARDING, target=Target("agent", "a", "A"), content={}, at=NOW)
    with pytest.raises(ValueError, match="not a kind"):
        signed(kind="No such")
    attestation = signed()
    for refused in (attestation.save, attestation.delete, Attestation.objects.all().delete):
        with pytest.raises(AppendOnly):
            refused()
    with pytest.raises(AppendOnly):
        Attestation.objects.update(body="")


def test_the_offline_verifier_knows_a_proof_from_a_log(db, tmp_path, capsys):
    path = tmp_path / "proof.json"
    path.write_bytes(proof_of(signed()))
    key = json.dumps(keys.signer().public.jwk)
    assert main([str(path), "--key", key]) == 0
    assert "genuine: offboarding of agent bot (Bot)" in capsys.readouterr().out
    assert main([str(path)]) == 0
    assert "which proves no origin" in capsys.readouterr().out
    assert main([str(path), "--json", "--key", json.dumps(OTHER.public.jwk)]) == 1
    assert json.loads(capsys.readouterr().out)["genuine"] is False
    path.write_bytes(path.read_bytes().replace(b'"Bot"', b'"Bat"'))
    assert main([str(path), "--key", key]) == 1
    assert "not genuine" in capsys.readouterr().out
    path.write_bytes(b'{"format":"agentiam-proof/2"}\n')
    assert main([str(path)]) == 2


def test_the_offline_verifier_needs_neither_django_nor_settings(db, tmp_path):
    path = tmp_path / "proof.json"
    path.write_bytes(proof_of(signed()))
    program = "import sys; import audit.offline; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
    done = subprocess.run([sys.executable, "-m", "audit.offline", str(path)], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_commands_export_and_verify(db, tmp_path):
    from audit.services import record
    from tests.factories import SYSTEM, make_organization

    acme = make_organization("acme")
    from directory.events import PERSON_UPDATED

    with transaction.atomic():
        record(PERSON_UPDATED, organization_id=acme.pk, by=SYSTEM)
    older, newer = signed(organization_id=acme.pk), signed(organization_id=acme.pk)
    elsewhere = signed(organization_id=make_organization("elsewhere").pk, target=Target("agent", "far", "Far"))

    def exported(*arguments):
        stream = io.BytesIO()
        call_command("export_proof", *arguments, stdout=stream)
        return stream.getvalue()

    assert exported("acme", "bot") == proof_of(newer)
    assert exported("acme", str(older.pk)) == proof_of(older)
    for subject in ("nobody", "far", str(elsewhere.pk)):
        with pytest.raises(CommandError, match="there is no offboarding statement"):
            exported("acme", subject)
    path = tmp_path / "proof.json"
    path.write_bytes(exported("acme", "bot"))
    said = io.StringIO()
    call_command("verify_proof", str(path), stdout=said)
    assert "genuine: offboarding of agent bot" in said.getvalue()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_proof", str(path), "--key", json.dumps(OTHER.public.jwk), "--json", stdout=said)
    assert ended.value.code == 1
    path.write_text("nonsense")
    with pytest.raises(CommandError, match=r"is no exported proof: it does not end as .* Name a file as export_proof wrote it"):
        call_command("verify_proof", str(path))
    with pytest.raises(CommandError, match=r"nowhere cannot be read: No such file or directory\. Name the file") as refused:
        call_command("verify_proof", str(tmp_path / "nowhere"))
    assert "Errno" not in str(refused.value)


def test_the_key_of_a_proof_can_be_noted_beforehand(db):
    attestation = signed()
    assert attestation.key_id == keys.signer().public.id
    assert attestation.hash == digest(attestation.body.encode())
    assert PublicKey.from_jwk(json.loads(proof_of(attestation))["key"]) == keys.signer().public
