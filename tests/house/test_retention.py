"""Retention: each kind of row is deleted by its age and nothing else; events are kept for good."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from agentiam.api import jobs as api_jobs
from agentiam.api.models import RememberedAnswer
from agentiam.jobs import retention as jobs_retention
from agentiam.jobs.models import Job
from agentiam.jobs.retention import prune_jobs
from audit.models import Event
from directory.models import Organization, PolicyChange
from directory.services import notices, retention
from directory.services.retention import prune
from permissions.worlds import Worlds
from tests.factories import NOW, make_agent, make_organization, make_person

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
pytestmark = pytest.mark.django_db


def job(state, finished=None, **values):
    values = {"task": f"{state} {finished}", "created_at": NOW - 90 * DAY} | values
    if state == Job.State.RUNNING:
        values["lease_until"] = NOW
    return Job.objects.create(state=state, finished_at=finished, **values)


def test_jobs_go_thirty_days_after_their_end_and_dead_ones_never():
    old, young = NOW - 30 * DAY, NOW - 30 * DAY + timedelta(seconds=1)
    gone = [job(Job.State.DONE, old), job(Job.State.CANCELLED, old), job(Job.State.CANCELLED)]
    kept = [
        job(Job.State.DONE, young),
        job(Job.State.CANCELLED, young),
        job(Job.State.CANCELLED, created_at=NOW),
        job(Job.State.DEAD, old),
        job(Job.State.WAITING),
        job(Job.State.RUNNING),
    ]
    told: list[int] = []
    assert prune_jobs(now=NOW, heard=told.append) == len(gone)
    assert told == [3]
    assert set(Job.objects.all()) == set(kept)
    assert prune_jobs(now=NOW) == 0


def test_a_notice_is_remembered_for_longer_than_it_is_ahead():
    assert max(notices.STEPS) < settings.RETENTION_JOBS


def test_answers_go_after_a_day():
    for number, created_at in enumerate((NOW - 25 * HOUR, NOW - DAY, NOW - 23 * HOUR)):
        RememberedAnswer.objects.create(digest=str(number), fingerprint="f", created_at=created_at)
    assert api_jobs.prune_answers(now=NOW) == 2
    assert RememberedAnswer.objects.get().digest == "2"


def test_sessions_go_when_they_are_over():
    for number, expire_date in enumerate((NOW - HOUR, NOW, NOW + HOUR)):
        Session.objects.create(session_key=str(number), session_data="", expire_date=expire_date)
    assert prune(now=NOW) == 2
    assert Session.objects.get().session_key == "2"


def test_the_record_of_a_session_goes_with_it_however_it_went():
    person = make_person(make_organization("acme"), "dora")
    for key, expire_date in (("over", NOW), ("here", NOW + HOUR)):
        Session.objects.create(session_key=key, session_data="", expire_date=expire_date)
    for key in ("over", "here", "signed out"):
        UserSession.objects.create(user=person, session_key=key, ip="203.0.113.9", user_agent="Firefox")
    assert prune(now=NOW) == 3
    assert UserSession.objects.get().session_key == "here"


def test_what_a_revision_touched_goes_by_its_age_and_readers_do_without():
    acme = make_organization("acme")
    worlds = Worlds()
    before = worlds.current(acme.pk)
    make_agent(acme)
    current = Organization.objects.get(pk=acme.pk).revision
    PolicyChange.objects.filter(organization=acme, revision__lte=current - 1).update(changed_at=NOW - 30 * DAY)
    PolicyChange.objects.filter(organization=acme, revision=current).update(changed_at=NOW)
    old = PolicyChange.objects.filter(changed_at__lt=NOW).count()
    assert old > 1
    assert prune(now=NOW) == old
    assert PolicyChange.objects.get().revision == current
    assert worlds.current(acme.pk).world.revision == current > before.world.revision


def test_much_is_deleted_in_several_steps(monkeypatch):
    for module in (jobs_retention, retention, api_jobs):
        monkeypatch.setattr(module, "_AT_ONCE", 2)
    for number in range(5):
        job(Job.State.DONE, NOW - 90 * DAY)
        RememberedAnswer.objects.create(digest=str(number), fingerprint="f", created_at=NOW - 2 * DAY)
        Session.objects.create(session_key=str(number), session_data="", expire_date=NOW)
    for work in (prune_jobs, prune, api_jobs.prune_answers):
        told: list[int] = []
        assert work(now=NOW, heard=told.append) == 5
        assert told == [2, 4, 5]


def test_no_event_goes():
    acme = make_organization("acme")
    make_agent(acme)
    before = Event.objects.count()
    far = timezone.now() + 9_000 * DAY
    for work in (prune_jobs, prune, api_jobs.prune_answers):
        work(now=far)
    assert Event.objects.count() == before > 0
