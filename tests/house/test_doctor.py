"""Each illness is shown to the part that judges it, and some are provoked for real."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from agentiam.jobs.models import Job
from agentiam.jobs.queue import enqueue
from agentiam.operations import metrics
from agentiam.operations.doctor import addresses, database, examination, machine, people, services, trust
from agentiam.operations.doctor.examination import PROBES, judge_settings
from agentiam.operations.doctor.findings import Finding, Judgement, Probe, State, examine, fine
from agentiam.operations.doctor.machine import FileFacts
from agentiam.operations.doctor.people import PersonFacts
from audit import events as audit_events
from audit.models import SigningKey
from audit.services import record
from directory.models import Credential, Organization, User
from directory.services.credentials import issue_api_key
from tests.factories import NOW, SYSTEM, make_agent, make_organization, make_person
from tests.serving import ROOT

GIGABYTE = 1024**3
HEALTHY = PersonFacts("acme", "alice", administers=True, powerful=True, can_sign_in=True, has_second_factor=True)


def person(**changes: Any) -> PersonFacts:
    values = {name: getattr(HEALTHY, name) for name in HEALTHY.__slots__}
    return PersonFacts(**values | changes)


def key(ends: float, used: float | None) -> tuple[datetime, datetime | None]:
    """Make the facts of a key by days from now."""
    return NOW + timedelta(days=ends), None if used is None else NOW + timedelta(days=used)


def seen(at: float | None, *, whole: bool = True, created: float = -100) -> tuple[str, datetime | None, bool, datetime]:
    return "acme", None if at is None else NOW + timedelta(days=at), whole, NOW + timedelta(days=created)


OK, WARN, FAIL = State.OK, State.WARNING, State.FAILED
# What is judged, how it is, a word of the cause, and a word of the remedy.
JUDGED: list[tuple[Judgement, State, str, str]] = [
    (judge_settings([]), OK, "passes", ""),
    (judge_settings([("agentiam.E001", True, "not https"), ("x.W1", False, "hm")]), FAIL, "agentiam.E001", "check --deploy"),
    (judge_settings([("agentiam.W001", False, "embedded")]), WARN, "agentiam.W001", "check --deploy"),
    (database.judge_database("postgresql", (16, 2)), OK, "16.2", ""),
    (database.judge_database("postgresql", (12, 9)), FAIL, "too old", "14"),
    (database.judge_database("sqlite", (3, 30, 1)), FAIL, "too old", "3.35"),
    (database.judge_database("postgresql", (), problem="connection failed: Connection refused"), FAIL, "refused", "Start the"),
    (
        database.judge_database("postgresql", (), problem='FATAL: password authentication failed for user "x"'),
        FAIL,
        "authentication",
        "password into DATABASE_URL",
    ),
    (database.judge_database("postgresql", (), problem='FATAL: database "x" does not exist'), FAIL, "not exist", "createdb"),
    (database.judge_database("postgresql", (), problem="could not translate host name"), FAIL, "host", "can be resolved"),
    (database.judge_database("postgresql", (), problem="connection timeout expired"), FAIL, "timeout", "firewall"),
    (database.judge_database("postgresql", (), problem="sorry, too many clients already"), FAIL, "many", "max_connections"),
    (database.judge_database("sqlite", (), problem="unable to open database file"), FAIL, "open", "write there"),
    (database.judge_database("sqlite", (), problem="file is not a database"), FAIL, "not a database", "restore"),
    (database.judge_database("sqlite", (), problem="something else"), FAIL, "else", "Check DATABASE_URL"),
    (database.judge_migrations([], []), OK, "applied", ""),
    (database.judge_migrations(["audit.0009"], []), FAIL, "audit.0009", "manage.py migrate"),
    (database.judge_migrations([], ["audit.0099"]), FAIL, "audit.0099", "newer program"),
    (database.judge_clock(0.2), OK, "agree", ""),
    (database.judge_clock(-3.0), WARN, "3.0 s behind", "time server"),
    (database.judge_clock(40.0), FAIL, "40.0 s ahead", "time server"),
    (database.judge_connections(100, 20, processes=2), OK, "20 of 100", ""),
    (database.judge_connections(100, 95, processes=1), FAIL, "95 of 100", "pooler"),
    (database.judge_connections(97, 5, processes=8), WARN, "192 connections", "288"),
    (database.judge_embedded("wal", 2, filesystem="ext4"), OK, "waits for the disk", ""),
    (database.judge_embedded("delete", 2, filesystem="ext4"), FAIL, "delete", "restart"),
    (database.judge_embedded("wal", 1, filesystem="ext4"), FAIL, "synchronous", "FULL"),
    (database.judge_embedded("wal", 2, filesystem="nfs4"), FAIL, "nfs4", "local disk"),
    (machine.judge_data_directory(FileFacts("/data", 0o700), "/data"), OK, "ours alone", ""),
    (machine.judge_data_directory(None, "/data"), FAIL, "not there", "mkdir"),
    (machine.judge_data_directory(FileFacts("/data", 0o500, writable=False), "/data"), FAIL, "written", "chown"),
    (machine.judge_data_directory(FileFacts("/data", 0o755), "/data"), FAIL, "755", "chmod 700 /data"),
    (machine.judge_key_files([FileFacts("/k", 0o440)]), OK, "1 key files", ""),
    (machine.judge_key_files([FileFacts("/k", 0o644)]), FAIL, "/k", "chmod o-rwx /k"),
    (machine.judge_key_files([FileFacts("/k", 0o600, readable=False)]), FAIL, "cannot read", "server runs as"),
    (machine.judge_key_files([FileFacts("/k", 0o660)]), WARN, "group", "chmod g-w /k"),
    (machine.judge_disk(50 * GIGABYTE, 100 * GIGABYTE, wal=0), OK, "free", ""),
    (machine.judge_disk(100 * 1024**2, GIGABYTE, wal=0), FAIL, "100 MB left", "Make room"),
    (machine.judge_disk(20 * GIGABYTE, 1000 * GIGABYTE, wal=0), FAIL, "left", "Make room"),
    (machine.judge_disk(50 * GIGABYTE, 100 * GIGABYTE, wal=GIGABYTE), WARN, "1024 MB", "Restart"),
    (machine.judge_time_zones(["UTC"], lambda _: True), OK, "known", ""),
    (machine.judge_time_zones(["Europe/Berlin", "UTC"], lambda name: name == "UTC"), FAIL, "Europe/Berlin", "tzdata"),
    (machine.judge_static_files([]), OK, "there", ""),
    (machine.judge_static_files(["css/base.css"]), FAIL, "css/base.css", "whole checkout"),
    (addresses.judge_base_url("http://127.0.0.1:8000", production=False, proxies=[]), OK, "127.0.0.1", ""),
    (addresses.judge_base_url("https://iam.example", production=True, proxies=["10.0.0.1"]), OK, "iam.example", ""),
    (addresses.judge_base_url("http://iam.example", production=True, proxies=["10.0.0.1"]), FAIL, "not https", "https"),
    (addresses.judge_base_url("https://localhost", production=True, proxies=["10.0.0.1"]), FAIL, "this machine", "public"),
    (addresses.judge_base_url("https://iam.example", production=True, proxies=[]), FAIL, "again", "AGENTIAM_TRUST_PROXY"),
    (addresses.judge_base_url("http://iam.example", production=False, proxies=["10.0.0.1"]), WARN, "proxy", "https address"),
    (addresses.judge_answer("http://iam.example", 200, b"ok\n"), OK, "answers", ""),
    (addresses.judge_answer("http://iam.example", 200, b"<html>"), FAIL, "something else", "proxy"),
    (addresses.judge_answer("http://iam.example", 502, b""), FAIL, "502", "proxy"),
    (addresses.judge_answer("http://iam.example", 400, b""), FAIL, "that name", "Host header"),
    (addresses.judge_answer("http://iam.example", 0, b"", problem="TimeoutError"), WARN, "TimeoutError", "serve"),
    (addresses.judge_hosts("https://iam.example", ["iam.example"]), OK, "iam.example", ""),
    (addresses.judge_hosts("http://[::1]:8000", ["[::1]"]), OK, "::1", ""),
    (addresses.judge_hosts("https://iam.example", ["other.example"]), FAIL, "refused", "AGENTIAM_ALLOWED_HOSTS"),
    (addresses.judge_hosts("https://iam.example", ["iam.example", "*"]), FAIL, "every host", "AGENTIAM_ALLOWED_HOSTS"),
    (addresses.judge_origins("https://iam.example", ["https://iam.example"], secure=True), OK, "taken", ""),
    (addresses.judge_origins("https://iam.example", ["http://iam.example"], secure=True), FAIL, "origin", "AGENTIAM_BASE_URL"),
    (addresses.judge_origins("http://iam.example", ["http://iam.example"], secure=True), FAIL, "signed in", "https"),
    (services.judge_redis(problem="", policy="noeviction", jobs="celery"), OK, "keeps", ""),
    (services.judge_redis(problem="Error 111 connecting: Connection refused.", policy="", jobs="celery"), FAIL, "111", "Start"),
    (services.judge_redis(problem="DB index is out of range", policy="", jobs="celery"), FAIL, "index", "/0 to /15"),
    (services.judge_redis(problem="NOAUTH Authentication required.", policy="", jobs="celery"), FAIL, "NOAUTH", "password"),
    (
        services.judge_redis(problem="You can't write against a read only replica.", policy="", jobs="none"),
        FAIL,
        "read",
        "primary",
    ),
    (services.judge_redis(problem="", policy="allkeys-lru", jobs="celery"), WARN, "allkeys-lru", "noeviction"),
    (services.judge_redis(problem="", policy="allkeys-lru", jobs="none"), OK, "keeps", ""),
    (services.judge_counters(4, shared=True, production=True), OK, "together", ""),
    (services.judge_counters(1, shared=False, production=True), OK, "one process", ""),
    (services.judge_counters(2, shared=False, production=False), WARN, "2 times the tries", "REDIS_URL"),
    (services.judge_counters(2, shared=False, production=True), FAIL, "2 times the tries", "--workers 1"),
    (services.judge_workers("embedded", 5), OK, "done", ""),
    (services.judge_workers("celery", 90), WARN, "minutes", "manage.py worker"),
    (services.judge_workers("celery", 900), FAIL, "15 minutes", "REDIS_URL"),
    (services.judge_workers("embedded", 900), FAIL, "15 minutes", "manage.py serve"),
    (services.judge_workers("none", 900), FAIL, "15 minutes", "AGENTIAM_JOBS"),
    (services.judge_dead_jobs([]), OK, "given up", ""),
    (services.judge_dead_jobs([("directory.mail", "SMTPError: no")]), WARN, "SMTPError", "run them again"),
    (services.judge_mail("smtp", problem="", production=True), OK, "answers", ""),
    (services.judge_mail("smtp", problem="ConnectionRefusedError: no", production=True), FAIL, "Refused", "AGENTIAM_EMAIL_URL"),
    (services.judge_mail("filebased", problem="", production=True), WARN, "does not leave", "AGENTIAM_EMAIL_URL"),
    (services.judge_mail("filebased", problem="", production=False), OK, "does not leave", ""),
    (trust.judge_peppers([1, 2], {1: 4, 2: 1}), OK, "(5)", ""),
    (trust.judge_peppers([2], {1: 4, 2: 1}), FAIL, "4 living keys", "AGENTIAM_CREDENTIAL_PEPPERS"),
    (trust.judge_signing_keys(["a"], ["a", "b"]), OK, "trusted", ""),
    (trust.judge_signing_keys(["a", "c"], ["a", "b"]), FAIL, "not trusted: c", "AGENTIAM_AUDIT_TRUSTED_KEY_IDS"),
    (trust.judge_verification([seen(-0.5)], NOW), OK, "lately", ""),
    (trust.judge_verification([seen(None, created=-1)], NOW), OK, "lately", ""),
    (trust.judge_verification([seen(None)], NOW), WARN, "acme", "verify_audit"),
    (trust.judge_verification([seen(-3)], NOW), WARN, "2 days", "verify_audit"),
    (trust.judge_verification([seen(-0.1, whole=False)], NOW), FAIL, "found broken", "verify_audit"),
    (people.judge_administrators(["acme"], [HEALTHY], {"acme"}), OK, "administrator", ""),
    (people.judge_administrators([], [], set()), WARN, "no active organization", "quickstart"),
    (people.judge_administrators(["acme", "other"], [HEALTHY], {"acme", "other"}), FAIL, "other", "--organization other "),
    (people.judge_administrators(["acme", "other"], [HEALTHY], {"acme"}), WARN, "other", "--organization other "),
    (people.judge_administrators(["acme", "other"], [], {"acme"}), FAIL, "acme, other", "--organization acme "),
    (people.judge_administrators(["acme"], [], set()), FAIL, "acme", "--organization acme "),
    (people.judge_administrators(["acme"], [person(can_sign_in=False)], {"acme"}), FAIL, "acme", "create_administrator"),
    (people.judge_administrators(["acme"], [person(administers=False)], {"acme"}), FAIL, "acme", "create_administrator"),
    (people.judge_second_factors([HEALTHY], required=True), OK, "second factor", ""),
    (people.judge_second_factors([person(has_second_factor=False)], required=True), WARN, "alice", "authenticator app"),
    (people.judge_second_factors([person(has_second_factor=False)], required=False), WARN, "alice", "REQUIRE_SECOND_FACTOR"),
    (people.judge_organizations([]), OK, "suspended", ""),
    (people.judge_organizations(["acme"]), WARN, "acme", "Resume"),
    (people.judge_application_keys({"acme/crm": [key(-1, -1.5), key(90, None)]}, NOW), OK, "good", ""),
    (people.judge_application_keys({"acme/crm": [key(-1, None)]}, NOW), OK, "good", ""),
    (people.judge_application_keys({"acme/crm": [key(-1, -1.5)]}, NOW), FAIL, "acme/crm", "Rotate"),
    (people.judge_application_keys({"acme/crm": [key(5, -0.1)]}, NOW), WARN, "acme/crm", "Rotate"),
]


@pytest.mark.parametrize(("judged", "state", "cause", "remedy"), JUDGED, ids=lambda value: getattr(value, "says", None))
def test_an_illness_is_named_with_its_cause_and_its_remedy(judged: Judgement, state: State, cause: str, remedy: str) -> None:
    assert judged.state is state
    assert cause in judged.says
    assert remedy in judged.remedy
    assert bool(judged.remedy) is (state in {WARN, FAIL})


def test_every_judge_is_shown_a_healthy_and_an_ill_case() -> None:
    modules = (addresses, database, machine, people, services, trust, examination)
    judges = {name for module in modules for name in vars(module) if name.startswith("judge_")}
    text = Path(__file__).read_text(encoding="utf-8")
    shown = {
        name for name in judges for part in [re.findall(rf"{name}\((?s:.*?)\), (OK|WARN|FAIL)", text)] if {"OK"} < set(part)
    }
    assert shown == judges


def judged_by(check: str) -> Judgement:
    return next(probe for probe in PROBES if probe.check == check).look()


@pytest.mark.django_db
def test_every_look_works_here() -> None:
    findings = {finding.check: finding for finding in examine(PROBES)}
    assert len(findings) == len(PROBES) >= 20
    assert [each for each in findings.values() if "could not be looked at" in each.says] == []
    for check in ("database", "migrations", "disk", "time zones", "static files", "hosts", "origins", "peppers", "signing key"):
        assert findings[check].state is OK, findings[check]


@pytest.mark.django_db
def test_an_old_due_job_and_a_dead_one_are_found() -> None:
    now = timezone.now()
    assert judged_by("workers").state is OK
    with transaction.atomic():
        enqueue("directory.nothing", arguments={}, organization_id=None, now=now - timedelta(minutes=20))
    assert judged_by("workers").state is FAIL
    Job.objects.create(task="directory.nothing", state=Job.State.DEAD, last_error="ValueError: no\nmore")
    assert judged_by("dead jobs").says.endswith("ValueError: no")


@pytest.mark.django_db
def test_a_pepper_that_living_keys_need_is_missed(settings: Any) -> None:
    agent = make_agent(make_organization("acme"), "runner", now=timezone.now())
    issue_api_key(agent=agent, label="ci", by=SYSTEM, now=timezone.now())
    number = Credential.objects.get().pepper or 0
    assert judged_by("peppers").state is OK
    settings.CREDENTIAL_PEPPERS = {number + 1: b"x" * 32}
    assert f"pepper {number}" in judged_by("peppers").says
    Credential.objects.update(revoked_at=timezone.now())
    assert judged_by("peppers").state is OK


@pytest.mark.django_db
def test_a_changed_signing_key_is_found() -> None:
    SigningKey.objects.create(key_id="former", jwk={}, first_used_at=timezone.now())
    assert "former" in judged_by("signing key").says


@pytest.mark.django_db
def test_a_log_that_was_found_broken_is_told(acme: Organization) -> None:
    data = {"records": 5, "findings": 1}
    record(audit_events.LOG_FOUND_BROKEN, organization_id=acme.pk, by=SYSTEM, data=data)
    assert judged_by("log verified").state is FAIL


@pytest.mark.django_db
def test_an_organization_needs_an_administrator_who_can_sign_in(acme: Organization) -> None:
    make_person(acme, "bob", password="correct horse battery staple")
    assert judged_by("administrators").state is FAIL
    alice = make_person(acme, "alice")
    User.objects.filter(pk=alice.pk).update(console_roles=["security_administrator"])
    assert judged_by("administrators").state is FAIL, "she has no way to sign in"
    alice.set_password("correct horse battery staple")
    alice.save(update_fields=["password"])
    User.objects.filter(pk=alice.pk).update(console_roles=["security_administrator"])
    assert judged_by("administrators").state is OK
    assert "alice" in judged_by("second factors").says
    Organization.objects.update(state="suspended")
    assert "acme" in judged_by("organizations").says


@pytest.mark.django_db
def test_an_organization_that_nobody_was_ever_let_into_is_worth_a_word_beside_others(acme: Organization) -> None:
    alice = make_person(acme, "alice", password="correct horse battery staple")
    User.objects.filter(pk=alice.pk).update(console_roles=["security_administrator"])
    partner = make_organization("ostrand")
    erin = make_person(partner, "erin")
    assert judged_by("administrators").state is WARN
    erin.set_password("correct horse battery staple")
    erin.save(update_fields=["password"])
    found = judged_by("administrators")
    assert found.state is FAIL, "somebody is inside and nobody administers it"
    assert "--organization ostrand " in found.remedy


@pytest.mark.django_db
def test_the_zone_of_an_organization_must_be_known(acme: Organization) -> None:
    assert judged_by("time zones").state is OK
    Organization.objects.update(time_zone="Mars/Olympus")
    assert "Mars/Olympus" in judged_by("time zones").says


def test_an_open_data_directory_and_an_open_key_are_found(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    tmp_path.chmod(0o700)
    assert judged_by("data directory").state is OK
    tmp_path.chmod(0o711)
    assert judged_by("data directory").remedy == f"chmod 700 {tmp_path}"
    settings.DATA_DIR = tmp_path / "gone"
    assert "not there" in judged_by("data directory").says
    secret = tmp_path / "key"
    secret.write_text("k")
    secret.chmod(0o604)
    settings.KEY_FILES = [secret]
    assert judged_by("key files").state is FAIL


def test_redis_that_is_down_or_has_no_such_database_is_found(settings: Any) -> None:
    settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"
    down = judged_by("Redis")
    assert (down.state, down.remedy) == (FAIL, "Start Redis, or put its address into REDIS_URL.")
    assert "hunter2" not in down.says
    settings.REDIS_URL = ""
    assert judged_by("Redis").state is State.SKIPPED


def test_processes_that_count_each_for_itself_are_found(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR, settings.REDIS_URL = tmp_path, ""
    assert judged_by("counters").state is OK
    program = "import sys; from pathlib import Path; from agentiam.kit.measures import Measures as M\n"
    program += "made = M(); made.keep_in(Path(sys.argv[1])); print('kept', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(metrics.directory())]
    living = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in living:
        assert process.stdout is not None
        assert process.stdout.readline() == "kept\n"
    assert "2 server processes" in judged_by("counters").says
    for process in living:
        process.communicate("")
    assert judged_by("counters").state is OK


def test_a_mail_server_that_does_not_answer_is_found(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert judged_by("mail").state is FAIL


def test_somebody_else_under_the_base_url_is_found(settings: Any) -> None:
    settings.BASE_URL = "http://127.0.0.1:1"
    assert judged_by("reached").state is WARN
    settings.BASE_URL = "http://127.0.0.1:9999999"
    assert [each.state for each in examine([Probe("reached", addresses.look_from_outside)])] == [FAIL]


def test_the_file_system_is_that_of_the_deepest_mount() -> None:
    mounts = "/dev/sda1 / ext4 rw 0 0\nserver:/x /srv nfs4 rw 0 0\n/dev/sdb1 /srv/with\\040space xfs rw 0 0\n"
    assert database.filesystem_of(Path("/srv/data/db"), mounts) == "nfs4"
    assert database.filesystem_of(Path("/srv/with space/db"), mounts) == "xfs"
    assert database.filesystem_of(Path("/srvx/db"), mounts) == "ext4"
    assert database.filesystem_of(Path("/srv"), "") == ""


def test_a_look_that_fails_is_a_finding_and_the_rest_is_looked_at() -> None:
    def fail() -> Judgement:
        raise RuntimeError("postgres://me:hunter2@host/db")

    def no_database() -> Judgement:
        raise OperationalError("gone")

    found = list(examine([Probe("a", fail), Probe("b", no_database), Probe("c", lambda: fine("well"))]))
    assert [each.state for each in found] == [FAIL, State.SKIPPED, OK]
    assert "hunter2" not in found[0].says
    assert "OperationalError" in found[1].says


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, int]]:
    """Run the command over some findings; give its output and its exit code."""

    def run(*states: State, json_output: bool = False) -> tuple[str, int]:
        found = [
            Finding(f"check {number}", state, "why", "what to do" if state is not OK else "")
            for number, state in enumerate(states)
        ]
        monkeypatch.setattr("agentiam.management.commands.doctor.examination", lambda: iter(found))
        output = StringIO()
        try:
            call_command("doctor", *(["--json"] if json_output else []), stdout=output)
        except SystemExit as end:
            return output.getvalue(), int(str(end.code))
        return output.getvalue(), 0

    return run


def test_the_command_marks_each_finding_and_ends_with_1_if_anything_is_broken(said: Callable[..., tuple[str, int]]) -> None:
    text, code = said(OK, WARN, State.SKIPPED)
    assert code == 0
    assert text.splitlines()[:3] == ["✓ check 0: why", "! check 1: why", "    → what to do"]
    assert text.splitlines()[-1] == "0 broken, 1 to think about, 3 looked at."
    text, code = said(OK, FAIL)
    assert code == 1
    assert "✗ check 1: why\n    → what to do" in text


def test_the_command_answers_programs_in_json(said: Callable[..., tuple[str, int]]) -> None:
    text, code = said(OK, FAIL, json_output=True)
    assert code == 1
    answer = json.loads(text)
    assert answer["ok"] is False
    assert answer["findings"][1] == {"check": "check 1", "state": "failed", "says": "why", "remedy": "what to do"}
    assert json.loads(said(OK, WARN, json_output=True)[0])["ok"] is True


def test_a_real_installation_with_a_broken_database_is_examined_to_the_end(tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "AGENTIAM_DATA_DIR": str(tmp_path / "data"),
        "DATABASE_URL": "postgres://me:hunter2@127.0.0.1:1/nothing",
    }
    command = [sys.executable, str(ROOT / "manage.py"), "doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    findings = {each["check"]: each for each in json.loads(done.stdout)["findings"]}
    assert set(findings) == {probe.check for probe in PROBES}
    assert findings["database"]["state"] == "failed"
    assert findings["database"]["remedy"].startswith("Start the database")
    assert findings["workers"]["state"] == "skipped"
    assert findings["disk"]["state"] == "ok"
    assert "hunter2" not in done.stdout + done.stderr


def test_an_empty_database_is_told_to_be_migrated(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "AGENTIAM_DATA_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/db"}
    command = [sys.executable, str(ROOT / "manage.py"), "doctor"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert re.search(r"✗ migrations: \d+ migrations are missing", done.stdout)
    assert "Traceback" not in done.stderr


@pytest.mark.django_db
def test_the_clock_of_the_database_is_asked_where_it_has_one() -> None:
    expected = OK if connection.vendor == "postgresql" else State.SKIPPED
    assert judged_by("clock").state is expected
    assert judged_by("database connections").state in {expected, WARN}
    assert (judged_by("embedded database").state is State.SKIPPED) is (connection.vendor == "postgresql")
