"""The table, and the same table as the services keep it: every state with every event."""

from itertools import product

import pytest

from agentiam.kit.errors import IllegalTransition
from directory.lifecycle import TRANSITIONS, Event, State, next_state, sources
from directory.models import Agent
from directory.services.agents import AgentProfile, register_agent
from directory.services.offboarding import retire_agent
from directory.services.onboarding import activate_agent
from directory.services.suspension import resume_agent, suspend_agent
from tests.directory.recorded import event_types, revision, versions_of
from tests.factories import NOW, SYSTEM, make_agent

PAIRS = list(product(State, Event))

EXPECTED = {
    ("discovered", "register"): "pending",
    ("discovered", "retire"): "retired",
    ("pending", "activate"): "active",
    ("pending", "retire"): "retired",
    ("active", "suspend"): "suspended",
    ("active", "retire"): "retired",
    ("suspended", "resume"): "active",
    ("suspended", "retire"): "retired",
}


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_the_table_knows_each_pair_or_refuses_it(state, event):
    if (state.value, event.value) in EXPECTED:
        assert next_state(state, event) == EXPECTED[state.value, event.value]
    else:
        with pytest.raises(IllegalTransition, match=f"An? {state} agent cannot be {event.removesuffix('e')}"):
            next_state(state, event)


def test_a_refusal_says_what_is_possible():
    with pytest.raises(IllegalTransition) as refused:
        next_state(State.ACTIVE, Event.RESUME)
    assert refused.value.message == "An active agent cannot be resumed."
    assert refused.value.remedy == "An active agent can be: retired, suspended."
    with pytest.raises(IllegalTransition) as refused:
        next_state(State.RETIRED, Event.RESUME)
    assert refused.value.remedy == "A retired agent stays so."


def test_nothing_leads_out_of_retired_or_back_to_discovered():
    assert not [event for state, event in TRANSITIONS if state is State.RETIRED]
    assert State.DISCOVERED not in TRANSITIONS.values()


def test_the_sources_of_an_event_are_those_of_the_table():
    assert {(state.value, event.value) for event in Event for state in sources(event)} == EXPECTED.keys()


def _register_again(*, agent, by, now):
    return register_agent(
        organization=agent.organization,
        external_id=agent.external_id,
        profile=AgentProfile(name=agent.name, purpose="Known now."),
        owner=agent.owner,
        sponsor=agent.owner,
        by=by,
        now=now,
    )


SERVICES = {
    Event.REGISTER: _register_again,
    Event.ACTIVATE: activate_agent,
    Event.SUSPEND: suspend_agent,
    Event.RESUME: resume_agent,
    Event.RETIRE: retire_agent,
}


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_a_service_moves_along_the_table_or_changes_nothing(state, event):
    agent = make_agent(state=state)
    before = Agent.objects.values().get(pk=agent.pk)
    events, versions, number = event_types(agent.organization), versions_of(agent).count(), revision(agent.organization)
    if (state, event) in TRANSITIONS:
        moved = SERVICES[event](agent=agent, by=SYSTEM, now=NOW)
        assert moved.state == TRANSITIONS[state, event]
        assert Agent.objects.get(pk=agent.pk).state == TRANSITIONS[state, event]
        assert event_types(agent.organization)[len(events) :] == [f"agent.{_past(event)}"]
        assert versions_of(agent).count() == versions + 1
        assert revision(agent.organization) == number + 1
    else:
        with pytest.raises((IllegalTransition, *_also_refuses(event))):
            SERVICES[event](agent=agent, by=SYSTEM, now=NOW)
        assert Agent.objects.values().get(pk=agent.pk) == before
        assert event_types(agent.organization) == events
        assert versions_of(agent).count() == versions
        assert revision(agent.organization) == number


def _past(event):
    return {
        "register": "registered",
        "activate": "activated",
        "suspend": "suspended",
        "resume": "resumed",
        "retire": "retired",
    }[event]


def _also_refuses(event):
    from directory.services.agents import AgentKnown

    return (AgentKnown,) if event is Event.REGISTER else ()
