"""Sign-offs, activation, registration and discovery."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentiam.kit.errors import Conflict, IllegalTransition, NotAllowed
from directory.lifecycle import State
from directory.models import Agent, SignOff
from directory.services.agents import AgentKnown, AgentProfile, record_discovery, register_agent, update_agent
from directory.services.declarations import BadDeclaration
from directory.services.onboarding import (
    AlreadySignedOff,
    OnlyAPerson,
    OwnRegistration,
    SignOffsMissing,
    activate_agent,
    approve_onboarding,
    missing_sign_offs,
)
from directory.services.people import deactivate_person
from directory.services.revisions import ForeignOrganization
from directory.services.transitions import AgentIsOver, AgentOwnerless, NobodyAccountable
from directory.services.versions import InvalidRecord
from tests.directory.recorded import data_of, event_types, last_event, last_touched
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_team

PROFILE = AgentProfile(name="Lead finder", purpose="Finds leads.")


def register(cast, **values):
    given: dict[str, Any] = {
        "organization": cast.acme,
        "external_id": "lead-finder",
        "profile": PROFILE,
        "owner": cast.bob,
        "sponsor": cast.bob,
        "by": cast.bob.as_actor(),
        "reason": "We need leads.",
        "now": NOW,
    }
    return register_agent(**given | values)


def pending(cast, **terms):
    return register(cast, blueprint=make_blueprint(cast.acme, **terms))


def test_registering_makes_an_account_that_cannot_log_in_and_a_spiffe_id(cast):
    agent = register(cast)
    assert agent.state == State.PENDING
    assert agent.spiffe_id == f"spiffe://acme.example/agent/{agent.pk}"
    assert agent.user.kind == "agent"
    assert agent.user.username == f"agent:{agent.pk}"
    assert agent.user.is_active
    assert not agent.user.has_usable_password()
    assert agent.registered_by == cast.bob
    assert data_of(last_event(cast.acme, "agent.registered"))["owner"] == "bob"
    assert last_touched(cast.acme) == ["agent/lead-finder"]


def test_registration_demands_one_sponsor(cast):
    with pytest.raises(NobodyAccountable, match="one sponsor"):
        register(cast, sponsor=None)
    with pytest.raises(NobodyAccountable, match="one sponsor"):
        register(cast, sponsor_team=cast.sales)


def test_registration_demands_an_active_person_as_owner_and_sponsor(cast):
    for role in ("owner", "sponsor"):
        with pytest.raises(NobodyAccountable, match="active person"):
            register(cast, **{role: cast.agent.user})
    deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    # The object in hand still says active; the database is asked.
    for role in ("owner", "sponsor"):
        with pytest.raises(NobodyAccountable, match="active person"):
            register(cast, **{role: cast.carol})


def test_registration_refuses_whatever_belongs_to_another_organization(cast):
    foreign = [
        {"owner": cast.mallory},
        {"sponsor": cast.mallory},
        {"sponsor": None, "sponsor_team": make_team(cast.elsewhere)},
        {"blueprint": make_blueprint(cast.elsewhere)},
        {"profile": AgentProfile(name="x", purpose="y", team=make_team(cast.elsewhere))},
        {"by": cast.mallory.as_actor()},
    ]
    for values in foreign:
        with pytest.raises(ForeignOrganization):
            register(cast, **values)
    assert not Agent.objects.filter(external_id="lead-finder").exists()


def test_an_external_id_is_taken_once_in_an_organization(cast):
    register(cast)
    with pytest.raises(AgentKnown):
        register(cast)
    make_agent(cast.elsewhere, "lead-finder")


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (AgentProfile(name="x", purpose=""), "purpose"),
        (AgentProfile(name="", purpose="x"), "name"),
        (AgentProfile(name="x" * 201, purpose="x"), "name"),
        (AgentProfile(name="x", purpose="x", environment="moon"), "environment"),
        (AgentProfile(name="x", purpose="x", risk_tier="none"), "risk_tier"),
    ],
)
def test_a_bad_profile_is_refused_in_words(cast, profile, said):
    with pytest.raises(InvalidRecord, match=f"{said}: "):
        register(cast, profile=profile)
    assert not Agent.objects.filter(external_id="lead-finder").exists()


def test_an_end_in_the_past_is_refused(cast):
    with pytest.raises(AgentIsOver):
        register(cast, profile=AgentProfile(name="x", purpose="x", expires_at=NOW))


def test_a_discovered_agent_is_inert_until_it_is_registered(cast):
    seen = record_discovery(
        organization=cast.acme,
        external_id="lead-finder",
        name="?",
        seen_in="proxy log",
        owner=cast.carol,
        sponsor=cast.carol,
        by=SYSTEM,
        now=NOW,
    )
    assert seen.state == State.DISCOVERED
    assert not seen.user.is_active
    with pytest.raises(AgentKnown):
        record_discovery(
            organization=cast.acme,
            external_id="lead-finder",
            name="?",
            seen_in="x",
            owner=cast.carol,
            sponsor=cast.carol,
            by=SYSTEM,
            now=NOW,
        )
    agent = register(cast)
    assert agent.pk == seen.pk
    assert (agent.state, agent.owner, agent.name) == (State.PENDING, cast.bob, "Lead finder")
    assert Agent.objects.get(pk=seen.pk).user.is_active
    assert agent.user.name == "Lead finder"


def test_as_many_people_agree_as_the_blueprint_asks_for(cast):
    agent = pending(cast, sign_offs=2)
    with pytest.raises(SignOffsMissing, match="2 more people"):
        activate_agent(agent=agent, by=SYSTEM, now=NOW)
    assert approve_onboarding(agent=agent, by=cast.alice.as_actor(), reason="Fine.", now=NOW).state == State.PENDING
    with pytest.raises(SignOffsMissing, match="1 more person"):
        activate_agent(agent=agent, by=SYSTEM, now=NOW)
    assert approve_onboarding(agent=agent, by=cast.carol.as_actor(), now=NOW).state == State.ACTIVE
    assert event_types(cast.acme)[-3:] == ["agent.signed_off", "agent.signed_off", "agent.activated"]
    assert SignOff.objects.get(person=cast.alice).reason == "Fine."


def test_the_one_who_registered_does_not_sign_off(cast):
    with pytest.raises(OwnRegistration):
        approve_onboarding(agent=pending(cast, sign_offs=1), by=cast.bob.as_actor(), now=NOW)


def test_nobody_signs_off_twice(cast):
    agent = pending(cast, sign_offs=2)
    approve_onboarding(agent=agent, by=cast.alice.as_actor(), now=NOW)
    with pytest.raises(AlreadySignedOff):
        approve_onboarding(agent=agent, by=cast.alice.as_actor(), now=NOW)


def test_only_an_active_person_of_the_organization_signs_off(cast):
    agent = pending(cast, sign_offs=1)
    for by in (SYSTEM, cast.agent.user.as_actor()):
        with pytest.raises(OnlyAPerson):
            approve_onboarding(agent=agent, by=by, now=NOW)
    with pytest.raises(NotAllowed):
        approve_onboarding(agent=agent, by=cast.mallory.as_actor(), now=NOW)
    deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    with pytest.raises(NobodyAccountable):
        approve_onboarding(agent=agent, by=cast.carol.as_actor(), now=NOW)


def test_only_a_pending_agent_is_signed_off(cast):
    with pytest.raises(IllegalTransition):
        approve_onboarding(agent=cast.agent, by=cast.alice.as_actor(), now=NOW)


def test_the_yes_of_somebody_who_left_does_not_count(cast):
    agent = pending(cast, sign_offs=1)
    SignOff.objects.create(agent=agent, person=cast.carol)
    deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    assert missing_sign_offs(agent) == 1
    with pytest.raises(SignOffsMissing):
        activate_agent(agent=agent, by=SYSTEM, now=NOW)


def test_an_agent_that_is_over_or_that_nobody_answers_for_is_not_activated(cast):
    late = NOW + timedelta(days=2)
    over = register(cast, external_id="over", profile=AgentProfile(name="x", purpose="x", expires_at=NOW + timedelta(days=1)))
    with pytest.raises(AgentIsOver):
        activate_agent(agent=over, by=SYSTEM, now=late)
    unsponsored = register(cast, external_id="unsponsored", sponsor=cast.carol)
    deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    with pytest.raises(NobodyAccountable):
        activate_agent(agent=unsponsored, by=SYSTEM, now=NOW)
    ownerless = register(cast)
    deactivate_person(person=cast.bob, by=SYSTEM, now=NOW)
    with pytest.raises(AgentOwnerless):
        activate_agent(agent=ownerless, by=SYSTEM, now=NOW)


def test_another_purpose_is_the_next_version_and_the_account_keeps_the_name(cast):
    profile = AgentProfile.of(cast.agent)
    renamed = update_agent(agent=cast.agent, profile=replace(profile, name="Renamed"), by=SYSTEM, now=NOW)
    assert (renamed.name, renamed.purpose_version, renamed.user.name) == ("Renamed", 1, "Renamed")
    again = update_agent(agent=cast.agent, profile=replace(profile, purpose="Something else."), by=SYSTEM, now=NOW)
    assert again.purpose_version == 2
    assert data_of(last_event(cast.acme, "agent.updated"))["changed"]["purpose"][1] == "Something else."


def test_the_end_of_an_agent_that_was_not_spawned_moves_freely_ahead(cast):
    profile = AgentProfile.of(cast.agent)
    for end in (NOW + timedelta(days=1), NOW + timedelta(days=2), None):
        changed = update_agent(agent=cast.agent, profile=replace(profile, expires_at=end), by=SYSTEM, now=NOW)
        assert changed.expires_at == end
    assert data_of(last_event(cast.acme, "agent.updated"))["changed"] == {"expires_at": ["2026-01-07T09:00:00+00:00", None]}
    with pytest.raises(AgentIsOver):
        update_agent(agent=cast.agent, profile=replace(profile, expires_at=NOW), by=SYSTEM, now=NOW)


def test_a_retired_agent_is_not_changed(cast):
    agent = make_agent(cast.acme, state=State.RETIRED)
    with pytest.raises(IllegalTransition):
        update_agent(agent=agent, profile=PROFILE, by=SYSTEM, now=NOW)


def test_a_spawned_agent_cannot_be_given_a_later_end(cast):
    child = make_agent(parent=cast.agent, expires_at=NOW + timedelta(hours=2))
    profile = AgentProfile.of(child)
    sooner = update_agent(agent=child, profile=replace(profile, expires_at=NOW + timedelta(hours=1)), by=SYSTEM, now=NOW)
    for later in (None, NOW + timedelta(hours=2)):
        with pytest.raises(AgentIsOver):
            update_agent(agent=sooner, profile=replace(profile, expires_at=later), by=SYSTEM, now=NOW)


GOOD = {"type": "crm.lead", "actions": ["read"], "fields": ["name"], "risk": "low", "reversibility": "reversible"}


@pytest.mark.parametrize(
    ("capabilities", "said"),
    [
        ({}, "not a list"),
        (["read"], "Capability 1: this is not an object"),
        ([GOOD, {"actions": ["read"]}], "Capability 2: type"),
        ([GOOD | {"type": " "}], "type"),
        ([GOOD | {"actions": []}], "actions must be a list"),
        ([GOOD | {"actions": "read"}], "actions must be a list"),
        ([GOOD | {"actions": [1]}], "actions must be a list"),
        ([GOOD | {"actions": ["read", "read"]}], "repeat"),
        ([GOOD | {"actions": ["read", "*"]}], "alone"),
        ([GOOD | {"fields": []}], "fields must be a list"),
        ([GOOD | {"risk": "huge"}], "risk must be one of low, medium"),
        ([GOOD | {"reversibility": []}], "reversibility must be one of"),
        ([GOOD | {"colour": "red"}], "'colour' is not known"),
    ],
)
def test_capabilities_of_the_wrong_form_are_refused_with_their_place(cast, capabilities, said):
    with pytest.raises(BadDeclaration, match=said):
        register(cast, profile=AgentProfile(name="x", purpose="x", capabilities=capabilities))


def test_capabilities_of_the_right_form_are_kept(cast):
    capabilities = [GOOD, {"type": "crm.note", "actions": ["*"]}]
    agent = register(cast, profile=AgentProfile(name="x", purpose="x", capabilities=capabilities))
    assert Agent.objects.get(pk=agent.pk).capabilities == capabilities


def test_a_ceiling_knows_no_risk(cast):
    with pytest.raises(Conflict, match="Ceiling 1: 'reversibility' is not known"):
        make_blueprint(cast.acme, ceiling=[GOOD])
