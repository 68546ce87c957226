"""After the last day nothing is left, and a signed proof says so; what is left after all lets nothing happen."""

from datetime import timedelta

import pytest
from guardian.shortcuts import assign_perm

from agentiam.jobs.models import Job
from agentiam.kit.errors import IllegalTransition
from audit.attestations import proof_of, verify_attestation, verify_proof
from audit.models import Attestation, Event
from audit.statements import describe
from directory.lifecycle import State
from directory.models import Agent, Credential, User
from directory.services.access import give_access
from directory.services.cards import publish_agent_card, set_agent_card
from directory.services.credentials import issue_api_key
from directory.services.offboarding import retire_agent
from directory.services.reports import together
from directory.services.revisions import ForeignOrganization
from directory.services.runs import start_run
from directory.services.suspension import suspend_agent
from permissions.models import (
    Consent,
    Delegation,
    Grant,
    Replacement,
    RoleAssignment,
)
from permissions.selectors.live import what_is_live
from permissions.services import endings, offboarding
from permissions.services.oauth_clients import set_oauth_client
from permissions.services.offboarding import (
    END_ELSEWHERE,
    AgentNotRetired,
    SomethingRemains,
    end_partner_holdings,
    offboard_agent,
    offboard_person,
)
from tests.directory.cards.written import CARD
from tests.directory.recorded import data_of, event_types, last_event, revision
from tests.factories import NOW, SYSTEM, make_agent
from tests.permissions.factories import (
    make_assignment,
    make_consent,
    make_delegation,
    make_grant,
    make_replacement,
    make_role,
    make_trust,
    spec,
)
from tests.permissions.services.conftest import make_cast
from tests.permissions.services.offboarded import LATER, REASON, give_tokens, live, said
from tests.remembered import Remembered


def make_world():
    """One of everything for the agent, for one that it spawned, and for what must stay."""
    cast = make_cast()
    agent, planner = cast.agent, cast.planner
    cast.child = make_agent(parent=agent)
    role = make_role(cast.acme, "reader", spec())
    for each in (agent, cast.child, planner):
        make_grant(cast.acme, each.user)
        make_assignment(role, each.user)
        make_consent(cast.carol, each, cast.record)
        issue_api_key(agent=each, label="main", by=SYSTEM, now=NOW)
        start_run(agent=each, task_id="T-1", by=SYSTEM, now=NOW)
    for each in (agent, planner):
        give_tokens(cast.carol, each)
    set_oauth_client(agent=cast.child, redirect_uris=["https://child.example/callback"], by=SYSTEM, now=NOW)
    make_grant(cast.acme, agent.user, starts_at=LATER)
    make_grant(cast.acme, agent.user, ends_at=NOW + timedelta(minutes=1))
    make_delegation(agent, planner)
    make_delegation(planner, agent)
    make_delegation(planner, cast.child)
    make_delegation(planner, make_agent(cast.acme, "third"))
    cast.replacement = make_replacement(agent, make_agent(cast.acme, "successor"), reviewer=cast.alice)
    set_agent_card(agent=agent, card=CARD, by=SYSTEM, now=NOW)
    publish_agent_card(agent=agent, by=SYSTEM, now=NOW)
    give_access(thing=agent, right="operate_agent", to=cast.carol, by=SYSTEM, now=NOW)
    give_access(thing=agent, right="view_agent", to=cast.sales, by=SYSTEM, now=NOW)
    # No service gives an agent a right on an object; a row that is there nevertheless is ended with the rest.
    assign_perm("directory.view_agent", agent.user, planner)
    give_access(thing=planner, right="view_agent", to=cast.carol, by=SYSTEM, now=NOW)
    assign_perm("permissions.view_role", agent.user, role)
    return cast


_world = Remembered(make_world)


@pytest.fixture
def world(db):
    return _world()


def test_nothing_of_an_agent_and_its_descendants_is_left_and_others_keep_theirs(world):
    agent, proof = offboard_agent(agent=world.agent, by=world.by, reason=REASON, now=LATER)
    assert agent.state == State.RETIRED
    assert Agent.objects.get(pk=world.child.pk).state == State.RETIRED
    assert not any(what_is_live(agent, LATER).values())
    # The planner's own, and its delegation to the third.
    kept = ("grants", "roles", "consents", "delegations", "credentials", "runs", "authorizations", "refresh_tokens")
    assert live(world) == {**dict.fromkeys(kept, 1), "access_tokens": 2, "oauth_clients": 0}
    assert Replacement.objects.get().state == "abandoned"
    assert what_is_live(world.planner, LATER)["rights"][0].what == "view_agent on agent planner"
    assert set(said(proof)["remaining"].values()) == {0}


def test_the_proof_lists_what_there_was_and_names_who_and_why(world):
    before = what_is_live(world.agent, LATER)
    _, proof = offboard_agent(agent=world.agent, by=world.by, reason=REASON, now=LATER)
    content = said(proof)
    assert content["ended"] == {kind: [each.words() for each in things] for kind, things in before.items()}
    assert {kind: len(things) for kind, things in content["ended"].items()} == {
        "grants": 4,
        "roles": 2,
        "delegations": 3,
        "consents": 2,
        "authorizations": 1,
        "refresh_tokens": 1,
        "access_tokens": 2,
        "oauth_clients": 1,
        "replacements": 1,
        "cards": 1,
        "rights": 4,
        "credentials": 2,
        "runs": 2,
        "accounts": 2,
        "agents": 2,
    }
    assert content["by"] == {"kind": "person", "id": "alice", "label": "Alice"}
    assert (content["reason"], content["organization"]) == (REASON, "acme")
    assert content["revision"] == revision(world.acme)
    assert content["subject"]["id"] == "crm-bot"
    assert (proof.kind, proof.target_type, proof.target_id, proof.at) == ("offboarding", "agent", "crm-bot", LATER)
    keys = set(Credential.objects.values_list("public_id", flat=True))
    assert {each[0] for each in content["ended"]["credentials"]} <= keys


def test_the_proof_is_genuine_is_in_the_log_and_holds_no_secret(world):
    _, proof = offboard_agent(agent=world.agent, by=world.by, reason=REASON, now=LATER)
    stored = Attestation.objects.get(pk=proof.pk)
    assert verify_attestation(stored).genuine
    assert verify_proof(proof_of(stored)).genuine
    event = last_event(world.acme, "agent.offboarded")
    assert (data_of(event)["proof"], data_of(event)["hash"]) == (str(proof.pk), proof.hash)
    assert data_of(event)["ended"]["grants"] == 4
    for digest in Credential.objects.values_list("digest", flat=True):
        assert digest not in proof.body


def test_each_end_is_an_event_and_a_version_and_all_are_one_change(world):
    number, seen = revision(world.acme), set(Event.objects.values_list("id", flat=True))
    offboard_agent(agent=world.agent, by=world.by, reason=REASON, now=LATER)
    assert revision(world.acme) == number + 1
    happened = [each for each in Event.objects.order_by("sequence") if each.id not in seen]
    types = [each.type for each in happened]
    assert {kind: types.count(kind) for kind in set(types)} == {
        "grant.ended": 7,  # three of them the successor's
        "assignment.ended": 3,
        "delegation.ended": 3,
        "consent.ended": 2,
        "authorization.ended": 1,
        "token.revoked": 1,
        "oauth_client.updated": 1,
        "replacement.abandoned": 1,
        "agent_card.withdrawn": 1,
        "access.withdrawn": 4,
        "credential.revoked": 2,
        "run.ended": 2,
        "agent.retired": 2,
        "agent.offboarded": 1,
    }
    assert types[-1] == "agent.offboarded"
    retired = [each.target_id for each in happened if each.type == "agent.retired"]
    assert retired == [world.child.external_id, "crm-bot"], "none outlives the one that it works for"
    assert {(each.actor_id, each.reason, each.at) for each in happened} == {("alice", REASON, LATER)}
    for model in (Grant, RoleAssignment, Delegation, Consent, Replacement):
        ended = model.history.filter(history_date=LATER, ended_at=LATER)
        assert ended.exists(), model
        assert {(each.history_user_id, each.history_change_reason) for each in ended} == {(world.alice.pk, REASON)}, model


@pytest.mark.parametrize("kind", endings.AGENT_STEPS)
def test_if_something_were_left_nothing_would_have_happened(world, monkeypatch, kind):
    steps = {name: step for name, step in endings.AGENT_STEPS.items() if name != kind}
    monkeypatch.setattr(offboarding, "AGENT_STEPS", steps)
    before, number = live(world), revision(world.acme)
    with pytest.raises(SomethingRemains, match=kind):
        offboard_agent(agent=world.agent, by=world.by, now=LATER)
    assert live(world) == before
    assert revision(world.acme) == number
    assert Agent.objects.get(pk=world.agent.pk).state == State.ACTIVE
    assert not Attestation.objects.exists()


def test_every_kind_of_row_that_belongs_to_an_agent_or_a_person_is_looked_at():
    """A table that comes to refer to accounts or agents must be ended, or be named here with its reason."""
    from django.apps import apps

    looked_at = {
        "agent",
        "user",
        "credential",
        "personkey",
        "onboardingtoken",
        "run",
        "grant",
        "roleassignment",
        "delegation",
        "consent",
        "authorization",
        "accesstoken",
        "oauthclient",
        "replacement",
        "invitation",
        "agentuserpermission",
        "agentgrouppermission",
        "blueprintuserpermission",
        "teamuserpermission",
        "applicationuserpermission",
        "roleuserpermission",
        "user_groups",
        "user_user_permissions",
        "team",
        "team_members",
        "authenticator",
        "socialaccount",
        "emailaddress",
        "usersession",
    }
    records = {
        "signal",  # what was seen once
        "signoff",  # what somebody said once
        "invitation_teams",  # whom an invitation is for
        "logentry",  # Django's own log of its admin, which nothing here writes
        "userobjectpermission",  # guardian's one table for all models, which nothing here writes
    }
    found = {
        model._meta.model_name
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.model_name.startswith("historical")
        and any(
            field.is_relation and field.related_model in (User, Agent) for field in model._meta.get_fields() if field.concrete
        )
    }
    assert found - records <= looked_at


def test_it_happens_once_and_an_agent_that_was_only_retired_can_still_be_proved(world):
    retire_agent(agent=world.agent, by=SYSTEM, now=NOW)
    assert what_is_live(world.agent, NOW)["grants"]
    _, proof = offboard_agent(agent=world.agent, by=world.by, now=LATER)
    assert said(proof)["ended"]["grants"]
    assert set(said(proof)["remaining"].values()) == {0}
    with pytest.raises(IllegalTransition):
        offboard_agent(agent=world.agent, by=world.by, now=LATER)
    assert Attestation.objects.count() == 1


@pytest.mark.parametrize("state", [State.DISCOVERED, State.PENDING, State.SUSPENDED])
def test_an_agent_in_any_state_can_go(cast, state):
    agent, proof = offboard_agent(agent=make_agent(cast.acme, state=state), by=SYSTEM, now=LATER)
    assert agent.state == State.RETIRED
    assert verify_attestation(proof).genuine


def test_nobody_of_elsewhere_offboards_anybody_here(world):
    before = live(world)
    for attempt in (
        lambda: offboard_agent(agent=world.agent, by=world.mallory.as_actor(), now=LATER),
        lambda: offboard_person(person=world.bob, by=world.mallory.as_actor(), now=LATER),
    ):
        with pytest.raises(ForeignOrganization):
            attempt()
    assert live(world) == before


def test_what_is_offboarded_within_a_larger_change_is_part_of_it(world):
    number = revision(world.acme)
    with together():
        _, proof = offboard_agent(agent=world.agent, by=SYSTEM, now=LATER)
        suspend_agent(agent=world.planner, by=SYSTEM, now=LATER)
    assert revision(world.acme) == number + 1 == said(proof)["revision"]
    assert event_types(world.acme)[-2:] == ["agent.offboarded", "agent.suspended"]


def test_what_is_taken_back_within_a_larger_change_leaves_no_event(world, monkeypatch):
    monkeypatch.setattr(offboarding, "AGENT_STEPS", {})
    with together():
        with pytest.raises(SomethingRemains):
            offboard_agent(agent=world.agent, by=SYSTEM, now=LATER)
        suspend_agent(agent=world.planner, by=SYSTEM, now=LATER)
    assert event_types(world.acme)[-1] == "agent.suspended"
    assert "agent.retired" not in event_types(world.acme)


def test_what_a_partner_gave_is_ended_there_by_a_job_under_its_own_lock(cast):
    make_trust(cast.acme, cast.elsewhere)
    foreign = make_grant(cast.acme, cast.foreign_agent.user)
    role = make_assignment(make_role(cast.acme), cast.foreign_agent.user)
    make_grant(cast.acme, cast.agent.user)
    number = revision(cast.acme)
    _, proof = offboard_agent(agent=cast.foreign_agent, by=cast.mallory.as_actor(), now=LATER)
    assert revision(cast.acme) == number, "the partner's log and policy are the partner's"
    assert str(foreign.pk) not in proof.body
    job = Job.objects.get(task=END_ELSEWHERE)
    assert said(proof)["elsewhere"] == [{"organization": "acme", "job": str(job.pk)}]
    assert data_of(last_event(cast.elsewhere, "agent.offboarded"))["elsewhere"] == said(proof)["elsewhere"]
    told = describe(verify_attestation(Attestation.objects.get(pk=proof.pk)))
    assert told[-1] == f"  at the partner acme: left to the job {job.pk}"
    assert job.organization_id == cast.acme.pk
    assert job.arguments == {"organization_id": str(cast.acme.pk), "agent_id": str(cast.foreign_agent.pk)}

    from permissions.jobs import end_partner_holdings as task

    for _ in range(2):  # a job may be run again
        task(**job.arguments)
    assert not Grant.objects.filter(pk=foreign.pk, ended_at__isnull=True).exists()
    assert not RoleAssignment.objects.filter(pk=role.pk, ended_at__isnull=True).exists()
    assert Grant.objects.filter(organization=cast.acme, ended_at__isnull=True).count() == 1
    ended = last_event(cast.acme, "grant.ended")
    assert (ended.actor_kind, ended.actor_id) == ("system", "offboarding")
    assert revision(cast.acme) == number + 1
    gone = Event.objects.get(organization_id=cast.acme.pk, type="agent.offboarded_by_partner")
    assert gone.target_id == cast.foreign_agent.spiffe_id
    assert data_of(gone) == {
        "organization": "elsewhere",
        "proof": str(proof.pk),
        "hash": proof.hash,
        "ended": {"grants": 1, "roles": 1},
    }


def test_a_proof_says_that_nothing_is_left_elsewhere(world):
    _, proof = offboard_agent(agent=world.agent, by=world.by, now=LATER)
    assert said(proof)["elsewhere"] == []


def test_the_namesake_of_a_partners_agent_is_not_taken_for_it(cast):
    make_trust(cast.acme, cast.elsewhere)
    make_grant(cast.acme, cast.foreign_agent.user)
    namesake = make_agent(cast.acme, cast.foreign_agent.external_id)
    _, other = offboard_agent(agent=namesake, by=cast.by, now=LATER)
    _, proof = offboard_agent(agent=cast.foreign_agent, by=cast.mallory.as_actor(), now=LATER)
    retired = Agent.objects.get(pk=cast.foreign_agent.pk)
    end_partner_holdings(organization=cast.acme, agent=retired, by=SYSTEM, now=LATER)
    gone = last_event(cast.acme, "agent.offboarded_by_partner")
    assert data_of(gone)["proof"] == str(proof.pk) != str(other.pk)
    assert gone.target_id != namesake.external_id


def test_a_partners_agent_that_works_is_not_touched_here(cast):
    make_trust(cast.acme, cast.elsewhere)
    make_grant(cast.acme, cast.foreign_agent.user)
    with pytest.raises(AgentNotRetired):
        end_partner_holdings(organization=cast.acme, agent=cast.foreign_agent, by=SYSTEM, now=LATER)
    assert Grant.objects.filter(ended_at__isnull=True).count() == 1
