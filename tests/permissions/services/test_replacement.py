"""A successor gets what was shown, after somebody else agreed to it; both work; then one goes, and all else stays."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agentiam.kit.errors import IllegalTransition
from audit.attestations import verify_attestation
from audit.models import Attestation
from directory.lifecycle import State
from directory.models import Agent
from directory.services.agents import AgentProfile, update_agent
from directory.services.fingerprints import OwnChange, review_agent
from directory.services.handover import transfer_agent
from directory.services.onboarding import OnlyAPerson, activate_agent
from directory.services.revisions import ForeignOrganization
from directory.services.suspension import resume_agent, suspend_agent
from directory.services.transitions import AgentNotActive, ReviewNeeded
from permissions.models import BlueprintRole, Grant, Replacement, RoleAssignment
from permissions.selectors.differences import difference
from permissions.selectors.succession import succession
from permissions.services.grants import end_grant
from permissions.services.holders import RetiredAgent
from permissions.services.offboarding import offboard_agent
from permissions.services.replacement import (
    BadSuccessor,
    DifferenceChanged,
    NewSuccessor,
    OwnProposal,
    abandon_replacement,
    compare_replacement,
    complete_replacement,
    propose_replacement,
    review_replacement,
)
from tests.directory.recorded import data_of, last_event, revision
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_person, make_team
from tests.permissions.factories import (
    make_assignment,
    make_consent,
    make_delegation,
    make_grant,
    make_replacement,
    make_role,
    spec,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def pair(cast):
    cast.old, cast.new = make_agent(cast.acme, "old", owner=cast.bob), make_agent(cast.acme, "new", owner=cast.carol)
    cast.dave = make_person(cast.acme, "dave")
    return cast


def holdings(agent):
    """What an agent holds now, in words, with where it came from."""
    grants = Grant.objects.filter(user=agent.user, ended_at__isnull=True)
    roles = RoleAssignment.objects.filter(user=agent.user, ended_at__isnull=True)
    return {(",".join(row.actions), row.where, row.source) for row in grants} | {
        (row.role.external_id, row.source) for row in roles
    }


def reviewed(cast, replacement, by=None):
    shown = replacement.difference_hash
    by = (by or cast.dave).as_actor()
    return review_replacement(replacement=replacement, difference_hash=shown, by=by, now=NOW)


def ids(compared, name):
    return {each["id"] for each in compared[name]}


def test_the_difference_says_what_goes_over_and_what_cannot(pair):
    old, new = pair.old, pair.new
    given = make_grant(pair.acme, old.user, spec(where="resource.status == 'open'"), delegate=True, ends_at=NOW + HOUR)
    both = make_grant(pair.acme, old.user, spec(actions=["write"]))
    make_grant(pair.acme, new.user, spec(actions=["write"]))
    held = make_assignment(make_role(pair.acme, "reader", spec()), old.user)
    ended = make_grant(pair.acme, old.user, spec(actions=["delete"]))
    end_grant(grant=ended, by=SYSTEM, now=NOW)
    over = make_grant(pair.acme, old.user, ends_at=NOW + timedelta(minutes=1))
    approved = make_grant(pair.acme, old.user, source="approval")
    consent = make_consent(pair.carol, old, pair.record)
    delegation = make_delegation(pair.planner, old)
    compared = difference(old, new, NOW + timedelta(minutes=1))
    assert ids(compared, "gains") == {str(given.pk), str(held.pk)}
    assert ids(compared, "has") == {str(both.pk)}
    assert ids(compared, "lost") == {str(approved.pk), str(consent.pk), str(delegation.pk)}
    assert str(over.pk) not in str(compared)
    assert str(ended.pk) not in str(compared)
    assert compared["beyond"] == []
    assert difference(old, new, NOW + timedelta(minutes=1)) == compared


def test_what_the_successors_limits_keep_from_it_is_said_and_not_given(pair):
    ceiling = [{"type": "record", "actions": ["read"], "fields": ["title"]}]
    new = make_agent(pair.acme, "narrow", blueprint=make_blueprint(pair.acme, ceiling=ceiling))
    read = make_grant(pair.acme, pair.old.user, spec(actions=["read", "write"]))
    write = make_grant(pair.acme, pair.old.user, spec(actions=["write"]))
    wide = make_assignment(make_role(pair.acme, "writer", spec(actions=["write", "delete"])), pair.old.user)
    every = make_grant(pair.acme, pair.old.user, spec(actions=["*"], fields=["title"]))
    compared = difference(pair.old, new, NOW)
    cut = {each["id"]: each["cut"] for each in compared["gains"]}
    assert cut == {
        str(read.pk): ["record: read: email", "record: read: iban", "record: write"],
        str(every.pk): ["record: delete", "record: write"],
    }
    assert ids(compared, "beyond") == {str(write.pk), str(wide.pk)}
    reviewed(pair, make_replacement(pair.old, new))
    assert {row.actions[0] for row in Grant.objects.filter(user=new.user)} == {"read", "*"}
    assert not RoleAssignment.objects.filter(user=new.user).exists()


def test_its_own_declaration_limits_the_successor_too(pair):
    new = make_agent(pair.acme, "declared", capabilities=[{"type": "record", "actions": ["write"]}])
    make_grant(pair.acme, pair.old.user)
    assert len(difference(pair.old, new, NOW)["beyond"]) == 1


def test_roles_of_another_blueprint_are_lost_and_said_so(pair):
    blueprint = make_blueprint(pair.acme)
    BlueprintRole.objects.create(blueprint=blueprint, role=make_role(pair.acme, "inherited"))
    old = make_agent(pair.acme, blueprint=blueprint)
    assert ids(difference(old, pair.new, NOW), "lost") == {"inherited"}
    assert ids(difference(old, make_agent(pair.acme, blueprint=blueprint), NOW), "lost") == set()


def test_nothing_is_given_before_somebody_else_agreed(pair):
    make_grant(pair.acme, pair.old.user)
    replacement = make_replacement(pair.old, pair.new, by=pair.bob.as_actor())
    assert holdings(pair.new) == set()
    with pytest.raises(OwnProposal):
        reviewed(pair, replacement, by=pair.bob)
    for by in (SYSTEM, pair.old.user.as_actor()):
        with pytest.raises(OnlyAPerson):
            review_replacement(replacement=replacement, difference_hash=replacement.difference_hash, by=by, now=NOW)
    with pytest.raises(ForeignOrganization):
        reviewed(pair, replacement, by=pair.mallory)
    assert holdings(pair.new) == set()
    with pytest.raises(IllegalTransition):
        complete_replacement(replacement=replacement, by=SYSTEM, now=NOW)
    assert Agent.objects.get(pk=pair.old.pk).state == State.ACTIVE


def test_after_the_review_both_work_with_the_same(pair):
    make_grant(pair.acme, pair.old.user, spec(where="resource.status == 'open'"), starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    make_assignment(make_role(pair.acme, "reader", spec()), pair.old.user, delegate=True)
    number = revision(pair.acme)
    done = reviewed(pair, make_replacement(pair.old, pair.new))
    assert revision(pair.acme) == number + 2
    assert (done.state, done.reviewed_by) == ("side_by_side", pair.dave)
    assert holdings(pair.new) == {("read", "resource.status == 'open'", "replacement"), ("reader", "replacement")}
    assert {source for *_, source in holdings(pair.old)} == {"manual"}
    given = Grant.objects.get(user=pair.new.user)
    assert (given.starts_at, given.ends_at, given.given_by) == (NOW + HOUR, NOW + 2 * HOUR, "person/dave")
    assert given.where_checked
    assert RoleAssignment.objects.get(user=pair.new.user).delegate
    assert sorted(done.given) == sorted(
        [["grant", str(given.pk)], ["role", str(RoleAssignment.objects.get(user=pair.new.user).pk)]]
    )
    assert data_of(last_event(pair.acme, "replacement.reviewed"))["given"] == 2
    with pytest.raises(IllegalTransition):
        reviewed(pair, done)
    assert Grant.objects.filter(user=pair.new.user).count() == 1


def test_what_an_agents_key_proposes_nobody_agrees_to_who_answers_for_it_or_owns_one_of_the_two(pair):
    make_grant(pair.acme, pair.old.user)
    erin = make_person(pair.acme, "erin")
    sales_bot = make_agent(pair.acme, "proposer", owner=erin, sponsor_team=make_team(pair.acme, members=(pair.alice,)))
    replacement = make_replacement(pair.old, pair.new, by=sales_bot.user.as_actor())
    transfer_agent(agent=pair.new, owner=pair.bob, sponsor=pair.bob, by=pair.by, now=NOW)
    for person in (erin, pair.alice, pair.bob, pair.carol):
        with pytest.raises(OwnProposal):
            reviewed(pair, replacement, by=person)
    assert holdings(pair.new) == set()
    assert reviewed(pair, replacement).state == "side_by_side"


def test_a_new_successor_of_whoever_could_not_register_it_works_once_somebody_else_has_looked(pair):
    boss = make_person(pair.acme, "boss", console_roles=["security_administrator"])
    wide = AgentProfile(name="Wide", purpose="Does more.", environment="production")
    proposed = {}
    for person in (pair.bob, boss):
        leaving = make_agent(pair.acme, owner=person, capabilities=[], environment="staging")
        new = NewSuccessor(external_id=f"wide-{person.external_id}", profile=wide)
        proposed[person] = make_replacement(leaving, new, by=person.as_actor())
    assert not proposed[boss].successor.review_needed
    replacement = proposed[pair.bob]
    coming = replacement.successor
    with pytest.raises(ReviewNeeded):
        activate_agent(agent=coming, by=pair.bob.as_actor(), now=NOW)
    with pytest.raises(OwnChange):
        review_agent(agent=coming, by=pair.bob.as_actor(), now=NOW)
    assert replacement.difference["limits"]["capabilities"] == [[], None]
    assert replacement.difference["limits"]["environment"] == ["staging", "production"]
    reviewed(pair, replacement)
    assert last_event(pair.acme, "agent.reviewed").actor_id == "dave"
    coming.refresh_from_db()
    assert activate_agent(agent=coming, by=pair.bob.as_actor(), now=NOW).state == State.ACTIVE


def test_a_successor_that_was_widened_since_it_was_shown_is_not_agreed_to(pair):
    leaving = make_agent(pair.acme, owner=pair.bob, capabilities=[])
    narrow = AgentProfile(name="Narrow", purpose="Does nothing.", capabilities=[])
    replacement = make_replacement(leaving, NewSuccessor(external_id="narrow", profile=narrow), by=pair.bob.as_actor())
    wider = replace(AgentProfile.of(replacement.successor), capabilities=None)
    update_agent(agent=replacement.successor, profile=wider, by=pair.bob.as_actor(), now=NOW)
    with pytest.raises(DifferenceChanged):
        reviewed(pair, replacement)


def test_a_successor_that_was_given_up_still_waits_for_its_review(pair):
    new = NewSuccessor(external_id="next", profile=AgentProfile(name="Next", purpose="Follows."))
    replacement = make_replacement(pair.old, new, by=pair.bob.as_actor())
    abandon_replacement(replacement=replacement, by=pair.bob.as_actor(), now=NOW)
    with pytest.raises(ReviewNeeded):
        activate_agent(agent=replacement.successor, by=pair.bob.as_actor(), now=NOW)


def test_who_remade_the_successor_or_compared_last_does_not_agree(pair):
    erin, frank = make_person(pair.acme, "erin"), make_person(pair.acme, "frank")
    make_grant(pair.acme, pair.old.user)
    replacement = make_replacement(pair.old, pair.new)
    narrower = replace(AgentProfile.of(pair.new), risk_tier="high")
    update_agent(agent=pair.new, profile=narrower, by=erin.as_actor(), now=NOW)
    suspend_agent(agent=pair.new, by=frank.as_actor(), now=NOW)
    resume_agent(agent=pair.new, by=frank.as_actor(), now=NOW)
    replacement = compare_replacement(replacement=replacement, by=pair.alice.as_actor(), now=NOW)
    for person in (erin, pair.alice):
        with pytest.raises(OwnProposal):
            reviewed(pair, replacement, by=person)
    assert reviewed(pair, replacement, by=frank).state == "side_by_side"


def test_what_changed_since_it_was_shown_is_not_given(pair):
    make_grant(pair.acme, pair.old.user)
    replacement = make_replacement(pair.old, pair.new)
    make_grant(pair.acme, pair.old.user, spec(actions=["delete"]))
    with pytest.raises(DifferenceChanged):
        reviewed(pair, replacement)
    fresh = compare_replacement(replacement=replacement, by=SYSTEM, now=NOW)
    assert fresh.difference_hash != replacement.difference_hash
    for stale in (replacement.difference_hash, "", "é", "0" * 64):
        with pytest.raises(DifferenceChanged):
            review_replacement(replacement=fresh, difference_hash=stale, by=pair.dave.as_actor(), now=NOW)
    assert holdings(pair.new) == set()
    assert len(reviewed(pair, fresh).given) == 2


def test_a_difference_that_was_rewritten_in_the_table_gives_nothing_more(pair):
    make_grant(pair.acme, pair.old.user)
    replacement = make_replacement(pair.old, pair.new)
    Replacement.objects.update(difference={**replacement.difference, "gains": []}, difference_hash="f" * 64)
    with pytest.raises(DifferenceChanged):
        review_replacement(replacement=replacement, difference_hash="f" * 64, by=pair.dave.as_actor(), now=NOW)


def test_the_cut_over_retires_the_predecessor_with_a_proof(pair):
    make_grant(pair.acme, pair.old.user)
    make_consent(pair.carol, pair.old, pair.record)
    child = make_agent(parent=pair.old)
    running = reviewed(pair, make_replacement(pair.old, pair.new))
    number = revision(pair.acme)
    done, proof = complete_replacement(replacement=running, by=pair.by, reason="v2 is better", now=NOW + HOUR)
    assert revision(pair.acme) == number + 1
    assert (done.state, done.ended_at) == ("completed", NOW + HOUR)
    for gone in (pair.old, child):
        assert Agent.objects.get(pk=gone.pk).state == State.RETIRED
    successor = Agent.objects.get(pk=pair.new.pk)
    assert (successor.state, successor.predecessor, successor.owner) == (State.ACTIVE, pair.old, pair.carol)
    assert holdings(pair.new) == {("read", "", "replacement")}
    assert holdings(pair.old) == set()
    assert verify_attestation(Attestation.objects.get()).genuine
    assert '"successors":["new"]' in proof.body
    assert last_event(pair.acme, "replacement.completed").reason == "v2 is better"
    with pytest.raises(IllegalTransition):
        complete_replacement(replacement=done, by=SYSTEM, now=NOW)
    with pytest.raises(IllegalTransition):
        abandon_replacement(replacement=done, by=SYSTEM, now=NOW)


def test_the_predecessor_stays_while_the_successor_cannot_work(pair):
    running = reviewed(pair, make_replacement(pair.old, make_agent(pair.acme, "pending", state=State.PENDING)))
    with pytest.raises(AgentNotActive):
        complete_replacement(replacement=running, by=SYSTEM, now=NOW)
    activate_agent(agent=running.successor, by=SYSTEM, now=NOW)
    suspend_agent(agent=running.successor, by=SYSTEM, now=NOW)
    with pytest.raises(AgentNotActive):
        complete_replacement(replacement=running, by=SYSTEM, now=NOW)
    assert Agent.objects.get(pk=pair.old.pk).state == State.ACTIVE
    assert not Attestation.objects.exists()


def test_what_was_given_ends_when_it_is_abandoned_and_nothing_else(pair):
    make_grant(pair.acme, pair.old.user)
    make_grant(pair.acme, pair.old.user, spec(actions=["delete"]))
    make_assignment(make_role(pair.acme, "reader"), pair.old.user)
    running = reviewed(pair, make_replacement(pair.old, pair.new))
    end_grant(grant=Grant.objects.get(user=pair.new.user, actions=["delete"]), by=SYSTEM, now=NOW)
    make_grant(pair.acme, pair.new.user, spec(actions=["write"]))
    done = abandon_replacement(replacement=running, by=SYSTEM, reason="worse", now=NOW)
    assert (done.state, done.ended_at) == ("abandoned", NOW)
    assert holdings(pair.new) == {("write", "", "manual")}
    assert len(holdings(pair.old)) == 3
    assert data_of(last_event(pair.acme, "replacement.abandoned"))["ended"] == 2
    assert make_replacement(pair.old, pair.new).state == "proposed"


def test_when_the_predecessor_goes_otherwise_what_was_given_goes_too(pair):
    make_grant(pair.acme, pair.old.user)
    reviewed(pair, make_replacement(pair.old, pair.new))
    offboard_agent(agent=pair.old, by=SYSTEM, now=NOW)
    assert holdings(pair.new) == set()
    assert Replacement.objects.get().state == "abandoned"


def test_the_successor_may_be_registered_with_the_proposal(pair):
    blueprint = make_blueprint(pair.acme)
    Agent.objects.filter(pk=pair.old.pk).update(blueprint=blueprint)
    number = revision(pair.acme)
    wanted = NewSuccessor(external_id="v2", profile=AgentProfile(name="V2", purpose="Does it better."))
    replacement = propose_replacement(predecessor=pair.old, successor=wanted, by=pair.by, now=NOW)
    new = replacement.successor
    assert revision(pair.acme) == number + 1
    assert (new.state, new.owner, new.sponsor, new.blueprint) == (State.PENDING, pair.old.owner, pair.old.sponsor, blueprint)


def test_not_every_agent_can_take_anothers_place(pair):
    child = make_agent(parent=pair.planner)
    for leaving, coming in (
        (pair.old, pair.old),
        (pair.old, child),
        (child, pair.new),
        (pair.old, make_agent(pair.acme, state=State.SUSPENDED)),
        (pair.old, make_agent(pair.acme, state=State.RETIRED)),
        (pair.old, make_agent(pair.acme, state=State.DISCOVERED)),
    ):
        with pytest.raises(BadSuccessor):
            make_replacement(leaving, coming)
    with pytest.raises(RetiredAgent):
        make_replacement(make_agent(pair.acme, state=State.RETIRED), pair.new)
    with pytest.raises(ForeignOrganization):
        make_replacement(pair.old, pair.foreign_agent)
    make_replacement(pair.old, pair.new)
    third = make_agent(pair.acme)
    for leaving, coming in ((pair.old, third), (third, pair.new), (pair.new, third), (third, pair.old)):
        with pytest.raises(BadSuccessor, match="another replacement"):
            make_replacement(leaving, coming)


def test_a_successor_that_stopped_meanwhile_gets_nothing(pair):
    make_grant(pair.acme, pair.old.user)
    replacement = make_replacement(pair.old, pair.new)
    suspend_agent(agent=pair.new, by=SYSTEM, now=NOW)
    with pytest.raises(BadSuccessor):
        reviewed(pair, replacement)
    assert holdings(pair.new) == set()


def test_the_chain_of_responsibility_goes_back_to_the_first(pair):
    transfer_agent(agent=pair.old, owner=pair.alice, sponsor_team=pair.sales, by=pair.by, now=NOW + HOUR)
    running = reviewed(pair, make_replacement(pair.old, pair.new))
    complete_replacement(replacement=running, by=pair.by, now=NOW + 2 * HOUR)
    newest = make_agent(pair.acme, "newest", owner=pair.alice)
    again = reviewed(pair, make_replacement(pair.new, newest))
    complete_replacement(replacement=again, by=pair.by, now=NOW + 3 * HOUR)
    line = succession(Agent.objects.get(pk=newest.pk))
    assert [each.agent.external_id for each in line] == ["newest", "new", "old"]
    first = line[-1].tenures
    assert [(each.owner, each.sponsor, each.since, each.until) for each in first] == [
        ("bob", "bob", NOW, NOW + HOUR),
        ("alice", "team/sales", NOW + HOUR, None),
    ]
    assert [each.agent.external_id for each in succession(pair.planner)] == ["planner"]


def test_a_replacement_is_seen_by_those_who_see_its_agents(pair):
    replacement = make_replacement(pair.old, pair.new)
    assert list(Replacement.objects.visible_to(pair.bob)) == [replacement]
    assert list(Replacement.objects.visible_to(pair.mallory)) == []
    assert not Replacement.objects.permitting(pair.bob, "manage_agent").exists(), "bob has the one agent only"
