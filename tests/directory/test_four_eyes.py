"""Whoever owns an agent, or made it what it is, wants to judge it: as its sponsor, by its key, after giving it away."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agentiam.kit.errors import NotAllowed
from directory.lifecycle import State
from directory.models import Agent, AgentGroupPermission
from directory.services.access import give_access
from directory.services.agents import AgentProfile, LaterEnd, register_agent, update_agent
from directory.services.answering import answers_for
from directory.services.credentials import issue_api_key, revoke_credential
from directory.services.fingerprints import OwnChange, report_fingerprints, review_agent
from directory.services.handover import transfer_agent
from directory.services.onboarding import (
    OnlyAPerson,
    OwnRegistration,
    SignOffsMissing,
    activate_agent,
    approve_onboarding,
    missing_sign_offs,
    who_may_sign,
)
from directory.services.rights import WidensOneself
from directory.services.suspension import resume_agent
from directory.services.transitions import ReviewNeeded
from tests.directory.recorded import data_of, last_event
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_person, make_team


@pytest.fixture
def waiting(cast):
    """An agent of bob's that waits for one person, sponsored by carol."""
    blueprint = make_blueprint(cast.acme, sign_offs=1)
    return make_agent(cast.acme, "waiting", owner=cast.bob, sponsor=cast.carol, blueprint=blueprint, state=State.PENDING)


def sign(agent, person):
    return approve_onboarding(agent=agent, by=person.as_actor(), now=NOW)


def edited(agent, by, **values):
    agent = Agent.objects.get(pk=agent.pk)
    return update_agent(agent=agent, profile=replace(AgentProfile.of(agent), **values), by=by, now=NOW)


def test_an_owner_who_makes_themselves_the_sponsor_does_not_sign_off(cast, waiting):
    transfer_agent(agent=waiting, owner=cast.bob, sponsor=cast.bob, by=cast.bob.as_actor(), now=NOW)
    boss = make_person(cast.acme, "boss", console_roles=["approver"])
    with pytest.raises(OwnRegistration) as refused:
        sign(waiting, cast.bob)
    assert "Boss" in refused.value.remedy
    assert set(who_may_sign(waiting)) == {boss}
    assert Agent.objects.get(pk=waiting.pk).state == State.PENDING
    assert sign(waiting, boss).state == State.ACTIVE


def test_an_owner_does_not_sign_off_after_giving_the_agent_away(cast, waiting):
    transfer_agent(agent=waiting, owner=cast.carol, sponsor=cast.bob, by=cast.alice.as_actor(), now=NOW)
    for person in (cast.bob, cast.carol):
        with pytest.raises(OwnRegistration):
            sign(waiting, person)


def test_a_yes_does_not_count_once_the_one_who_gave_it_owns_or_changes_the_agent(cast):
    blueprint = make_blueprint(cast.acme, sign_offs=2)
    pending = make_agent(cast.acme, owner=cast.bob, blueprint=blueprint, state=State.PENDING)
    sign(pending, cast.carol)
    assert missing_sign_offs(pending) == 1
    edited(pending, cast.carol.as_actor(), name="Renamed")
    assert missing_sign_offs(pending) == 2
    dave = make_person(cast.acme, "dave")
    sign(pending, dave)
    transfer_agent(agent=pending, owner=dave, sponsor=cast.bob, by=cast.carol.as_actor(), now=NOW)
    assert missing_sign_offs(Agent.objects.get(pk=pending.pk)) == 2
    with pytest.raises(SignOffsMissing):
        activate_agent(agent=pending, by=SYSTEM, now=NOW)


def test_what_an_agent_registered_nobody_signs_off_who_answers_for_that_agent(cast):
    sponsor, teammate = make_person(cast.acme, "sponsor"), make_person(cast.acme, "teammate")
    mine = make_agent(cast.acme, "mine", owner=cast.bob, sponsor=sponsor)
    shared = make_agent(cast.acme, "shared", owner=cast.bob, sponsor_team=make_team(cast.acme, members=(teammate,)))
    for registrar in (mine, shared):
        made = register_agent(
            organization=cast.acme,
            external_id=f"by-{registrar.external_id}",
            profile=AgentProfile(name="Made", purpose="Works."),
            owner=cast.carol,
            sponsor=cast.carol,
            blueprint=make_blueprint(cast.acme, sign_offs=1),
            by=registrar.user.as_actor(),
            now=NOW,
        )
        with pytest.raises(OnlyAPerson):
            approve_onboarding(agent=made, by=registrar.user.as_actor(), now=NOW)
        for person in (cast.bob, cast.carol, sponsor if registrar is mine else teammate):
            with pytest.raises(OwnRegistration):
                sign(made, person)
        assert sign(made, cast.alice).state == State.ACTIVE


def test_an_owner_who_reports_a_change_by_the_agents_own_key_neither_reviews_nor_resumes_it(cast):
    agent = make_agent(cast.acme, "drifting", owner=cast.bob, sponsor=cast.carol, model_hash="sha256:1")
    stopped = report_fingerprints(agent=agent, model_hash="sha256:evil", by=agent.user.as_actor(), now=NOW)
    assert stopped.state == State.SUSPENDED
    transfer_agent(agent=agent, owner=cast.bob, sponsor=cast.bob, by=cast.bob.as_actor(), now=NOW)
    with pytest.raises(OwnChange):
        review_agent(agent=agent, model_hash="sha256:evil", by=cast.bob.as_actor(), now=NOW)
    with pytest.raises(OnlyAPerson):
        review_agent(agent=agent, model_hash="sha256:evil", by=agent.user.as_actor(), now=NOW)
    with pytest.raises(ReviewNeeded):
        resume_agent(agent=agent, by=cast.bob.as_actor(), now=NOW)
    assert not review_agent(agent=agent, model_hash="sha256:evil", by=cast.alice.as_actor(), now=NOW).review_needed


def test_a_sponsor_does_not_review_what_the_agents_own_key_reported(cast):
    agent = make_agent(cast.acme, "drifting", owner=cast.bob, sponsor=cast.carol, model_hash="sha256:1")
    report_fingerprints(agent=agent, model_hash="sha256:2", by=agent.user.as_actor(), now=NOW)
    with pytest.raises(OwnChange):
        review_agent(agent=agent, by=cast.carol.as_actor(), now=NOW)


def test_a_sponsor_reviews_what_somebody_else_found_changed(cast):
    agent = make_agent(cast.acme, "drifting", owner=cast.bob, sponsor=cast.carol, model_hash="sha256:1")
    report_fingerprints(agent=agent, model_hash="sha256:2", by=cast.bob.as_actor(), now=NOW)
    assert not review_agent(agent=agent, by=cast.carol.as_actor(), now=NOW).review_needed


def test_a_former_owner_does_not_review_the_agent_whose_key_they_may_still_have(cast):
    agent = make_agent(cast.acme, "drifting", owner=cast.bob, sponsor=cast.bob, model_hash="sha256:1")
    transfer_agent(agent=agent, owner=cast.carol, sponsor=cast.carol, by=cast.alice.as_actor(), now=NOW)
    report_fingerprints(agent=agent, model_hash="sha256:2", by=agent.user.as_actor(), now=NOW)
    with pytest.raises(NotAllowed):
        review_agent(agent=agent, by=cast.bob.as_actor(), now=NOW)


# --- what an agent is held to ------------------------------------------------------------------------------------------------

READ = {"type": "record", "actions": ["read"]}
WIDER = [
    {"capabilities": None},
    {"capabilities": [READ, {"type": "record", "actions": ["delete"]}]},
    {"capabilities": [{"type": "record", "actions": ["*"]}]},
    {"environment": "production"},
    {"risk_tier": "low"},
]


def held_to(cast, **values):
    limits = {"capabilities": [READ], "environment": "staging", "risk_tier": "high"}
    return make_agent(cast.acme, "limited", owner=cast.bob, sponsor=cast.carol, **limits | values)


@pytest.mark.parametrize("wider", WIDER, ids=str)
def test_an_agent_that_whoever_answers_for_it_lets_do_more_stops_until_somebody_else_has_looked(cast, wider):
    agent = held_to(cast)
    dave = make_person(cast.acme, "dave")
    stopped = edited(agent, cast.bob.as_actor(), **wider)
    assert (stopped.state, stopped.review_needed) == (State.SUSPENDED, True)
    [name] = wider
    assert data_of(last_event(cast.acme, "agent.changed_unreviewed"))["found"][name][1] == wider[name]
    with pytest.raises(ReviewNeeded):
        resume_agent(agent=agent, by=cast.bob.as_actor(), now=NOW)
    with pytest.raises(OwnChange):
        review_agent(agent=agent, by=cast.bob.as_actor(), now=NOW)
    assert not review_agent(agent=agent, by=dave.as_actor(), now=NOW).review_needed


def test_whoever_was_let_manage_an_agent_or_sponsors_it_or_is_it_answers_for_it(cast):
    agent = held_to(cast)
    dave = make_person(cast.acme, "dave")
    give_access(thing=agent, right="manage_agent", to=dave, by=SYSTEM, now=NOW)
    for account in (dave, cast.carol, agent.user):
        assert edited(agent, account.as_actor(), environment="production").review_needed
        review_agent(agent=agent, by=cast.alice.as_actor(), now=NOW)
        edited(agent, SYSTEM, environment="staging")
        resume_agent(agent=agent, by=SYSTEM, now=NOW)


def test_the_system_somebody_else_and_whoever_narrows_stop_nothing(cast):
    agent = held_to(cast, capabilities=None)
    assert edited(agent, cast.bob.as_actor(), capabilities=[READ]).state == State.ACTIVE
    assert edited(agent, cast.bob.as_actor(), capabilities=[]).state == State.ACTIVE
    assert edited(agent, cast.alice.as_actor(), capabilities=[READ], environment="production").state == State.ACTIVE
    assert edited(agent, SYSTEM, capabilities=None, risk_tier="low").state == State.ACTIVE


def test_before_anybody_agreed_whoever_answers_for_an_agent_says_what_it_is_held_to(cast, waiting):
    assert not edited(waiting, cast.bob.as_actor(), environment="staging").review_needed
    two = make_blueprint(cast.acme, sign_offs=2)
    pending = make_agent(cast.acme, owner=cast.bob, sponsor=cast.bob, blueprint=two, state=State.PENDING)
    sign(pending, cast.alice)
    assert edited(pending, cast.bob.as_actor(), risk_tier="low").review_needed


def test_where_nobody_has_to_agree_a_pending_agent_is_widened_by_nobody_who_could_not_register_it(cast):
    agent = held_to(cast, state=State.PENDING)
    waiting = edited(agent, cast.bob.as_actor(), capabilities=None)
    assert waiting.review_needed
    with pytest.raises(ReviewNeeded):
        activate_agent(agent=waiting, by=cast.bob.as_actor(), now=NOW)
    review_agent(agent=waiting, by=cast.alice.as_actor(), now=NOW)
    assert activate_agent(agent=waiting, by=cast.bob.as_actor(), now=NOW).state == State.ACTIVE


def test_whoever_may_register_agents_corrects_one_of_their_own_before_it_starts(cast):
    boss = make_person(cast.acme, "boss", console_roles=["security_administrator"])
    agent = make_agent(cast.acme, "his", owner=boss, capabilities=[READ], state=State.PENDING)
    assert not edited(agent, boss.as_actor(), capabilities=None).review_needed


LATER = NOW + timedelta(days=30)


@pytest.mark.parametrize("later", [None, LATER + timedelta(days=1)], ids=str)
def test_whoever_answers_for_an_agent_does_not_put_its_end_off(cast, later):
    agent = make_agent(cast.acme, owner=cast.bob, sponsor=cast.carol, expires_at=LATER)
    for account in (cast.bob, cast.carol, agent.user):
        with pytest.raises(LaterEnd) as refused:
            edited(agent, account.as_actor(), expires_at=later)
        assert "security administrator" in refused.value.remedy
    over = edited(agent, cast.bob.as_actor(), expires_at=NOW + timedelta(days=1))
    assert over.state == State.ACTIVE
    assert edited(agent, cast.alice.as_actor(), expires_at=later).expires_at == later


def test_an_agent_that_is_over_does_not_live_on_by_its_owners_word(cast):
    over = make_agent(cast.acme, owner=cast.bob, sponsor=cast.carol, expires_at=NOW, now=NOW - timedelta(days=1))
    with pytest.raises(LaterEnd):
        edited(over, cast.bob.as_actor(), expires_at=LATER)


def test_whoever_manages_all_agents_puts_off_the_end_of_their_own(cast):
    boss = make_person(cast.acme, "boss", console_roles=["security_administrator"])
    agent = make_agent(cast.acme, owner=boss, expires_at=LATER)
    assert edited(agent, boss.as_actor(), expires_at=None).expires_at is None


def test_who_owned_or_sponsored_an_agent_or_made_a_key_of_it_answers_for_it_still(cast):
    agent = make_agent(cast.acme, owner=cast.bob, sponsor=cast.carol, environment="staging")
    dave = make_person(cast.acme, "dave")
    key, _ = issue_api_key(agent=agent, label="first", by=dave.as_actor(), now=NOW)
    transfer_agent(agent=agent, owner=cast.alice, sponsor=cast.alice, by=cast.bob.as_actor(), now=NOW)

    def answering(person):
        return Agent.objects.filter(answers_for(person), pk=agent.pk).exists()

    assert [answering(each) for each in (cast.alice, cast.bob, cast.carol, dave)] == [True] * 4
    assert not answering(make_person(cast.acme, "erin"))
    revoke_credential(credential=key, by=SYSTEM, now=NOW)
    assert not answering(dave)


# --- rights of teams ---------------------------------------------------------------------------------------------------------


def test_nobody_gives_a_right_to_a_team_that_they_are_in(cast):
    agent = make_agent(cast.acme, owner=cast.bob, sponsor=cast.carol)
    own, other = make_team(cast.acme, "own", members=(cast.bob,)), make_team(cast.acme, "other", members=(cast.alice,))
    with pytest.raises(WidensOneself):
        give_access(thing=agent, right="manage_agent", to=own, by=cast.bob.as_actor(), now=NOW)
    give_access(thing=agent, right="manage_agent", to=other, by=cast.bob.as_actor(), now=NOW)
    give_access(thing=agent, right="manage_agent", to=own, by=SYSTEM, now=NOW)
    assert AgentGroupPermission.objects.filter(content_object=agent).count() == 2


def test_a_team_that_no_longer_sponsors_an_agent_keeps_no_right_on_it(cast):
    team, other = make_team(cast.acme, "ops", members=(cast.carol,)), make_team(cast.acme, "other")
    agent = make_agent(cast.acme, owner=cast.bob, sponsor_team=team)
    for each in (team, other):
        give_access(thing=agent, right="manage_agent", to=each, by=SYSTEM, now=NOW)
    transfer_agent(agent=agent, owner=cast.bob, sponsor_team=team, by=cast.alice.as_actor(), now=NOW)
    assert AgentGroupPermission.objects.filter(content_object=agent).count() == 2
    transfer_agent(agent=agent, owner=cast.bob, sponsor=cast.alice, by=cast.alice.as_actor(), now=NOW)
    assert AgentGroupPermission.objects.get(content_object=agent).group == other.group
    assert data_of(last_event(cast.acme, "access.withdrawn"))["to"] == {"type": "team", "id": "ops", "label": team.name}
