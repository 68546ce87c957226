"""What an agent could do at an instant that lies behind: by the rules that stood then, whatever became of them since."""

from datetime import timedelta

import pytest

from audit.models import Event
from directory.models import Team, User
from directory.services.agents import AgentProfile, update_agent
from directory.services.blueprints import BlueprintTerms, update_blueprint
from directory.services.suspension import resume_agent, suspend_agent
from directory.services.teams import set_team_members
from permissions.models import Consent, Guardrail, Resource
from permissions.selectors.effective import effective_access
from permissions.selectors.explanations import explain_access
from permissions.selectors.past import NotYet, Past
from permissions.selectors.telling import Look, effective_json
from permissions.services.consents import end_consent
from permissions.services.grants import end_assignment, end_grant, give_grant
from permissions.services.guardrails import withdraw_guardrail
from permissions.services.resource_types import update_resource_type
from permissions.services.resources import update_resource
from permissions.services.roles import set_role_entitlements, set_role_inclusions
from permissions.worlds import Needs, worlds_here
from tests.factories import NOW, SYSTEM, make_team
from tests.permissions.factories import make_delegation, make_grant, make_guardrail, spec
from tests.permissions.scene import let_act_for_alice, remembered_scene

THEN = NOW + timedelta(hours=1)
SINCE = NOW + timedelta(hours=2)
LATER = NOW + timedelta(hours=3)
EVERYTHING = Look(holdings_of=lambda who: True, guardrails=True)


@pytest.fixture
def scene(db):
    return remembered_scene()


def then(scene, **more):
    return effective_access(scene.runner, at=THEN, as_of=THEN, **more)


def effects(found):
    return {row.action: row.effect for row in found.rows}


def told(found):
    plain = effective_json(found, EVERYTHING)
    return {name: value for name, value in plain.items() if name != "revision"}


def test_as_long_as_nothing_changes_the_past_is_the_present(scene):
    let_act_for_alice(scene)
    for more in ({}, {"acting_for": scene.alice}):
        now = effective_access(scene.runner, at=THEN, **more)
        assert told(then(scene, **more)) == told(now)
        assert (then(scene).revision, now.revision is None) == (None, False)
    child = effective_access(scene.helper, at=THEN, as_of=THEN)
    assert told(child) == told(effective_access(scene.helper, at=THEN))


def grant_since(scene):
    give_grant(organization=scene.acme, holder=scene.runner.user, entitlement=spec(), by=SYSTEM, now=SINCE)


CHANGES = {
    "an assignment that was ended": lambda s: end_assignment(assignment=s.more["assignment"], by=SYSTEM, now=SINCE),
    "a grant that was ended": lambda s: end_grant(grant=s.more["grant"], by=SYSTEM, now=SINCE),
    "a grant that was given": grant_since,
    "an entitlement that went": lambda s: set_role_entitlements(role=s.reader, entitlements=[], by=SYSTEM, now=SINCE),
    "an inclusion that went": lambda s: set_role_inclusions(role=s.support, included=[], by=SYSTEM, now=SINCE),
    "a guardrail that was withdrawn": lambda s: withdraw_guardrail(
        guardrail=Guardrail.objects.get(external_id="mask-mail"), by=SYSTEM, now=SINCE
    ),
    "a ceiling that was lowered": lambda s: update_blueprint(
        blueprint=s.more["blueprint"], terms=BlueprintTerms(name="Clerk", ceiling=[]), by=SYSTEM, now=SINCE
    ),
    "an agent that was suspended": lambda s: suspend_agent(agent=s.runner, by=SYSTEM, now=SINCE),
    "capabilities that were declared": lambda s: update_agent(
        agent=s.runner, profile=AgentProfile(name="R", purpose="Works for a test.", capabilities=[]), by=SYSTEM, now=SINCE
    ),
    "an action that was added": lambda s: update_resource_type(
        resource_type=s.record,
        actions=[*s.record.actions, "burn"],
        attributes=s.record.attributes,
        fields={**s.record.fields, "phone": "personal"},
        by=SYSTEM,
        now=SINCE,
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_change_since_is_not_in_the_past(scene, change):
    before = told(then(scene))
    change(scene)
    assert told(then(scene)) == before
    now = told(effective_access(scene.runner, at=LATER))
    assert now["rows"] != before["rows"]
    at_last = told(effective_access(scene.runner, at=LATER, as_of=LATER))
    assert at_last == now


def test_what_was_agreed_to_then_was_agreed_to(scene):
    let_act_for_alice(scene)
    end_consent(consent=Consent.objects.get(), by=SYSTEM, reason="enough", now=SINCE)
    assert effects(then(scene, acting_for=scene.alice))["read"] == "conditional"
    assert effects(effective_access(scene.runner, acting_for=scene.alice, at=LATER))["read"] == "deny"


def test_what_was_delegated_then_was_delegated(scene):
    make_delegation(scene.helper, scene.runner)
    chain = ("agent/helper",)
    now = effective_access(scene.runner, delegation=chain, at=THEN)
    assert told(then(scene, delegation=chain)) == told(now)


def test_who_was_in_a_team_then_had_what_it_had(scene):
    team = make_team(scene.acme, "sales", parent=make_team(scene.acme, "all"), members=(scene.alice,))
    let_act_for_alice(scene)
    make_grant(scene.acme, Team.objects.get(external_id="all"), spec(fields=["email"]))
    set_team_members(team=team, members=[], by=SYSTEM, now=SINCE)
    now = effective_access(scene.runner, acting_for=scene.alice, at=LATER)
    for was_in, found in ((True, then(scene, acting_for=scene.alice)), (False, now)):
        read = next(row for row in found.rows if row.action == "read")
        user = next(term for term in read.terms if term.name == "user")
        assert ("email" in user.fields) is was_in


def test_two_versions_of_one_instant_are_taken_in_the_order_in_which_they_were_written(scene):
    suspend_agent(agent=scene.runner, by=SYSTEM, now=SINCE)
    resume_agent(agent=scene.runner, by=SYSTEM, now=SINCE)
    assert effective_access(scene.runner, at=LATER, as_of=LATER).inactive == ""
    suspend_agent(agent=scene.runner, by=SYSTEM, now=SINCE)
    assert effective_access(scene.runner, at=LATER, as_of=LATER).inactive == "is suspended"


def test_before_it_was_there_nothing_was(scene):
    before = NOW - timedelta(days=1)
    with pytest.raises(NotYet):
        effective_access(scene.runner, at=before, as_of=before)
    from tests.factories import make_agent

    young = make_agent(scene.acme, "young", owner=scene.bob, now=SINCE)
    found = effective_access(young, at=THEN, as_of=THEN)
    assert (found.inactive, {row.effect for row in found.rows}) == ("is unknown", {"deny"})


def test_an_explanation_sees_the_object_as_it_was(scene):
    update_resource(
        resource=Resource.objects.get(external_id="record-1"), attributes={"region": "US"}, parent=None, by=SYSTEM, now=SINCE
    )
    asked = {"action": "read", "resource_type": "record", "resource": "record-1"}
    assert explain_access(scene.runner, **asked, at=THEN, as_of=THEN).decision.allows
    assert not explain_access(scene.runner, **asked, at=LATER).decision.allows
    assert not explain_access(scene.runner, **asked, at=LATER, as_of=LATER).decision.allows


def test_what_a_resource_lay_in_then_counted_then(scene):
    folder, thing = Resource.objects.get(external_id="record-2"), Resource.objects.get(external_id="record-1")
    update_resource(resource=thing, attributes={}, parent=folder, by=SYSTEM, now=NOW)
    make_grant(scene.acme, scene.runner.user, spec(subtree=("record", "record-2")))
    update_resource(resource=thing, attributes={}, parent=None, by=SYSTEM, now=SINCE)
    asked = {"action": "read", "resource_type": "record", "resource": "record-1"}
    assert explain_access(scene.runner, **asked, at=THEN, as_of=THEN).decision.allows
    assert not explain_access(scene.runner, **asked, at=LATER).decision.allows


def test_nothing_of_another_organization_is_in_the_past(scene):
    from tests.factories import make_agent

    theirs = make_agent(scene.more["elsewhere"], "runner-2", owner=User.objects.get(pk=scene.mallory.pk))
    make_guardrail(scene.more["elsewhere"], "theirs")
    past = Past(THEN)
    known = past.current(scene.acme.pk)
    needs = Needs(principals=frozenset({f"agent/{theirs.external_id}", "user/mallory", f"agent/{theirs.spiffe_id}"}))
    assert set(past.with_needs(known, needs).principals.values()) == {None}
    assert {rail.id for rail in known.world.guardrails} == {"mask-mail", "big"}


def test_looking_back_records_nothing_and_leaves_the_present_alone(scene):
    before = Event.objects.count()
    then(scene)
    assert Event.objects.count() == before
    assert worlds_here().current(scene.acme.pk).world.revision > 0
