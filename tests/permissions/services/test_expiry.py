"""The clock's bookkeeping of what is allowed: each end once, with an event and a version, and it bites whoever's clock lags."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentiam.kit.rounds import RoundIncomplete
from audit.models import Attestation, Event
from directory.lifecycle import State
from directory.models import Agent
from directory.services.agents import AgentProfile, update_agent
from directory.services.credentials import issue_api_key
from directory.services.runs import start_run
from permissions.engine import evaluate
from permissions.engine.types import Question
from permissions.models import Grant, RoleAssignment, Trust
from permissions.questions import needs
from permissions.services import expiry
from permissions.services.application_keys import issue_application_key
from permissions.services.expiry import OVER, end_expired
from permissions.services.grants import end_grant
from permissions.worlds import Worlds
from tests.directory.recorded import data_of, event_types, events_of, last_event, last_touched, revision
from tests.directory.test_races import at_once
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_organization, make_person, make_team
from tests.permissions.factories import (
    make_application,
    make_assignment,
    make_consent,
    make_delegation,
    make_grant,
    make_resource_type,
    make_role,
    make_trust,
    spec,
)
from tests.permissions.services.conftest import make_cast

HOUR = timedelta(hours=1)
SOON = NOW + HOUR
LATER = NOW + 2 * HOUR


class House:
    """An organization with what one more of each kind needs."""

    def __init__(self, slug=""):
        self.organization = make_organization(slug)
        self.record = make_resource_type(self.organization)
        self.role = make_role(self.organization, "", spec())
        self.application = make_application(self.organization)
        self.person = make_person(self.organization)

    def agent(self):
        return make_agent(self.organization, owner=self.person)


def a_key(house):
    return issue_application_key(application=house.application, label="k", expires_at=SOON, by=SYSTEM, now=NOW)[0]


def a_grant(house):
    return make_grant(house.organization, house.agent().user, ends_at=SOON)


def a_teams_grant(house):
    return make_grant(house.organization, make_team(house.organization), ends_at=SOON)


def an_assignment(house):
    return make_assignment(house.role, house.person, ends_at=SOON)


def a_consent(house):
    return make_consent(house.person, house.agent(), house.record, ends_at=SOON)


def a_delegation(house):
    return make_delegation(house.agent(), house.agent(), ends_at=SOON)


KINDS = {
    "application_key": (a_key, "application_key.expired", "expiry_noted_at"),
    "grant": (a_grant, "grant.expired", "ended_at"),
    "teams_grant": (a_teams_grant, "grant.expired", "ended_at"),
    "assignment": (an_assignment, "assignment.expired", "ended_at"),
    "consent": (a_consent, "consent.expired", "ended_at"),
    "delegation": (a_delegation, "delegation.expired", "ended_at"),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.mark.django_db
def test_what_is_over_ends_once_with_an_event_and_a_version(kind):
    make, event_type, field = kind
    acme, elsewhere = House("acme"), House("elsewhere")
    thing, foreign = make(acme), make(elsewhere)
    ends = "expires_at" if field == "expiry_noted_at" else "ends_at"
    type(foreign).objects.filter(pk=foreign.pk).update(**{ends: LATER + HOUR})
    events, foreign_events = len(events_of(acme.organization)), len(events_of(elsewhere.organization))
    number = revision(acme.organization)

    assert end_expired(now=SOON - timedelta(microseconds=1)) == 0
    assert end_expired(now=LATER) == 1

    thing.refresh_from_db()
    assert getattr(thing, field) == LATER
    version = thing.history.latest()
    seen = (getattr(version, field), version.history_date, version.history_user, version.history_change_reason)
    assert seen == (LATER, LATER, None, OVER)
    (event,) = events_of(acme.organization)[events:]
    assert (event.type, event.at, event.actor_kind, event.actor_id) == (event_type, LATER, "system", "clock")
    assert (event.reason, event.target_id) == (OVER, str(thing.pk))
    assert data_of(event)[ends] == SOON.isoformat()
    assert revision(acme.organization) == number + 1

    foreign.refresh_from_db()
    assert getattr(foreign, field) is None
    assert len(events_of(elsewhere.organization)) == foreign_events

    versions = thing.history.count()
    assert end_expired(now=LATER + HOUR / 2) == 0
    assert (len(events_of(acme.organization)), thing.history.count()) == (events + 1, versions)


@pytest.mark.django_db
def test_the_queries_are_as_many_for_one_as_for_twenty(kind):
    counts = []
    for number in (1, 20):
        house = House()
        for _ in range(number):
            kind[0](house)
        with CaptureQueriesContext(connection) as queries:
            assert end_expired(now=LATER) == number
        counts.append(len(queries))
    assert counts[0] == counts[1]


def effect(worlds, organization, subject, **more):
    """Ask what would be allowed by a clock that lags: half an hour before the end."""
    question = Question(subject=subject, action="read", type="record", resource="r1", now=NOW + HOUR / 2, **more)
    known = worlds.with_needs(worlds.current(organization.pk), needs(question))
    return evaluate.decide(known.world, question).effect.value


def test_an_end_bites_in_a_world_that_was_read_before_it(cast):
    delegated = {"delegation": ("agent/planner",)}
    for_bob = {"on_behalf_of": "user/bob"}
    make_grant(cast.acme, cast.planner.user, delegate=True)
    make_grant(cast.acme, cast.bob)
    everything = {"grant": "agent/crm-bot", "assignment": "user/carol", "teams": "user/bob"}
    grant = make_grant(cast.acme, cast.agent.user, ends_at=SOON)
    role = make_role(cast.acme, "reader", spec())
    make_assignment(role, cast.carol, ends_at=SOON)
    consent = make_consent(cast.bob, cast.agent, cast.record, ends_at=SOON)
    make_delegation(cast.planner, cast.agent, ends_at=SOON)

    worlds = Worlds()
    assert effect(worlds, cast.acme, everything["grant"]) == "allow"
    assert effect(worlds, cast.acme, everything["assignment"]) == "allow"
    assert effect(worlds, cast.acme, "agent/crm-bot", **for_bob) == "allow"
    assert effect(worlds, cast.acme, "agent/crm-bot", **delegated) == "allow"
    assert end_expired(now=LATER) == 4
    assert effect(worlds, cast.acme, everything["grant"]) == "deny"
    assert effect(worlds, cast.acme, everything["assignment"]) == "deny"

    # The agent's own grant anew: what its user and the other agent let it do stays over.
    make_grant(cast.acme, cast.agent.user)
    assert effect(worlds, cast.acme, "agent/crm-bot") == "allow"
    assert effect(worlds, cast.acme, "agent/crm-bot", **for_bob) == "deny"
    assert effect(worlds, cast.acme, "agent/crm-bot", **delegated) == "deny"
    assert grant.history.count() == consent.history.count() == 2


def test_a_partners_agent_loses_its_grant_under_both_of_its_names(cast):
    make_trust(cast.acme, cast.elsewhere)
    grant = make_grant(cast.acme, cast.foreign_agent.user, ends_at=SOON)
    theirs = len(events_of(cast.elsewhere))
    assert end_expired(now=LATER) == 1
    assert set(last_touched(cast.acme)) == {"agent/foreign", f"agent/{cast.foreign_agent.spiffe_id}"}
    assert len(events_of(cast.elsewhere)) == theirs
    grant.refresh_from_db()
    assert grant.ended_at == LATER


def test_what_somebody_ended_is_not_ended_again(cast):
    grant = make_grant(cast.acme, cast.alice, ends_at=SOON)
    end_grant(grant=grant, by=cast.by, now=NOW)
    assert end_expired(now=LATER) == 0
    grant.refresh_from_db()
    assert grant.ended_at == NOW
    assert "grant.expired" not in event_types(cast.acme)


def test_a_trust_ends_once_in_the_logs_of_both_sides(cast):
    trust = make_trust(cast.acme, cast.elsewhere, ends_at=SOON)
    back = make_trust(cast.elsewhere, cast.acme, ends_at=LATER + HOUR)
    numbers = revision(cast.acme), revision(cast.elsewhere)
    assert end_expired(now=SOON - timedelta(seconds=1)) == 0
    assert end_expired(now=LATER) == 1
    assert end_expired(now=LATER) == 0
    trust.refresh_from_db()
    back.refresh_from_db()
    assert (trust.ended_at, back.ended_at) == (LATER, None)
    assert trust.history.latest().history_change_reason == OVER
    for side in (cast.acme, cast.elsewhere):
        event = last_event(side, "trust.expired")
        assert (event.actor_id, event.target_id) == ("clock", str(trust.pk))
        assert event_types(side).count("trust.expired") == 1
    assert (revision(cast.acme), revision(cast.elsewhere)) == (numbers[0] + 1, numbers[1] + 1)
    assert make_trust(cast.acme, cast.elsewhere).ended_at is None


class TestAgents:
    """An agent whose time is over is retired like any other, with all that descends from it."""

    def test_it_goes_with_its_children_and_everything_they_hold(self, cast):
        parent = make_agent(
            cast.acme, "short", expires_at=SOON, blueprint=make_blueprint(cast.acme, spawn_depth=1, spawn_children=2)
        )
        child = make_agent(parent=parent, external_id="child")
        credential, _ = issue_api_key(agent=child, label="key", by=SYSTEM, now=NOW)
        run = start_run(agent=parent, task_id="T", by=SYSTEM, now=NOW)
        grant = make_grant(cast.acme, parent.user)
        others = {agent.pk: agent.state for agent in Agent.objects.exclude(pk__in=[parent.pk, child.pk])}

        assert end_expired(now=SOON - timedelta(seconds=1)) == 0
        assert end_expired(now=LATER) == 1
        assert end_expired(now=LATER) == 0
        assert {agent.state for agent in Agent.objects.filter(pk__in=[parent.pk, child.pk])} == {"retired"}
        assert not Agent.objects.get(pk=child.pk).user.is_active
        for row in (credential, run):
            row.refresh_from_db()
        assert credential.revoked_at == run.ended_at == LATER
        grant.refresh_from_db()
        assert grant.ended_at == LATER
        assert Attestation.objects.filter(kind="offboarding", target_id="short").count() == 1
        retired = [event for event in events_of(cast.acme) if event.type == "agent.retired"]
        assert {event.target_id for event in retired} == {"short", "child"}
        assert {(event.actor_id, event.reason) for event in retired} == {("clock", OVER)}
        assert len(retired) == 2
        assert event_types(cast.acme).count("agent.offboarded") == 1
        assert {agent.pk: agent.state for agent in Agent.objects.filter(pk__in=others)} == others

    def test_one_that_got_a_later_end_stays(self, cast, monkeypatch):
        agent = make_agent(cast.acme, "short", expires_at=SOON)
        lock = expiry.lock_agent

        def prolong_first(found, *, by):
            profile = AgentProfile(name="Short", purpose="Works on.", expires_at=LATER + HOUR)
            update_agent(agent=found, profile=profile, by=cast.by, now=NOW)
            return lock(found, by=by)

        monkeypatch.setattr(expiry, "lock_agent", prolong_first)
        assert end_expired(now=LATER) == 0
        assert Agent.objects.get(pk=agent.pk).state == "active"

    def test_one_that_cannot_be_retired_holds_up_no_other(self, cast, monkeypatch):
        agents = [make_agent(cast.acme, f"short-{number}", expires_at=SOON) for number in range(3)]
        make_grant(cast.acme, cast.alice, ends_at=SOON)
        retire = expiry._retire

        def refuse(agent, *, now):
            if agent.external_id == "short-1":
                raise RuntimeError("something is left")
            return retire(agent, now=now)

        monkeypatch.setattr(expiry, "_retire", refuse)
        with pytest.raises(RoundIncomplete, match=f"retiring agents in {cast.acme.pk}"):
            end_expired(now=LATER)
        assert [Agent.objects.get(pk=agent.pk).state for agent in agents] == ["retired", "active", "retired"]
        assert not Grant.objects.filter(ended_at__isnull=True).exists()

    def test_there_may_be_more_than_a_batch_of_them(self, cast, monkeypatch):
        monkeypatch.setattr(expiry, "BATCH", 2)
        for number in range(5):
            make_agent(cast.acme, f"short-{number}", expires_at=SOON)
        assert end_expired(now=LATER) == 5

    def test_a_retired_or_suspended_one(self, cast):
        make_agent(cast.acme, "retired", expires_at=SOON, state=State.RETIRED)
        suspended = make_agent(cast.acme, "suspended", expires_at=SOON, state=State.SUSPENDED)
        assert end_expired(now=LATER) == 1
        assert Agent.objects.get(pk=suspended.pk).state == "retired"


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_at_once_one_ends_each():
    cast = make_cast()
    house = House("house")
    for make, *_ in KINDS.values():
        make(house)
    make_agent(cast.acme, "short", expires_at=SOON)
    make_trust(cast.acme, cast.elsewhere, ends_at=SOON)
    make_trust(cast.elsewhere, cast.acme, ends_at=SOON)
    done = at_once(*[lambda: end_expired(now=LATER)] * 4)
    assert sum(done) == len(KINDS) + 3
    by_clock = Event.objects.filter(actor_id="clock")
    ended = by_clock.filter(organization_id=house.organization.pk).values_list("type", flat=True)
    assert sorted(ended) == sorted(event_type for _, event_type, _ in KINDS.values())
    ours = by_clock.filter(organization_id=cast.acme.pk).values_list("type", flat=True)
    assert sorted(ours) == ["agent.offboarded", "agent.retired", "trust.expired", "trust.expired"]
    assert Trust.history.filter(ended_at__isnull=False).count() == 2
    assert RoleAssignment.history.filter(ended_at__isnull=False).count() == 1
