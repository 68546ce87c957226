import base64
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785
from django.core.management import call_command

from agentiam.kit.actors import Actor
from audit import keys, selectors
from audit.chain import Signer, digest
from audit.export.jsonl import export_events
from audit.models import Event
from audit.offline import main, verify_file
from audit.verification import Kind
from tests.audit.tampering import rehash, rewrite_from

pytestmark = pytest.mark.django_db(transaction=True)

CAROL = Actor(kind="person", id="carol", label="Carol Clark")


@pytest.fixture
def export(log, tmp_path):
    path = tmp_path / "log.jsonl"
    with path.open("wb") as stream:
        export_events(organization_id=log, stream=stream, by=CAROL)
    return path


def test_an_export_verifies_and_was_recorded(export, log):
    report = verify_file(export, pinned=keys.signer().public)
    assert (report.records, report.unsworn, report.findings) == (21, 0, ())
    assert Event.objects.get(type="log.exported").actor_label == "Carol Clark"
    lines = export.read_bytes().splitlines()
    assert json.loads(lines[0])["organization"] == str(log)
    assert json.loads(lines[-1])["checkpoint"]["complete"] is True


def test_every_line_of_an_export_is_json_and_the_records_are_the_stored_bytes(export):
    lines = [json.loads(line) for line in export.read_bytes().splitlines()]
    records = {line["record"]["id"]: line for line in lines if "record" in line}
    for event in Event.objects.all():
        assert rfc8785.dumps(records[str(event.id)]["record"]).decode() == event.body
        assert records[str(event.id)]["hash"] == event.hash


BREAKAGES = {
    "a bit flipped": (Kind.CHANGED, lambda lines: [*lines[:4], lines[4].replace(b"Alice", b"Alicf"), *lines[5:]]),
    "a space added": (Kind.CHANGED, lambda lines: [*lines[:4], lines[4].replace(b'"data":', b'"data": '), *lines[5:]]),
    "a record removed": (Kind.REMOVED, lambda lines: [*lines[:4], *lines[5:]]),
    "two records swapped": (Kind.REORDERED, lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]]),
    "a record twice": (Kind.INSERTED, lambda lines: [*lines[:5], lines[4], *lines[5:]]),
    "the tail of a chain cut": (Kind.CUT, lambda lines: [*lines[:10], *lines[12:]]),
    "no head": (Kind.CHAIN_MISSING, lambda lines: [line for line in lines if not line.startswith(b'{"head"')]),
    "a checkpoint removed": (Kind.CHECKPOINT_MISSING, lambda lines: [*lines[:-2], lines[-1]]),
    "the last checkpoint removed": (Kind.CHECKPOINT_MISSING, lambda lines: lines[:-1]),
    "a checkpoint touched": (
        Kind.CHECKPOINT_FORGED,
        lambda lines: [*lines[:-1], lines[-1].replace(b'"number":3', b'"number":4')],
    ),
    "a stray line": (Kind.CHANGED, lambda lines: [*lines, b"hello"]),
    "an empty line": (Kind.CHANGED, lambda lines: [*lines[:3], b"", *lines[3:]]),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_export_is_named_offline(export, breakage):
    kind, change = BREAKAGES[breakage]
    lines = export.read_bytes().splitlines()
    broken = change(lines)
    assert broken != lines
    export.write_bytes(b"\n".join(broken) + b"\n")
    report = verify_file(export)
    assert kind in {finding.kind for finding in report.findings}, report.findings


def test_no_change_of_a_byte_goes_unnoticed_or_crashes_the_offline_verifier(export):
    whole = export.read_bytes()
    after_header = whole.index(b"\n") + 1
    chance = random.Random(7)  # noqa: S311
    for _ in range(300):
        broken = bytearray(whole)
        broken[chance.randrange(after_header, len(whole) - 1)] ^= 1 << chance.randrange(8)
        export.write_bytes(broken)
        assert not verify_file(export).whole


MALFORMED = [
    {"sequence": "1"}, {"chain": ["x"]}, {"sequence": None}, {"actor": None}, {"id": 7}, {"target": []},
    {"previous": 5}, {"sequence": 10**15}
]  # fmt: skip


@pytest.mark.parametrize("change", MALFORMED)
def test_a_malformed_record_with_a_right_hash_is_named(export, change):
    lines = export.read_bytes().splitlines()
    body = json.loads(lines[1])["record"] | change
    stored, row_hash = rehash(body)
    lines[1] = b'{"hash":"%b","record":%b}' % (row_hash.encode(), stored.encode())
    export.write_bytes(b"\n".join(lines) + b"\n")
    assert not verify_file(export).whole


MALFORMED_HEADS = [{"sequence": "1"}, {"sequence": -1}, {"hash": "zz"}, {"hash": None}, {"id": 7}]


@pytest.mark.parametrize("change", MALFORMED_HEADS)
def test_a_malformed_checkpoint_that_is_signed_all_the_same_is_named(export, change):
    lines = export.read_bytes().splitlines()
    body = json.loads(lines[-1])["checkpoint"]
    body["chains"][0] |= change
    stored = rfc8785.dumps(body)
    signer = keys.signer()
    members = json.dumps(
        {"hash": digest(stored), "key_id": signer.public.id, "signature": signer.sign(stored)}, separators=(",", ":")
    )
    lines[-1] = members[:-1].encode() + b',"checkpoint":' + stored + b"}"
    export.write_bytes(b"\n".join(lines) + b"\n")
    assert not verify_file(export, pinned=signer.public).whole


def test_a_forgery_in_the_table_is_named_by_both_verifiers(log, changes, tmp_path):
    rewrite_from(changes, 7)
    path = tmp_path / "log.jsonl"
    with path.open("wb") as stream:
        export_events(organization_id=log, stream=stream, by=CAROL)
    for report in (selectors.verify_organization(log), verify_file(path)):
        (finding,) = report.findings
        assert (finding.kind, finding.sequence, finding.chain) == (Kind.CHANGED, 10, str(changes.id))


def offline(*arguments):
    """Run the verifier where Django, msgspec and any database driver cannot be imported."""
    guard = (
        "import sys\n"
        "for name in ('django', 'msgspec', 'psycopg', 'sqlite3'): sys.modules[name] = None\n"
        "import runpy; sys.argv[0] = 'audit.offline'; runpy.run_module('audit.offline', run_name='__main__', alter_sys=True)"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", guard, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={"PYTHONPATH": root},
    )
    return done.returncode, done.stdout + done.stderr


def test_the_offline_verifier_needs_no_django_and_says_whose_key_it_trusts(export, tmp_path):
    status, text = offline(export)
    assert status == 0, text
    assert "whole" in text
    assert "the key in the file itself" in text
    key = base64.b64encode(keys.signer().public.raw).decode()
    (tmp_path / "key.jwk").write_text(json.dumps(keys.signer().public.jwk))
    for form in (key, tmp_path / "key.jwk"):
        status, text = offline(export, "--key", form)
        assert (status, "verified against the key given" in text) == (0, True), text


def test_the_offline_verifier_refuses_another_key(export):
    other = base64.b64encode(Signer(b"m" * 32).public.raw).decode()
    status, text = offline(export, "--key", other, "--json")
    assert status == 1
    report = json.loads(text)
    assert report["key_pinned"] is True
    assert "key_unknown" in {finding["kind"] for finding in report["findings"]}


def test_the_offline_verifier_says_what_it_cannot_read(tmp_path, capsys):
    (tmp_path / "x").write_text("{}\n")
    assert main([str(tmp_path / "x")]) == 2
    assert main([str(tmp_path / "missing")]) == 2
    assert "not the header" in capsys.readouterr().err


def test_the_export_command_writes_bytes(log, capfdbinary):
    call_command("export_audit", str(log))
    assert capfdbinary.readouterr().out.startswith(b'{"exported_at"')
