"""Dormancy: marked once after long silence, with an event; ended by the next sign of life."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from directory.lifecycle import State
from directory.models import Agent
from directory.services import dormancy
from directory.services.credentials import issue_api_key, note_use
from directory.services.dormancy import mark_dormant
from tests.directory.recorded import data_of, event_types, last_event, revision
from tests.directory.test_races import at_once
from tests.factories import NOW, SYSTEM, make_agent, make_organization

MONTH, DAY = timedelta(days=30), timedelta(days=1)


def dormant():
    return set(Agent.objects.filter(dormant_since__isnull=False).values_list("external_id", flat=True))


@pytest.mark.django_db
def test_an_agent_that_was_not_seen_for_long_is_marked_once():
    acme = make_organization("acme")
    never, lately, long_ago = (make_agent(acme, name) for name in ("never", "lately", "long-ago"))
    for state in (State.PENDING, State.SUSPENDED, State.RETIRED):
        make_agent(acme, state.value, state=state)
    Agent.objects.filter(pk=lately.pk).update(last_seen_at=NOW + DAY)
    Agent.objects.filter(pk=long_ago.pk).update(last_seen_at=NOW)
    before, versions = revision(acme), never.history.count()

    assert mark_dormant(now=NOW + MONTH - timedelta(seconds=1)) == 0
    assert mark_dormant(now=NOW + MONTH) == 2
    assert mark_dormant(now=NOW + MONTH + timedelta(hours=1)) == 0
    assert dormant() == {"never", "long-ago"}
    assert Agent.objects.get(pk=never.pk).dormant_since == NOW + MONTH
    event = last_event(acme, "agent.became_dormant")
    assert (event.actor_id, event.at, event.target_id) == ("clock", NOW + MONTH, "long-ago")
    assert data_of(event) == {"last_seen_at": NOW.isoformat(), "days": 30}
    assert event_types(acme).count("agent.became_dormant") == 2
    assert (revision(acme), never.history.count()) == (before, versions)
    assert Agent.objects.get(pk=never.pk).state == "active"


@pytest.mark.django_db
def test_a_use_ends_it_and_a_second_silence_is_marked_again():
    acme = make_organization("acme")
    agent = make_agent(acme, "bot")
    credential, _ = issue_api_key(agent=agent, label="key", by=SYSTEM, now=NOW)
    mark_dormant(now=NOW + MONTH)
    assert note_use(credential=credential, now=NOW + MONTH + DAY)
    assert dormant() == set()
    assert mark_dormant(now=NOW + 2 * MONTH) == 0
    assert mark_dormant(now=NOW + 2 * MONTH + DAY) == 1
    assert event_types(acme).count("agent.became_dormant") == 2


@pytest.mark.django_db
def test_the_threshold_is_a_setting(settings):
    settings.DORMANT_AFTER = DAY
    make_agent(make_organization("acme"))
    assert mark_dormant(now=NOW + DAY) == 1


@pytest.mark.django_db
def test_the_queries_are_as_many_for_one_as_for_twenty(monkeypatch):
    counts = []
    for number in (1, 20):
        acme = make_organization()
        for _ in range(number):
            make_agent(acme)
        with CaptureQueriesContext(connection) as queries:
            assert mark_dormant(now=NOW + MONTH) == number
        counts.append(len(queries))
    assert counts[0] == counts[1]
    monkeypatch.setattr(dormancy, "BATCH", 6)
    Agent.objects.update(dormant_since=None)
    assert mark_dormant(now=NOW + MONTH) == 21


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_at_once_one_marks():
    acme = make_organization("acme")
    for _ in range(3):
        make_agent(acme)
    assert sum(at_once(*[lambda: mark_dormant(now=NOW + MONTH)] * 4)) == 3
    assert event_types(acme).count("agent.became_dormant") == 3
