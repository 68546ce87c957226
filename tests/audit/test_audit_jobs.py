"""What the clock does for the log: sign, verify, and say what was found; a broken log is a critical event."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import transaction
from django.utils import timezone

from agentiam.jobs.embedded import run_here
from agentiam.jobs.leases import LeaseLost
from agentiam.jobs.models import Job
from agentiam.jobs.queue import enqueue
from agentiam.kit.ids import uuid7
from agentiam.kit.rounds import RoundIncomplete
from audit import events, jobs, selectors, services, watch
from audit.events import Severity
from audit.models import Chain, Checkpoint, Event
from audit.selectors import last_verification
from audit.services import organizations_to_swear
from audit.watch import sign_checkpoints, verify_log, verify_logs
from tests.audit.conftest import AGENT_SUSPENDED
from tests.audit.tampering import event_at, pk, rewrite_from, tamper

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 11, 25, 3, tzinfo=UTC)


def note(organization_id, by, times=1):
    for _ in range(times):
        with transaction.atomic():
            services.record(AGENT_SUSPENDED, organization_id=organization_id, by=by)


def results(organization_id):
    names = [events.LOG_VERIFIED.name, events.LOG_FOUND_BROKEN.name]
    return list(Event.objects.for_organization(organization_id).of_types(names).order_by("id"))


def test_what_no_checkpoint_covers_is_sworn_once(organization_id, alice):
    other = uuid7()
    note(organization_id, alice)
    note(other, alice)
    told: list[int] = []
    assert sign_checkpoints(now=AT, heard=told.append) == 2
    assert told == [1, 2]
    assert organizations_to_swear() == []
    assert sign_checkpoints(now=AT) == 0
    assert {(c.organization_id, c.number, c.at) for c in Checkpoint.objects.all()} == {(organization_id, 1, AT), (other, 1, AT)}


def test_one_organization_that_cannot_be_sworn_stops_no_other(organization_id, alice, monkeypatch):
    other = uuid7()
    note(organization_id, alice)
    note(other, alice)
    sign = services.sign_checkpoint

    def refuse(each, *, at):
        if each == organization_id:
            raise services.CheckpointContended("busy")
        return sign(each, at=at)

    monkeypatch.setattr(watch, "sign_checkpoint", refuse)
    with pytest.raises(RoundIncomplete, match=str(organization_id)):
        sign_checkpoints(now=AT)
    assert organizations_to_swear() == [organization_id]


def test_a_whole_log_is_recorded_as_verified(log):
    assert last_verification(log) is None
    assert verify_logs(now=AT) == 20
    (event,) = results(log)
    assert (event.type, event.at, event.actor_kind, event.actor_id) == ("log.verified", AT, "system", "clock")
    assert json.loads(event.body)["data"] == {"records": 20, "chains": 2, "checkpoints": 2, "unsworn": 0}
    found = last_verification(log)
    assert found is not None
    assert (found.at, found.whole, found.records, found.findings) == (AT, True, 20, 0)
    # The record of it is part of the log, which is whole again.
    assert verify_log(organization_id=log, now=AT + timedelta(days=1)).records == 21


def test_a_broken_log_is_recorded_as_broken_and_stays_so(log, changes, caplog):
    verify_logs(now=AT)
    rewrite_from(changes, 2)
    for day in (1, 2):
        assert verify_logs(now=AT + timedelta(days=day)) == 20 + day
    assert [event.type for event in results(log)] == ["log.verified", "log.found_broken", "log.found_broken"]
    data = json.loads(results(log)[1].body)["data"]
    assert data["findings"] >= 1
    assert {finding["kind"] for finding in data["first"]} == {"changed"}
    assert data["first"][0]["chain"] == str(changes.id)
    found = last_verification(log)
    assert found is not None
    assert (found.at, found.whole) == (AT + timedelta(days=2), False)
    assert found.findings >= 1
    assert [record.levelname for record in caplog.records if record.name == "audit.watch"] == ["CRITICAL"] * 2
    assert events.LOG_FOUND_BROKEN.severity is Severity.CRITICAL
    assert events.LOG_VERIFIED.severity is Severity.INFORMATIONAL


@pytest.mark.parametrize("what", ["cut", "removed"])
def test_to_record_the_result_mends_nothing(log, changes, what):
    last = Chain.objects.get(pk=changes.pk).last_sequence
    gone = event_at(changes, last if what == "cut" else 3)
    statements = [("DELETE FROM audit_event WHERE id = %s", [pk(gone.id)])]
    if what == "cut":
        before = event_at(changes, last - 1)
        values = [before.sequence, before.sequence, before.hash, pk(changes.id)]
        statements.append(
            ("UPDATE audit_chain SET last_sequence = %s, sworn_sequence = %s, last_hash = %s WHERE id = %s", values)
        )
    tamper(*statements)
    for _ in range(3):
        assert not verify_log(organization_id=log, now=AT).whole


def test_a_log_too_broken_to_record_in_fails_loudly_and_stops_no_other(log, changes, alice, caplog):
    other = uuid7()
    note(other, alice)
    # Somebody put a head back: the next record would take the place of one that is there.
    before = event_at(changes, 9)
    values = [9, 9, before.hash, pk(changes.id)]
    tamper(("UPDATE audit_chain SET last_sequence = %s, sworn_sequence = %s, last_hash = %s WHERE id = %s", values))
    with pytest.raises(RoundIncomplete, match=str(log)):
        verify_logs(now=AT)
    assert any(record.levelname == "CRITICAL" and "is broken" in record.message for record in caplog.records)
    assert results(log) == []
    assert [event.type for event in results(other)] == ["log.verified"]


def test_a_verification_says_after_each_page_how_far_it_is(log, alice, monkeypatch):
    other = uuid7()
    note(other, alice, times=5)
    monkeypatch.setattr(selectors, "_PAGE", 4)
    assert selectors.records_in_log() == 25
    told: list[int] = []
    assert verify_logs(now=AT, heard=told.append) == 25
    assert told[-1] == 25
    assert all(0 <= after - before <= 4 for before, after in pairwise([0, *told]))
    # Two chains of ten, one of five: each page of four and each rest is said.
    assert len(set(told)) == 3 + 3 + 2


def test_a_verification_that_is_called_off_ends_in_the_middle_of_a_log(log, monkeypatch):
    monkeypatch.setattr(selectors, "_PAGE", 4)

    def call_off(done):
        if done >= 8:
            raise LeaseLost("cancelled")

    with pytest.raises(LeaseLost):
        verify_logs(now=AT, heard=call_off)
    assert results(log) == []


def test_the_job_shows_how_many_records_of_how_many_are_verified(log):
    with transaction.atomic():
        job = enqueue("audit.verify", arguments={}, organization_id=None, now=timezone.now())
    run_here(job.pk, job.task)
    job.refresh_from_db()
    assert (job.state, job.progress_done, job.progress_total) == (Job.State.DONE, 20, 20)
    assert job.progress_note == "records verified"


def test_the_last_verification_is_that_of_the_organization(log, alice):
    other = uuid7()
    note(other, alice)
    verify_log(organization_id=other, now=AT)
    assert last_verification(log) is None


def test_the_jobs_do_it_now(log, alice):
    note(log, alice)
    started = timezone.now()
    jobs.sign_checkpoints()
    jobs.verify()
    assert Checkpoint.objects.filter(organization_id=log).latest("number").at >= started
    found = last_verification(log)
    assert found is not None
    assert found.at >= started
    assert selectors.verify_organization(log).whole
