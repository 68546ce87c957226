"""An owner who is gone: the clock latches their agents as their deactivation would have, and nobody else's."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from directory.lifecycle import State
from directory.models import Agent, User
from directory.services import ownerless
from directory.services.ownerless import OWNER_GONE, latch_abandoned
from directory.services.people import deactivate_person
from tests.directory.recorded import data_of, event_types, events_of, last_event, last_touched
from tests.directory.test_races import at_once
from tests.factories import NOW, SYSTEM, make_agent, make_organization, make_person


def lose(person):
    """Deactivate somebody in another way than by the service, as a script on the database would."""
    User.objects.filter(pk=person.pk).update(is_active=False)


@pytest.fixture
def acme(db):
    return make_organization("acme")


def test_the_agents_of_somebody_who_is_gone_are_latched_and_stop(acme):
    gone, present = make_person(acme, "gone"), make_person(acme, "present")
    working = make_agent(acme, "working", owner=gone, sponsor=present)
    child = make_agent(parent=working, external_id="child")
    pending = make_agent(acme, "pending", owner=gone, sponsor=present, state=State.PENDING)
    retired = make_agent(acme, "retired", owner=gone, sponsor=present, state=State.RETIRED)
    kept = make_agent(acme, "kept", owner=present, sponsor=gone)
    assert latch_abandoned(now=NOW) == 0
    lose(gone)
    versions = working.history.count()

    assert latch_abandoned(now=NOW) == 3
    states = dict(Agent.objects.values_list("external_id", "state"))
    assert states == {
        "working": "suspended",
        "child": "suspended",
        "pending": "pending",
        "retired": "retired",
        "kept": "active",
    }
    assert set(Agent.objects.filter(ownerless=True)) == {working, child, pending}
    assert Agent.objects.get(pk=retired.pk).ownerless is False
    assert Agent.objects.get(pk=kept.pk).ownerless is False
    event = last_event(acme, "agent.owner_left")
    assert (event.actor_id, event.reason) == ("clock", OWNER_GONE)
    assert data_of(event)["owner"] == "gone"
    assert event_types(acme).count("agent.owner_left") == 3
    assert event_types(acme).count("agent.suspended") == 2
    assert set(last_touched(acme)) == {"agent/working", "agent/child", "agent/pending"}
    assert working.history.count() == versions + 1
    assert working.history.latest().history_change_reason == OWNER_GONE

    happened = len(events_of(acme))
    assert latch_abandoned(now=NOW) == 0
    assert len(events_of(acme)) == happened
    assert child.pk


def test_whoever_was_deactivated_by_the_service_left_nothing_to_do(acme):
    owner = make_person(acme)
    make_agent(acme, owner=owner, sponsor=make_person(acme))
    deactivate_person(person=owner, by=SYSTEM, now=NOW)
    assert latch_abandoned(now=NOW) == 0


def test_an_owner_who_returns_does_not_open_the_latch(acme):
    owner = make_person(acme)
    agent = make_agent(acme, owner=owner)
    lose(owner)
    latch_abandoned(now=NOW)
    User.objects.filter(pk=owner.pk).update(is_active=True)
    latch_abandoned(now=NOW)
    assert Agent.objects.get(pk=agent.pk).ownerless
    assert Agent.objects.get(pk=agent.pk).state == "suspended"


def test_another_organization_is_left_alone(acme):
    gone = make_person(acme)
    make_agent(acme, owner=gone)
    other = make_organization("other")
    theirs = make_agent(other)
    before = len(events_of(other))
    lose(gone)
    assert latch_abandoned(now=NOW) == 1
    assert Agent.objects.get(pk=theirs.pk).state == "active"
    assert len(events_of(other)) == before


def test_the_queries_are_as_many_for_one_as_for_twenty(db, monkeypatch):
    counts = []
    for number in (1, 20):
        organization = make_organization()
        owner = make_person(organization)
        for _ in range(number):
            make_agent(organization, owner=owner)
        lose(owner)
        with CaptureQueriesContext(connection) as queries:
            assert latch_abandoned(now=NOW) == number
        counts.append(len(queries))
    assert counts[0] == counts[1]
    monkeypatch.setattr(ownerless, "BATCH", 4)
    Agent.objects.update(ownerless=False)
    assert latch_abandoned(now=NOW) == 21


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_at_once_one_latches():
    acme = make_organization("acme")
    owner = make_person(acme)
    for _ in range(3):
        make_agent(acme, owner=owner)
    lose(owner)
    assert sum(at_once(*[lambda: latch_abandoned(now=NOW)] * 4)) == 3
    assert event_types(acme).count("agent.owner_left") == 3
