import base64
import io
import json
from typing import Any

import pytest
import rfc8785
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from agentiam.kit.ids import uuid7
from audit import keys, selectors, services
from audit.chain import Signer, digest
from audit.models import Chain, Checkpoint, Event
from audit.verification import Kind
from tests.audit.conftest import AGENT_SUSPENDED
from tests.audit.tampering import event_at, pk, rehash, rewrite_from, tamper
from tests.factories import make_organization
from tests.unguarded import unguarded

pytestmark = pytest.mark.django_db(transaction=True)


def only_finding(log):
    findings = selectors.verify_organization(log).findings
    assert len(findings) == 1, findings
    return findings[0]


def test_an_untouched_log_is_whole(log):
    report = selectors.verify_organization(log)
    assert (report.records, report.chains, report.checkpoints, report.unsworn, report.findings) == (20, 2, 2, 0, ())


def test_a_record_that_was_changed_is_named(log, changes):
    event = event_at(changes, 4)
    forged = event.body.replace("Alice", "Mallo")
    tamper(("UPDATE audit_event SET body = %s, actor_label = 'Mallo Adams' WHERE id = %s", [forged, pk(event.id)]))
    finding = only_finding(log)
    assert (finding.kind, finding.chain, finding.sequence, finding.event) == (Kind.CHANGED, str(changes.id), 4, str(event.id))


@pytest.mark.parametrize("position", [0, 1, 40, 300, -1])
def test_a_single_flipped_bit_is_found(log, changes, position):
    event = event_at(changes, 7)
    flipped = bytearray(event.body.encode())
    flipped[position] ^= 1
    tamper(("UPDATE audit_event SET body = %s WHERE id = %s", [flipped.decode(), pk(event.id)]))
    finding = only_finding(log)
    assert (finding.kind, finding.sequence, finding.event) == (Kind.CHANGED, 7, str(event.id))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("type", "agent.retired"),
        ("at", "2020-01-01 00:00:00"),
        ("actor_kind", "agent"),
        ("actor_id", "mallory"),
        ("actor_label", "Mallory"),
        ("target_type", "x"),
        ("target_id", "x"),
        ("target_label", "x"),
        ("effect", "deny"),
        ("request_id", "x"),
        ("reason", "because"),
    ],
)
def test_a_column_that_differs_from_its_record_is_named(log, changes, column, value):
    tamper((f"UPDATE audit_event SET {column} = %s WHERE id = %s", [value, pk(event_at(changes, 3).id)]))
    finding = only_finding(log)
    assert (finding.kind, finding.sequence) == (Kind.CHANGED, 3)
    assert column.replace("actor_", "actor.").replace("target_", "target.") in finding.what


def test_an_event_moved_to_another_organization_is_found(log, changes):
    tamper(("UPDATE audit_event SET organization_id = %s WHERE id = %s", [pk(uuid7()), pk(event_at(changes, 3).id)]))
    assert only_finding(log).kind is Kind.CHANGED


@pytest.mark.parametrize("sequence", [1, 5, 6, 9])
def test_a_removed_record_is_named(log, changes, sequence):
    tamper(("DELETE FROM audit_event WHERE id = %s", [pk(event_at(changes, sequence).id)]))
    finding = only_finding(log)
    assert (finding.kind, finding.chain, finding.sequence) == (Kind.REMOVED, str(changes.id), sequence)


def test_two_records_that_changed_places_are_named(log, changes):
    third, fourth = event_at(changes, 3), event_at(changes, 4)
    move = "UPDATE audit_event SET sequence = %s WHERE id = %s"
    tamper((move, [99, pk(third.id)]), (move, [3, pk(fourth.id)]), (move, [4, pk(third.id)]))
    finding = only_finding(log)
    assert (finding.kind, finding.sequence) == (Kind.REORDERED, 3)


def test_a_second_record_of_a_sequence_beyond_the_head_is_named(log, changes):
    tamper(
        (
            "UPDATE audit_chain SET last_sequence = 9, sworn_sequence = 5, last_hash = %s WHERE id = %s",
            [event_at(changes, 9).hash, pk(changes.id)],
        )
    )
    finding = only_finding(log)
    assert (finding.kind, finding.sequence) == (Kind.INSERTED, 10)


def test_an_appended_forgery_is_named(log, changes):
    last = event_at(changes, 10)
    body, row_hash = rehash(json.loads(last.body) | {"sequence": 11, "previous": last.hash, "id": str(uuid7())})
    insert_copy(last, body, row_hash)
    assert only_finding(log).kind is Kind.INSERTED


@pytest.mark.parametrize("keep", [0, 3, 8])
def test_a_chain_whose_tail_was_cut_off_is_found(log, changes, keep):
    tamper(("DELETE FROM audit_event WHERE chain_id = %s AND sequence > %s", [pk(changes.id), keep]))
    finding = only_finding(log)
    assert (finding.kind, finding.sequence) == (Kind.CUT, keep + 1)


@pytest.mark.parametrize("keep", [3, 8])
def test_a_chain_cut_together_with_its_head_contradicts_the_checkpoints(log, changes, keep):
    tamper(
        ("DELETE FROM audit_event WHERE chain_id = %s AND sequence > %s", [pk(changes.id), keep]),
        (
            "UPDATE audit_chain SET last_sequence = %s, sworn_sequence = 0, last_hash = %s WHERE id = %s",
            [keep, event_at(changes, keep).hash, pk(changes.id)],
        ),
    )
    finding = only_finding(log)
    assert (finding.kind, finding.sequence) == (Kind.CUT, keep + 1)
    assert "checkpoint 2" in finding.what


def test_a_chain_that_is_gone_with_all_its_records_is_named(log, changes):
    tamper(
        ("DELETE FROM audit_event WHERE chain_id = %s", [pk(changes.id)]),
        ("DELETE FROM audit_chain WHERE id = %s", [pk(changes.id)]),
    )
    finding = only_finding(log)
    assert (finding.kind, finding.chain) == (Kind.CHAIN_MISSING, str(changes.id))


def test_records_of_a_chain_without_a_head_are_named(log, changes):
    first = event_at(changes, 1)
    tamper(("DELETE FROM audit_checkpoint", []), ("DELETE FROM audit_chain WHERE id = %s", [pk(changes.id)]))
    findings = {finding.chain: finding for finding in selectors.verify_organization(log).findings}
    assert (findings[str(changes.id)].kind, findings[str(changes.id)].event) == (Kind.CHAIN_MISSING, str(first.id))


def insert_copy(event, body, row_hash):
    with unguarded(connection) as cursor:
        fields = [str(field.column) for field in Event._meta.concrete_fields]
        cursor.execute(f"SELECT {', '.join(fields)} FROM audit_event WHERE id = %s", [pk(event.id)])
        row = dict(zip(fields, cursor.fetchone(), strict=True))
        said = json.loads(body)
        identity = said["id"].replace("-", "") if connection.vendor == "sqlite" else said["id"]
        row |= {"id": identity, "sequence": said["sequence"], "body": body, "hash": row_hash}
        cursor.execute(
            f"INSERT INTO audit_event ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values())
        )


@pytest.mark.parametrize(("forged", "sworn", "checkpoint"), [(2, 5, 1), (5, 5, 1), (6, 10, 2), (10, 10, 2)])
def test_a_forgery_with_all_hashes_made_anew_contradicts_the_next_checkpoint(log, changes, forged, sworn, checkpoint):
    rewrite_from(changes, forged)
    finding = only_finding(log)
    assert (finding.kind, finding.sequence, finding.event) == (Kind.CHANGED, sworn, str(event_at(changes, sworn).id))
    assert f"checkpoint {checkpoint} swears another record" in finding.what


def test_a_forgery_is_still_found_when_later_checkpoints_were_signed_over_it(log, changes, alice):
    rewrite_from(changes, 8)
    for _ in range(3):
        with transaction.atomic():
            services.record(AGENT_SUSPENDED, organization_id=log, by=alice)
        services.sign_checkpoint(log)
    finding = only_finding(log)
    assert (finding.kind, finding.sequence) == (Kind.CHANGED, 10)


def test_a_record_hashed_anew_alone_is_named(log, changes):
    event = event_at(changes, 6)
    stored, row_hash = rehash(json.loads(event.body) | {"reason": "because"})
    tamper(("UPDATE audit_event SET body = %s, hash = %s, reason = 'because' WHERE id = %s", [stored, row_hash, pk(event.id)]))
    finding = only_finding(log)
    assert (finding.kind, finding.sequence, finding.event) == (Kind.CHANGED, 6, str(event.id))


def test_a_head_with_another_hash_is_found(log, changes):
    tamper(("UPDATE audit_chain SET last_hash = %s WHERE id = %s", ["f" * 64, pk(changes.id)]))
    assert only_finding(log).kind is Kind.CHANGED


@pytest.mark.parametrize(
    ("column", "value"),
    [("signature", "AAAA"), ("hash", "0" * 64), ("at", "2020-01-01 00:00:00"), ("previous", "0" * 63 + "1")],
)
def test_a_checkpoint_that_was_touched_is_named(log, column, value):
    tamper((f"UPDATE audit_checkpoint SET {column} = %s WHERE number = 2", [value]))
    findings = selectors.verify_organization(log).findings
    assert (findings[0].kind, findings[0].checkpoint) == (Kind.CHECKPOINT_FORGED, 2)


def test_a_checkpoint_signed_by_somebody_else_under_our_keys_name_is_forged(log, changes):
    checkpoint = Checkpoint.objects.get(number=2)
    signature = Signer(b"m" * 32).sign(checkpoint.body.encode())
    tamper(("UPDATE audit_checkpoint SET signature = %s WHERE number = 2", [signature]))
    assert selectors.verify_organization(log).findings[0].kind is Kind.CHECKPOINT_FORGED


def resign(signer):
    statements: list[tuple[str, list[Any]]] = [("DELETE FROM audit_signingkey", [])]
    previous = "0" * 64
    for checkpoint in Checkpoint.objects.order_by("number"):
        body = json.loads(checkpoint.body) | {"key_id": signer.public.id, "previous": previous}
        for chain in body["chains"]:
            chain["hash"] = event_at(Chain.objects.get(id=chain["id"]), chain["sequence"]).hash
        stored = rfc8785.dumps(body)
        statements.append(
            (
                "UPDATE audit_checkpoint SET body = %s, hash = %s, signature = %s, key_id = %s, previous = %s WHERE id = %s",
                [stored.decode(), digest(stored), signer.sign(stored), signer.public.id, previous, pk(checkpoint.id)],
            )
        )
        previous = digest(stored)
    jwk = json.dumps(signer.public.jwk)
    statements.append(
        ("INSERT INTO audit_signingkey (key_id, jwk, first_used_at) VALUES (%s, %s, '2026-01-01')", [signer.public.id, jwk])
    )
    tamper(*statements)


def test_a_log_forged_and_signed_anew_with_another_key_names_the_unknown_key(log, changes):
    rewrite_from(changes, 2)
    resign(Signer(b"m" * 32))
    kinds = {finding.kind for finding in selectors.verify_organization(log).findings}
    assert kinds == {Kind.KEY_UNKNOWN, Kind.CHECKPOINT_MISSING}


def test_a_former_key_is_trusted_when_the_settings_name_it(log, settings, alice):
    former = keys.signer().public.id
    settings.AUDIT_SIGNING_KEY = base64.b64encode(b"n" * 32).decode()
    with transaction.atomic():
        services.record(AGENT_SUSPENDED, organization_id=log, by=alice)
    services.sign_checkpoint(log)
    assert selectors.verify_organization(log).findings[0].kind is Kind.KEY_UNKNOWN
    settings.AUDIT_TRUSTED_KEY_IDS = [former]
    assert selectors.verify_organization(log).whole


def test_a_removed_checkpoint_is_named(log):
    tamper(("DELETE FROM audit_checkpoint WHERE number = 1", []))
    finding = only_finding(log)
    assert (finding.kind, finding.checkpoint) == (Kind.CHECKPOINT_MISSING, 1)


def test_the_last_checkpoints_cannot_be_removed_unnoticed(log):
    tamper(("DELETE FROM audit_checkpoint WHERE number = 2", []))
    assert {finding.kind for finding in selectors.verify_organization(log).findings} == {Kind.CHECKPOINT_MISSING}


def test_a_chain_cannot_be_kept_from_the_checkpoints_unnoticed(log, changes, alice):
    tamper(("UPDATE audit_chain SET last_sequence = 1000, sworn_sequence = 1000 WHERE id = %s", [pk(changes.id)]))
    with transaction.atomic():
        services.record(AGENT_SUSPENDED, organization_id=log, by=alice)
    assert not selectors.verify_organization(log).whole


def run(*arguments):
    out = io.StringIO()
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as stop:
        return stop.code, out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_in_one_line_that_a_log_is_whole(log):
    status, text = run("verify_audit")
    assert status == 0
    assert text.strip() == f"{log}: whole. 20 records in 2 chains, 2 checkpoints"


def test_the_command_calls_an_organization_by_its_name():
    acme = make_organization("acme")
    text = run("verify_audit")[1]
    assert text.startswith("acme: whole. ")
    assert json.loads(run("verify_audit", "--json")[1])["organization"] == str(acme.pk)


def test_the_command_names_what_is_broken(log, changes):
    event = event_at(changes, 4)
    tamper(("UPDATE audit_event SET reason = 'x' WHERE id = %s", [pk(event.id)]))
    status, text = run("verify_audit", "--organization", str(log))
    assert status == 1
    for part in ("BROKEN", "changed", str(changes.id), "sequence 4", str(event.id), "the column reason differs"):
        assert part in text
    status, text = run("verify_audit", "--json")
    assert status == 1
    assert json.loads(text)["findings"][0]["event"] == str(event.id)


@pytest.mark.parametrize("text", ["not-an-id", "0190f3c2-0000-7000-8000-000000000000"])
def test_the_command_refuses_an_organization_it_does_not_know(log, text):
    for command in (["verify_audit", "--organization", text], ["export_audit", text]):
        with pytest.raises(CommandError) as error:
            call_command(*command)
        assert error.value.returncode == 2


def test_an_empty_log_says_so():
    assert run("verify_audit") == (0, "The event log is empty.\n")
