"""What an agent is made of: the first report is noted, another stops it, and somebody else has to look before it goes on."""

import pytest

from agentiam.kit.errors import IllegalTransition
from directory.lifecycle import State
from directory.models import Agent
from directory.services.agents import AgentProfile, update_agent
from directory.services.fingerprints import AnotherAgent, NothingReported, OwnChange, report_fingerprints, review_agent
from directory.services.onboarding import OnlyAPerson, approve_onboarding
from directory.services.revisions import ForeignOrganization
from directory.services.suspension import resume_agent, suspend_agent
from directory.services.transitions import ReviewNeeded
from directory.services.versions import InvalidRecord
from tests.directory.recorded import data_of, event_types, last_event, last_touched, revision
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint

KNOWN = {"model_hash": "sha256:m1", "charter_hash": "sha256:c1", "tools_hash": "sha256:t1"}


def told(agent, by=SYSTEM, **hashes):
    return report_fingerprints(agent=agent, **hashes, by=by, now=NOW)


def edited(agent, by, **values):
    from dataclasses import replace

    agent = Agent.objects.get(pk=agent.pk)
    return update_agent(agent=agent, profile=replace(AgentProfile.of(agent), **values), by=by, now=NOW)


@pytest.fixture
def agent(cast):
    return told(cast.agent, by=cast.agent.user.as_actor(), **KNOWN)


def test_the_first_report_is_noted(cast, agent):
    assert agent.state == State.ACTIVE
    assert {name: getattr(agent, name) for name in KNOWN} == KNOWN
    assert data_of(last_event(cast.acme, "agent.fingerprinted"))["changed"]["model_hash"] == ["", "sha256:m1"]


def test_the_same_report_again_leaves_nothing(cast, agent):
    number, seen = revision(cast.acme), len(event_types(cast.acme))
    assert told(agent, **KNOWN).state == State.ACTIVE
    assert told(agent, tools_hash="sha256:t1").state == State.ACTIVE
    assert (revision(cast.acme), len(event_types(cast.acme))) == (number, seen)


@pytest.mark.parametrize("name", KNOWN)
def test_another_fingerprint_stops_the_agent_and_what_descends_from_it(cast, agent, name):
    child = make_agent(parent=agent)
    stopped = told(agent, by=agent.user.as_actor(), **KNOWN | {name: "sha256:x"})
    assert stopped.state == State.SUSPENDED
    assert stopped.review_needed
    assert getattr(stopped, name) == KNOWN[name], "what was reviewed stays on record"
    assert not Agent.objects.effectively_active(NOW).filter(pk__in=[agent.pk, child.pk]).exists()
    event = last_event(cast.acme, "agent.changed_unreviewed")
    assert data_of(event)["found"] == {name: [KNOWN[name], "sha256:x"]}
    assert event_types(cast.acme)[-1] == "agent.suspended"
    assert set(last_touched(cast.acme)) == {"agent/crm-bot", f"agent/{child.external_id}"}


def test_who_lies_about_one_cannot_fill_another(cast):
    told(cast.agent, model_hash="sha256:m1")
    stopped = told(cast.agent, model_hash="sha256:x", tools_hash="sha256:t1")
    assert (stopped.model_hash, stopped.tools_hash) == ("sha256:m1", "")


def test_a_stopped_agent_is_not_resumed_before_the_review_and_is_after(cast, agent):
    stopped = told(agent, model_hash="sha256:m2")
    with pytest.raises(ReviewNeeded):
        resume_agent(agent=stopped, by=SYSTEM, now=NOW)
    reviewed = review_agent(agent=stopped, model_hash="sha256:m2", by=cast.carol.as_actor(), reason="New model", now=NOW)
    assert (reviewed.state, reviewed.review_needed, reviewed.model_hash) == (State.SUSPENDED, False, "sha256:m2")
    assert data_of(last_event(cast.acme, "agent.reviewed"))["changed"]["model_hash"] == ["sha256:m1", "sha256:m2"]
    assert resume_agent(agent=reviewed, by=SYSTEM, now=NOW).state == State.ACTIVE
    assert told(agent, **KNOWN | {"model_hash": "sha256:m2"}).state == State.ACTIVE


def test_only_another_person_reviews(cast, agent):
    stopped = told(agent, by=cast.bob.as_actor(), model_hash="sha256:m2")
    for by in (SYSTEM, agent.user.as_actor()):
        with pytest.raises(OnlyAPerson):
            review_agent(agent=stopped, by=by, now=NOW)
    with pytest.raises(OwnChange):
        review_agent(agent=stopped, by=cast.bob.as_actor(), now=NOW)
    with pytest.raises(ForeignOrganization):
        review_agent(agent=stopped, by=cast.mallory.as_actor(), now=NOW)
    assert Agent.objects.get(pk=agent.pk).review_needed


def test_nothing_is_reviewed_that_does_not_wait_for_it(cast, agent):
    with pytest.raises(IllegalTransition):
        review_agent(agent=agent, by=cast.carol.as_actor(), now=NOW)


def test_who_changes_a_fingerprint_by_hand_stops_the_agent_and_cannot_review_it(cast, agent):
    stopped = edited(agent, cast.bob.as_actor(), model_hash="sha256:evil")
    assert (stopped.state, stopped.review_needed, stopped.model_hash) == (State.SUSPENDED, True, "sha256:evil")
    with pytest.raises(OwnChange):
        review_agent(agent=stopped, by=cast.bob.as_actor(), now=NOW)
    assert not review_agent(agent=stopped, by=cast.carol.as_actor(), now=NOW).review_needed


def test_suspending_first_is_no_way_round(cast, agent):
    suspend_agent(agent=agent, by=cast.bob.as_actor(), now=NOW)
    assert edited(agent, cast.bob.as_actor(), tools_hash="").review_needed
    with pytest.raises(ReviewNeeded):
        resume_agent(agent=agent, by=cast.bob.as_actor(), now=NOW)


def test_changing_it_while_it_waits_is_no_way_round(cast, agent):
    told(agent, by=agent.user.as_actor(), model_hash="sha256:m2")
    edited(agent, cast.bob.as_actor(), model_hash="sha256:evil")
    with pytest.raises(OwnChange):
        review_agent(agent=agent, by=cast.bob.as_actor(), now=NOW)


def test_changing_it_after_somebody_signed_off_is_no_way_round(cast):
    blueprint = make_blueprint(cast.acme, sign_offs=2)
    pending = make_agent(cast.acme, state=State.PENDING, owner=cast.bob, blueprint=blueprint, model_hash="sha256:m1")
    free = edited(pending, cast.bob.as_actor(), model_hash="sha256:m2")
    assert not free.review_needed, "nobody has relied on it yet"
    approve_onboarding(agent=pending, by=cast.carol.as_actor(), now=NOW)
    assert edited(pending, cast.bob.as_actor(), model_hash="sha256:evil").review_needed
    with pytest.raises(ReviewNeeded):
        approve_onboarding(agent=pending, by=cast.alice.as_actor(), now=NOW)
    review_agent(agent=pending, by=cast.alice.as_actor(), now=NOW)
    assert approve_onboarding(agent=pending, by=cast.alice.as_actor(), now=NOW).state == State.ACTIVE


def test_what_is_no_fingerprint_stops_nothing(cast, agent):
    assert edited(agent, cast.bob.as_actor(), name="New", purpose="Another purpose.").state == State.ACTIVE


def test_noting_one_by_hand_for_the_first_time_stops_nothing(cast):
    assert edited(cast.agent, cast.bob.as_actor(), model_hash="sha256:m1").state == State.ACTIVE


def test_a_report_names_something_and_is_about_oneself(cast, agent):
    with pytest.raises(NothingReported):
        told(agent)
    other = make_agent(cast.acme)
    with pytest.raises(AnotherAgent):
        told(agent, by=other.user.as_actor(), model_hash="sha256:x")
    with pytest.raises(ForeignOrganization):
        told(agent, by=make_agent(cast.elsewhere).user.as_actor(), model_hash="sha256:x")
    with pytest.raises(InvalidRecord):
        told(other, model_hash="x" * 129)
    assert Agent.objects.get(pk=agent.pk).state == State.ACTIVE


@pytest.mark.parametrize("state", [State.DISCOVERED, State.RETIRED])
def test_an_agent_that_is_not_there_reports_nothing(cast, state):
    with pytest.raises(IllegalTransition):
        told(make_agent(cast.acme, state=state), model_hash="sha256:x")
