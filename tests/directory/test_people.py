"""People come and go, and the agents they own stop."""

from importlib import import_module

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from agentiam.kit.errors import IllegalTransition
from directory.lifecycle import State
from directory.models import Agent, User
from directory.services.access import give_access
from directory.services.handover import SpawnedAgent, transfer_agent
from directory.services.onboarding import OnlyAPerson
from directory.services.people import (
    NotAPerson,
    RightsNotYours,
    create_person,
    deactivate_person,
    reactivate_person,
    update_person,
)
from directory.services.revisions import ForeignOrganization
from directory.services.sessions import delete_sessions
from directory.services.suspension import resume_agent
from directory.services.transitions import AgentIsOver, AgentOwnerless, NobodyAccountable
from directory.services.versions import InvalidRecord
from tests.directory.recorded import data_of, event_types, events_of, last_event, last_touched
from tests.factories import NOW, SYSTEM, make_agent, make_person


def test_a_person_is_created_with_or_without_a_password(cast):
    person = create_person(
        organization=cast.acme, external_id="dave", username="dave", name="Dave", password="correct horse", by=SYSTEM, now=NOW
    )
    assert User.objects.get(pk=person.pk).check_password("correct horse")
    assert not make_person(cast.acme).has_usable_password()


def test_only_the_system_makes_a_superuser(cast):
    with pytest.raises(RightsNotYours):
        make_person(cast.acme, is_superuser=True, by=cast.alice.as_actor())
    assert make_person(cast.acme, is_superuser=True).is_superuser


@pytest.mark.parametrize(
    "values", [{"external_id": "bob"}, {"username": "bob@acme.example"}, {"email": "nobody"}, {"name": ""}]
)
def test_what_is_taken_or_malformed_is_refused_in_words(cast, values):
    given = {"organization": cast.acme, "external_id": "dave", "username": "dave", "name": "Dave"} | values
    with pytest.raises(InvalidRecord) as refused:
        create_person(**given, by=SYSTEM, now=NOW)
    assert "UNIQUE" not in refused.value.message
    assert refused.value.message
    # The transaction is usable after a refusal.
    assert User.objects.filter(organization=cast.acme).count() == 4


def test_a_text_that_not_every_database_can_hold_is_refused_in_words(cast):
    for values in ({"name": "D\0"}, {"attributes": {"a": "\0"}}, {"attributes": {"a": [{"\0": 1}]}}):
        with pytest.raises(InvalidRecord, match="cannot be stored"):
            make_person(cast.acme, **values)
    assert User.objects.filter(organization=cast.acme).count() == 4


def test_a_person_and_an_agent_may_share_an_external_id(cast):
    assert make_person(cast.acme, cast.agent.external_id)


def test_the_log_names_changed_fields_of_a_person_and_not_their_values(cast):
    update_person(person=cast.bob, name="Bob", email="bob@acme.example", attributes={"salary": 7}, by=SYSTEM, now=NOW)
    event = last_event(cast.acme, "person.updated")
    assert data_of(event) == {"changed": ["attributes", "email"]}
    assert User.objects.get(pk=cast.bob.pk).attributes == {"salary": 7}


def test_an_agents_account_is_not_a_person(cast):
    for service in (deactivate_person, reactivate_person):
        with pytest.raises(NotAPerson):
            service(person=cast.agent.user, by=SYSTEM, now=NOW)


def test_deactivating_twice_and_reactivating_an_active_person_are_refused(cast):
    with pytest.raises(IllegalTransition):
        reactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    with pytest.raises(IllegalTransition):
        deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)


def test_nobody_touches_people_of_another_organization(cast):
    with pytest.raises(ForeignOrganization):
        deactivate_person(person=cast.bob, by=cast.mallory.as_actor(), now=NOW)


def test_when_an_owner_leaves_their_agents_are_ownerless_and_the_active_ones_suspended(cast):
    states = [State.DISCOVERED, State.PENDING, State.SUSPENDED, State.RETIRED]
    agents = {state: make_agent(cast.acme, state.value, state=state, owner=cast.bob) for state in states}
    others = make_agent(cast.acme, "others", owner=cast.carol)
    seen = len(events_of(cast.acme))
    deactivate_person(person=cast.bob, by=cast.alice.as_actor(), reason="Left.", now=NOW)

    crm = Agent.objects.get(pk=cast.agent.pk)
    assert (crm.state, crm.ownerless) == (State.SUSPENDED, True)
    for state in (State.DISCOVERED, State.PENDING, State.SUSPENDED):
        agent = Agent.objects.get(pk=agents[state].pk)
        assert (agent.state, agent.ownerless) == (state, True)
    retired = Agent.objects.get(pk=agents[State.RETIRED].pk)
    assert (retired.state, retired.ownerless) == (State.RETIRED, False)
    assert not Agent.objects.get(pk=others.pk).ownerless

    happened = [(event.type, event.target_id) for event in events_of(cast.acme)[seen:]]
    assert [target for kind, target in happened if kind == "agent.owner_left"] == [
        "crm-bot",
        "discovered",
        "pending",
        "suspended",
    ]
    assert [target for kind, target in happened if kind == "agent.suspended"] == ["crm-bot"]
    assert happened[-1] == ("person.deactivated", "bob")
    assert {"agent/crm-bot", "agent/pending", "user/bob"} <= set(last_touched(cast.acme))


def test_coming_back_does_not_unlatch(cast):
    deactivate_person(person=cast.bob, by=SYSTEM, now=NOW)
    person = reactivate_person(person=cast.bob, by=SYSTEM, now=NOW)
    assert person.is_active
    assert person.deactivated_at is None
    assert Agent.objects.get(pk=cast.agent.pk).ownerless
    with pytest.raises(AgentOwnerless):
        resume_agent(agent=cast.agent, by=SYSTEM, now=NOW)


def test_taking_over_unlatches_and_resuming_is_another_step(cast):
    child = make_agent(parent=cast.agent)
    deactivate_person(person=cast.bob, by=SYSTEM, now=NOW)
    with pytest.raises(OnlyAPerson):
        transfer_agent(agent=cast.agent, owner=cast.carol, sponsor=cast.alice, by=SYSTEM, now=NOW)
    agent = transfer_agent(
        agent=cast.agent, owner=cast.carol, sponsor=cast.alice, by=cast.alice.as_actor(), reason="Mine now.", now=NOW
    )
    assert (agent.pk, agent.owner, agent.sponsor, agent.sponsor_team) == (cast.agent.pk, cast.carol, cast.alice, None)
    assert (agent.state, agent.ownerless) == (State.SUSPENDED, False)
    below = Agent.objects.get(pk=child.pk)
    assert (below.owner, below.ownerless, below.state) == (cast.carol, False, State.SUSPENDED)
    assert event_types(cast.acme)[-2:] == ["agent.transferred"] * 2
    assert resume_agent(agent=cast.agent, by=SYSTEM, now=NOW).state == State.ACTIVE


def test_whoever_no_longer_answers_for_an_agent_keeps_no_right_to_take_it_back(cast):
    dave = make_person(cast.acme, "dave")
    agent = make_agent(cast.acme, "handed-on", owner=cast.bob, sponsor=dave)
    child = make_agent(parent=agent, external_id="handed-on-child")
    other = make_agent(cast.acme, "other")
    for thing, right, to in (
        (agent, "manage_agent", cast.bob),
        (child, "manage_agent", cast.bob),
        (agent, "approve_agent", dave),
        (agent, "operate_agent", cast.carol),
        (other, "manage_agent", cast.bob),
    ):
        give_access(thing=thing, right=right, to=to, by=SYSTEM, now=NOW)
    by = cast.alice.as_actor()
    transfer_agent(agent=agent, owner=cast.alice, sponsor=dave, by=by, reason="Bob left the team.", now=NOW)
    manages = Agent.objects.permitting(User.objects.get(pk=cast.bob.pk), "manage_agent")
    assert not manages.filter(pk__in=[agent.pk, child.pk]).exists()
    assert manages.filter(pk=other.pk).exists()
    kept = set(agent.agentuserpermission_set.values_list("user__external_id", "permission__codename"))
    assert kept == {("dave", "approve_agent"), ("carol", "operate_agent")}
    assert event_types(cast.acme).count("access.withdrawn") == 2
    event = last_event(cast.acme, "access.withdrawn")
    assert (data_of(event)["right"], data_of(event)["to"]["id"]) == ("manage_agent", "bob")
    assert event.reason == "Bob left the team."
    transfer_agent(agent=agent, owner=dave, sponsor_team=cast.sales, by=by, now=NOW)
    assert agent.agentuserpermission_set.filter(user=dave).exists(), "who was the sponsor is the owner now"
    transfer_agent(agent=agent, owner=cast.alice, sponsor_team=cast.sales, by=by, now=NOW)
    assert not agent.agentuserpermission_set.filter(user=dave).exists()


def test_a_transfer_is_to_those_who_can_answer(cast):
    by = cast.alice.as_actor()
    deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    for values in ({"owner": cast.carol, "sponsor": cast.bob}, {"owner": cast.bob, "sponsor": cast.carol}, {"owner": cast.bob}):
        with pytest.raises(NobodyAccountable):
            transfer_agent(agent=cast.agent, **values, by=by, now=NOW)
    with pytest.raises(ForeignOrganization):
        transfer_agent(agent=cast.agent, owner=cast.mallory, sponsor=cast.bob, by=by, now=NOW)


def test_a_spawned_or_retired_agent_is_not_transferred(cast):
    by = cast.alice.as_actor()
    with pytest.raises(SpawnedAgent):
        transfer_agent(agent=make_agent(parent=cast.agent), owner=cast.bob, sponsor=cast.bob, by=by, now=NOW)
    retired = make_agent(cast.acme, state=State.RETIRED)
    with pytest.raises(IllegalTransition):
        transfer_agent(agent=retired, owner=cast.bob, sponsor=cast.bob, by=by, now=NOW)


def test_an_agent_is_not_resumed_while_its_owner_is_inactive_or_after_its_end(cast):
    from datetime import timedelta

    agent = make_agent(cast.acme, state=State.SUSPENDED, owner=cast.carol, expires_at=NOW + timedelta(days=1))
    with pytest.raises(AgentIsOver):
        resume_agent(agent=agent, by=SYSTEM, now=NOW + timedelta(days=1))
    # An owner who is inactive without the latch: an import that wrote the row directly.
    User.objects.filter(pk=cast.carol.pk).update(is_active=False)
    with pytest.raises(NobodyAccountable):
        resume_agent(agent=agent, by=SYSTEM, now=NOW)


def test_when_a_sponsor_leaves_the_agent_goes_on_and_the_log_says_so(cast):
    agent = make_agent(cast.acme, "sponsored", owner=cast.bob, sponsor=cast.carol)
    deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    assert Agent.objects.get(pk=agent.pk).state == State.ACTIVE
    assert last_event(cast.acme, "agent.sponsor_left").target_id == "sponsored"


def test_leaving_ends_the_persons_sessions_and_nobody_elses(cast, client):
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for person in (cast.bob, cast.bob, cast.carol):
        session = store()
        session["_auth_user_id"] = str(person.pk)
        session.create()
    deactivate_person(person=cast.bob, by=SYSTEM, now=NOW)
    assert [session.get_decoded()["_auth_user_id"] for session in Session.objects.all()] == [str(cast.carol.pk)]
    assert data_of(last_event(cast.acme, "person.deactivated"))["sessions"] == 2


def session_of(person, *, recorded_for=None):
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session["_auth_user_id"] = str(person.pk)
    session.create()
    if recorded_for is not None:
        UserSession.objects.create(user=recorded_for, session_key=session.session_key, ip="203.0.113.9", user_agent="Firefox")
    return session.session_key


def test_sessions_with_a_record_are_found_without_reading_those_of_others(cast, monkeypatch):
    mine = session_of(cast.bob, recorded_for=cast.bob), session_of(cast.bob)
    theirs = session_of(cast.carol, recorded_for=cast.carol)
    read = []
    decode = Session.get_decoded

    def get_decoded(session):
        read.append(session.session_key)
        return decode(session)

    monkeypatch.setattr(Session, "get_decoded", get_decoded)
    assert delete_sessions(cast.bob, now=timezone.now()) == 2
    assert sorted(read) == sorted(mine)
    assert Session.objects.get().session_key == UserSession.objects.get().session_key == theirs


def test_what_is_in_a_session_says_whose_it_is_and_not_its_record(cast):
    session_of(cast.carol, recorded_for=cast.bob)
    assert delete_sessions(cast.bob, now=timezone.now()) == 0
    assert Session.objects.count() == 1, "carol's, whatever its record says"
