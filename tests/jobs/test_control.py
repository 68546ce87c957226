"""Jobs begun anew and called off, by whom, and what is recorded of it."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agentiam.jobs import control
from agentiam.jobs.embedded import run_here
from agentiam.jobs.models import Job
from agentiam.jobs.selectors import queue_status, workers
from agentiam.kit.actors import Actor, system
from agentiam.kit.errors import IllegalTransition
from agentiam.kit.ids import uuid7
from audit.models import Event
from audit.work import ForeignJob, cancel_job, rerun_job
from directory.models import Organization, User
from tests.factories import NOW, make_organization, make_person

STATES = {state.value for state in Job.State}


def make_job(state: str = "waiting", organization: Organization | None = None, **values: object) -> Job:
    given = {"task": "tests.mark", "created_at": NOW, "run_at": NOW} | values
    lease = {"lease_until": NOW + timedelta(hours=1), "leased_by": "host:1:ab/1.1.ff"} if state == "running" else {}
    return Job.objects.create(organization_id=organization and organization.pk, state=state, **lease | given)


def actor(user: User) -> Actor:
    return Actor("person", str(user.pk), user.name, organization_id=user.organization_id, user_id=user.pk)


@pytest.mark.django_db
@pytest.mark.parametrize("state", sorted(STATES))
def test_what_is_given_up_or_called_off_can_be_begun_anew(state: str) -> None:
    job = make_job(state, attempts=8, last_error="RuntimeError: no", progress_done=3, progress_total=4)
    if state not in {"dead", "cancelled"}:
        with pytest.raises(IllegalTransition):
            control.rerun(job.pk, now=NOW)
        assert Job.objects.get().attempts == 8
        return
    job = control.rerun(job.pk, now=NOW)
    assert (job.state, job.attempts, job.run_at, job.progress_done, job.progress_total) == ("waiting", 0, NOW, 0, None)
    assert job.last_error == "RuntimeError: no"
    assert list(Job.objects.due(NOW)) == [job]


@pytest.mark.django_db
@pytest.mark.parametrize("state", sorted(STATES))
def test_what_is_not_over_can_be_called_off(state: str) -> None:
    job = make_job(state)
    if state in {"done", "cancelled"}:
        with pytest.raises(IllegalTransition):
            control.cancel(job.pk, now=NOW)
        assert Job.objects.get().state == state
        return
    job = control.cancel(job.pk, now=NOW)
    assert (job.state, job.lease_until, job.finished_at) == ("cancelled", None, NOW)
    assert list(Job.objects.due(NOW + timedelta(days=9))) == []


@pytest.mark.django_db(transaction=True)
def test_a_job_that_was_called_off_is_not_run() -> None:
    job = make_job(task="tests.unwritten")
    control.cancel(job.pk, now=NOW)
    run_here(job.pk, job.task)
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("cancelled", 0)


@pytest.mark.django_db
def test_who_began_a_job_anew_or_called_it_off_is_recorded() -> None:
    acme = make_organization("acme")
    alice = make_person(acme, "alice")
    job = make_job("dead", acme)
    rerun_job(job=job, by=actor(alice), reason="the mail server is back", now=NOW)
    cancel_job(job=job, by=actor(alice), reason="not needed", now=NOW)
    events = Event.objects.filter(type__startswith="job.").order_by("id")
    assert [(e.type, e.organization_id, e.actor_id, e.target_type, e.target_id, e.reason) for e in events] == [
        ("job.requeued", acme.pk, str(alice.pk), "job", str(job.pk), "the mail server is back"),
        ("job.cancelled", acme.pk, str(alice.pk), "job", str(job.pk), "not needed"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("change", [rerun_job, cancel_job])
def test_nobody_touches_the_job_of_another_organization_nor_one_of_all(change) -> None:
    acme, rival = make_organization("acme"), make_organization("rival")
    mallory = make_person(rival, "mallory")
    for job in (make_job("dead", acme), make_job("dead")):
        with pytest.raises(ForeignJob):
            change(job=job, by=actor(mallory), now=NOW)
        nobody = Actor(kind="person", id=str(uuid7()), label="Nobody")
        with pytest.raises(ForeignJob):
            change(job=job, by=nobody, now=NOW)
        job.refresh_from_db()
        assert job.state == "dead"
    assert not Event.objects.filter(type__startswith="job.").exists()


@pytest.mark.django_db
def test_a_refusal_records_nothing() -> None:
    acme = make_organization("acme")
    with pytest.raises(IllegalTransition):
        rerun_job(job=make_job("done", acme), by=system("tests"), now=NOW)
    assert not Event.objects.filter(type__startswith="job.").exists()


@pytest.mark.django_db
def test_jobs_are_seen_by_those_who_administer_their_organization() -> None:
    acme, rival = make_organization("acme"), make_organization("rival")
    own, foreign, of_all = make_job("dead", acme), make_job("dead", rival), make_job("dead")
    alice, carol, bob = (make_person(acme, name) for name in ("alice", "carol", "bob"))
    mallory = make_person(rival, "mallory")
    administrator = "security_administrator"
    for person, role in ((alice, administrator), (carol, "auditor"), (bob, "approver"), (mallory, administrator)):
        person.console_roles = [role]
        person.save(update_fields=["console_roles"])
    seen = {person.external_id: set(Job.objects.visible_to(person)) for person in (alice, carol, bob, mallory)}
    assert seen == {"alice": {own}, "carol": {own}, "bob": set(), "mallory": {foreign}}
    assert set(Job.objects.permitting(alice, "change_job")) == {own}
    assert set(Job.objects.permitting(carol, "change_job")) == set()
    assert of_all not in set().union(*seen.values())


@pytest.mark.django_db
def test_the_status_counts_what_is_given(django_assert_num_queries) -> None:
    now = timezone.now()
    acme = make_organization("acme")
    make_job(run_at=now - timedelta(minutes=3))
    make_job(run_at=now - timedelta(minutes=1))
    make_job(organization=acme, run_at=now + timedelta(hours=1))
    make_job("dead", acme)
    make_job("running", lease_until=now + timedelta(seconds=9))
    make_job("done")
    with django_assert_num_queries(1):
        status = queue_status(now=now)
    assert (status.waiting, status.due, status.running, status.dead) == (3, 2, 1, 1)
    assert status.lag == timedelta(minutes=3)
    part = queue_status(now=now, jobs=Job.objects.filter(organization_id=acme.pk))
    assert (part.waiting, part.due, part.running, part.dead, part.lag) == (1, 0, 0, 1, timedelta(0))
    assert workers(now=now) == {"host:1": 1}
    assert workers(now=now + timedelta(minutes=1)) == {}


@pytest.mark.django_db
def test_the_command_shows_and_changes() -> None:
    dead = make_job("dead", attempts=8, last_error="RuntimeError: no\nand more")
    out = StringIO()
    call_command("jobs", stdout=out)
    assert "dead 1" in out.getvalue()
    assert f"{dead.pk} tests.mark, 8 times: RuntimeError: no\n" in out.getvalue()
    call_command("jobs", "--rerun", str(dead.pk), "--reason", "again", stdout=out)
    assert Job.objects.get().state == "waiting"
    with pytest.raises(CommandError, match="dead or cancelled"):
        call_command("jobs", "--rerun", str(dead.pk))
    call_command("jobs", "--cancel", str(dead.pk), stdout=out)
    assert Job.objects.get().state == "cancelled"
    with pytest.raises(CommandError, match="There is no job"):
        call_command("jobs", "--cancel", str(uuid7()))
