"""The clock as the server runs it: every task of the schedule, by its name, from a row to its end, and all of them together."""

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.core import mail
from django.db import transaction
from django.utils import timezone

from agentiam.jobs import schedule
from agentiam.jobs.models import Job
from agentiam.jobs.queue import enqueue
from audit.models import Checkpoint
from audit.selectors import last_verification
from directory.models import Agent, Organization, PersonKey
from directory.services.person_keys import issue_person_key
from permissions.models import Grant
from tests.directory.recorded import event_types
from tests.factories import NOW, SYSTEM, make_agent, make_organization, make_person
from tests.permissions.factories import make_grant, make_resource_type

pytestmark = pytest.mark.django_db(transaction=True)
CLOCK = {
    "directory.end_expired",
    "permissions.end_expired",
    "directory.latch_ownerless",
    "directory.announce_ends",
    "permissions.announce_ends",
    "permissions.lapse_signs",
    "permissions.prune_signs",
    "directory.mark_dormant",
    "audit.sign_checkpoints",
    "audit.verify",
    "directory.prune",
    "audit.prune_jobs",
    "api.prune_answers",
}


@pytest.fixture(autouse=True)
def _tasks() -> None:
    """Load the tasks, as whoever runs jobs does at its start."""
    schedule.declared()


def run(job: Job) -> str:
    """Do a job as a runner does, and answer how it ended."""
    current_app.tasks[job.task].apply(task_id=str(job.pk), throw=True)
    job.refresh_from_db()
    return f"{job.task} {job.state} {job.last_error}".strip()


def waiting() -> list[Job]:
    return list(Job.objects.filter(state=Job.State.WAITING).order_by("created_at", "pk"))


def day_of_the_clock() -> None:
    """Run everything that the clock does, with what comes of it."""
    for name in sorted(CLOCK):
        with transaction.atomic():
            enqueue(name, arguments={}, organization_id=None, now=timezone.now())
    while jobs := waiting():
        for job in jobs:
            assert run(job) == f"{job.task} done"


def test_everything_that_the_clock_does_is_in_the_schedule() -> None:
    assert {entry.task for entry in schedule.declared()} >= CLOCK


def test_in_an_empty_house_there_is_nothing_to_do() -> None:
    day_of_the_clock()
    assert not Checkpoint.objects.exists()
    assert mail.outbox == []


@pytest.fixture
def acme() -> Organization:
    """Make an organization long ago, in which something has ended since, and something is about to."""
    acme = make_organization("acme")
    make_resource_type(acme)
    bob = make_person(acme, "bob", email="bob@acme.example")
    ahead: Any = timezone.now() + timedelta(days=2)
    make_agent(acme, "over", owner=bob, expires_at=NOW + timedelta(days=30))
    make_agent(acme, "ending", owner=bob, expires_at=ahead)
    make_grant(acme, bob, ends_at=NOW + timedelta(days=30))
    make_grant(acme, bob, ends_at=ahead)
    issue_person_key(user=bob, label="script", expires_at=NOW + timedelta(days=30), by=SYSTEM, now=NOW)
    Grant.objects.update(created_at=NOW)
    return acme


def test_a_day_of_the_clock(acme: Organization) -> None:
    day_of_the_clock()
    assert dict(Agent.objects.values_list("external_id", "state")) == {"over": "retired", "ending": "active"}
    assert Grant.objects.filter(ended_at__isnull=False).count() == 1
    assert PersonKey.objects.get().expiry_noted_at is not None
    assert {"agent.became_dormant", "grant.expired", "person_key.expired", "agent.retired"} <= set(event_types(acme))
    found = last_verification(acme.pk)
    assert found is not None
    assert found.whole
    assert sorted(message.subject.partition("“")[0] for message in mail.outbox) == ["The agent ", "The grant "]
    assert {tuple(message.to) for message in mail.outbox} == {("bob@acme.example",)}

    # Another day changes nothing, except that the log was looked at again.
    happened = event_types(acme)
    day_of_the_clock()
    assert event_types(acme) == [*happened, "log.verified"]
    assert len(mail.outbox) == 2


def test_a_mail_that_is_refused_is_tried_again(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> int:
        raise ConnectionRefusedError("no mail server")

    with transaction.atomic():
        enqueue("directory.announce_ends", arguments={}, organization_id=None, now=timezone.now())
    announce, *_ = waiting()
    run(announce)
    deliver, *_ = waiting()
    run(deliver)
    (job,) = waiting()
    with monkeypatch.context() as patched:
        patched.setattr("django.core.mail.EmailMessage.send", refuse)
        assert run(job) == "directory.mail_notice waiting ConnectionRefusedError: no mail server"
    assert mail.outbox == []
    Job.objects.filter(pk=job.pk).update(run_at=timezone.now())
    assert run(job).startswith("directory.mail_notice done")
    assert len(mail.outbox) == 1
