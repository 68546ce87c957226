"""What a manifest says becomes so, once, whole or not at all."""

import re
from datetime import timedelta

import pytest

from agentiam.kit.tokens import split_token
from agentiam.manifest.mistakes import Refused, Unusable
from audit.models import Event
from directory.models import Agent, Credential, Organization, Team, User
from permissions.models import (
    Application,
    Consent,
    Delegation,
    Grant,
    GuardrailVersion,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    Trust,
)
from tests.manifest.worlds import ACME, HEAD, NOW, apply, changed, counts, export

pytestmark = pytest.mark.django_db


def agent(external_id: str) -> Agent:
    return Agent.objects.get(external_id=external_id)


def test_everything_that_the_format_says_is_made():
    apply(ACME)
    acme = Organization.objects.get(slug="acme")
    assert (acme.trust_domain, acme.time_zone, acme.subject_types) == ("acme.example", "Europe/Berlin", {"identity": "user"})
    alice = User.objects.get(external_id="alice")
    assert (alice.username, alice.attributes) == ("alice@acme", {"department": "support"})
    assert not alice.has_usable_password()
    assert Team.objects.get(external_id="refunds").parent == Team.objects.get(external_id="finance")
    assert [person.external_id for person in Team.objects.get(external_id="finance").members.all()] == ["bob"]
    record = ResourceType.objects.get(name="record")
    assert (record.application.slug, sorted(record.actions)) == ("crm", ["delete", "read", "write"])
    assert record.fields == {"title": "internal", "email": "personal", "iban": "sensitive"}
    assert Resource.objects.get(external_id="record-1").parent.external_id == "f1"
    reader = Role.objects.get(external_id="reader")
    assert [row.where for row in reader.entitlements.all()] == ['resource.region == "EU"']
    assert [row.included for row in Role.objects.get(external_id="writer").inclusions.all()] == [reader]
    runner = agent("refund-runner")
    assert (runner.state, runner.owner, runner.blueprint.external_id) == ("active", alice, "support-agent")
    assert (agent("helper").parent, agent("helper").depth, agent("helper").owner) == (runner, 1, alice)
    assert (agent("planner").state, agent("planner").sponsor_team.external_id) == ("suspended", "finance")
    assert RoleAssignment.objects.get().reason == "onboarding"
    assert {(grant.user or grant.team).external_id for grant in Grant.objects.all()} == {"refund-runner", "finance"}
    assert sorted(GuardrailVersion.objects.values_list("guardrail__external_id", "state")) == [
        ("big-amounts", "published"),
        ("watched", "report_only"),
    ]
    assert Consent.objects.get().purpose == "refunds"
    assert Delegation.objects.get().delegate == runner


def test_a_second_time_changes_nothing_at_all():
    apply(ACME)
    before = counts()
    outcome = apply(ACME, prune=True)
    assert (outcome.changes, outcome.credentials, outcome.notes) == ([], {}, [])
    assert counts() == before


def test_the_order_of_lists_and_sections_does_not_matter():
    apply(ACME)
    turned = ACME.replace("[read, write, delete]", "[delete, write, read]").replace("[title, email]", "[email, title]")
    assert apply(turned).changes == []


def test_a_dry_run_shows_everything_and_changes_nothing():
    before = counts()
    outcome = apply(ACME, dry_run=True)
    assert "create agent refund-runner" in changed(outcome)
    assert outcome.credentials == {}
    assert counts() == before


def test_a_dry_run_on_a_known_organization_changes_nothing():
    apply(ACME)
    before = counts()
    other = ACME.replace("name: Alice,", "name: Alicia,").replace("reason: pilot", "reason: for good")
    outcome = apply(other, dry_run=True, prune=True)
    assert sorted(changed(outcome)) == [
        "update grant agent/refund-runner write record/record-1",
        "update person alice",
    ]
    assert counts() == before


def test_a_refusal_takes_back_everything():
    before = counts()
    refused = ACME.replace("region: EU}, parent", "region: 7}, parent")
    with pytest.raises(Refused) as caught:
        apply(refused)
    (mistake,) = caught.value.mistakes
    assert str(mistake.place) == "acme.yaml:15:13"
    assert mistake.message.startswith("The attribute region must be of the type string.")
    assert counts() == before


def test_a_refusal_on_a_known_organization_takes_back_everything():
    apply(ACME)
    before = counts()
    both = ACME.replace("name: Alice,", "name: Alicia,").replace("region: EU}, parent", "region: 7}, parent")
    with pytest.raises(Refused):
        apply(both)
    assert counts() == before


def test_each_new_application_and_active_agent_gets_a_key():
    outcome = apply(ACME)
    assert sorted(outcome.credentials) == ["agent/helper", "agent/refund-runner", "application/crm"]
    assert split_token(outcome.credentials["application/crm"]).prefix == "aip"
    token = split_token(outcome.credentials["agent/refund-runner"])
    assert Credential.objects.get(public_id=token.public_id).agent == agent("refund-runner")
    assert outcome.credentials["agent/helper"] not in repr(outcome)


def test_an_update_says_what_was_and_what_will_be():
    apply(ACME)
    outcome = apply(ACME.replace("purpose: Refund open cases", "purpose: Refund every case"))
    assert [change.as_json() for change in outcome.changes] == [
        {
            "action": "update",
            "kind": "agent",
            "id": "refund-runner",
            "fields": {"purpose": {"old": "Refund open cases", "new": "Refund every case"}},
        }
    ]
    assert agent("refund-runner").purpose_version == 2


def test_a_section_that_is_left_out_is_left_alone_even_when_pruning():
    apply(ACME)
    assert apply(HEAD.replace("}", ", time_zone: Europe/Berlin, subject_types: {identity: user}}"), prune=True).changes == []


def test_what_is_not_listed_stays_unless_it_is_pruned():
    apply(ACME)
    shorter = re.sub(r"grants:\n(.+\n.+\n)", "grants:\n", ACME)
    assert apply(shorter).changes == []
    outcome = apply(shorter, prune=True)
    assert changed(outcome) == ["end grant agent/refund-runner write record/record-1"]
    assert Grant.objects.filter(ended_at__isnull=True).count() == 1
    assert apply(shorter, prune=True).changes == []


def test_pruning_everything_leaves_nothing_that_lives():
    apply(ACME)
    empty = ["people", "teams", "applications", "resources", "roles", "blueprints", "agents", "trusts", "agreements"]
    empty += ["assignments", "grants", "guardrails", "consents", "delegations"]
    head = ACME.splitlines()[0] + "\n"
    everything = head + "".join(f"{section}: []\n" for section in empty)
    outcome = apply(everything, prune=True)
    assert "end agent refund-runner" in changed(outcome)
    assert {each.state for each in Agent.objects.all()} == {"retired"}
    assert not User.objects.people().active().exists()
    assert not Role.objects.exists()
    assert not Resource.objects.exists()
    assert not Grant.objects.not_over(NOW).exists()
    assert not Consent.objects.not_over(NOW).exists()
    assert Application.objects.get().state == "suspended"
    assert set(GuardrailVersion.objects.values_list("state", flat=True)) == {"withdrawn"}
    before = counts()
    assert apply(everything, prune=True).changes == []
    assert counts() == before


def test_a_changed_grant_is_ended_and_given_anew():
    apply(ACME)
    outcome = apply(ACME.replace("reason: pilot", "reason: for good, until: 2029-01-01T00:00:00+01:00"))
    (change,) = outcome.changes
    assert change.action == "update"
    assert change.fields == {"reason": ("pilot", "for good"), "until": (None, "2028-12-31T23:00:00Z")}
    former, present = Grant.objects.filter(user__isnull=False).order_by("created_at", "id")
    assert (former.reason, former.ended_at) == ("pilot", NOW)
    assert (present.reason, present.ended_at) == ("for good", None)


def test_a_holding_that_is_over_is_left_out_and_stays_out():
    apply(ACME)
    later = NOW + timedelta(days=900)
    outcome = apply(ACME, now=later)
    assert outcome.changes == []
    assert len(outcome.notes) == 3
    assert "this assignment is over" in "".join(outcome.notes)


def test_a_type_can_lose_an_action_together_with_the_rules_that_name_it():
    apply(ACME)
    without = ACME.replace("[read, write, delete]", "[read, modify]").replace("actions: [write]", "actions: [modify]")
    without = without.replace("actions: [read, write]", "actions: [read, modify]")
    with pytest.raises(Refused, match="Rules name actions that would be removed from record: grant"):
        apply(without)
    apply(without, prune=True)
    assert sorted(ResourceType.objects.get(name="record").actions) == ["modify", "read"]
    assert apply(without, prune=True).changes == []


def test_roles_can_turn_their_inclusion_around():
    apply(ACME)
    turned = ACME.replace("{id: writer, includes: [reader]}", "{id: writer}").replace("includes: []", "includes: [writer]")
    assert sorted(changed(apply(turned))) == ["update role reader", "update role writer"]
    assert [row.included.external_id for row in Role.objects.get(external_id="reader").inclusions.all()] == ["writer"]


def test_teams_can_turn_their_nesting_around():
    apply(ACME)
    turned = ACME.replace("{id: finance, name: Finance,", "{id: finance, name: Finance, parent: refunds,")
    apply(turned.replace("{id: refunds, parent: finance}", "{id: refunds}"))
    assert Team.objects.get(external_id="finance").parent.external_id == "refunds"


def test_the_lifecycle_is_walked_to_the_state_that_is_wanted():
    apply(ACME)
    apply(ACME.replace("sponsor: team/finance, state: suspended", "sponsor: team/finance"))
    assert agent("planner").state == "active"
    gone = ACME.replace("sponsor: team/finance, state: suspended", "sponsor: team/finance, state: retired")
    gone = gone[: gone.index("delegations:")]
    apply(gone)
    assert agent("planner").state == "retired"
    assert apply(gone).changes == []


def test_a_pending_agent_becomes_active_when_that_is_wanted():
    apply(ACME.replace("team/finance, state: suspended", "team/finance, state: pending"))
    assert agent("planner").state == "pending"
    assert changed(apply(ACME)) == ["update agent planner"]
    assert agent("planner").state == "suspended"


def test_sign_offs_are_waited_for_and_never_made_up():
    asked = ACME.replace("roles: [reader], ceiling", "roles: [reader], sign_offs: 1, ceiling")
    asked = asked.replace("  - {id: helper, purpose: Looks things up, parent: refund-runner}\n", "")
    outcome = apply(asked)
    assert agent("refund-runner").state == "pending"
    assert outcome.notes == [
        "agent/refund-runner stays pending until 1 person agreed to its onboarding, as its blueprint asks for."
    ]
    assert "agent/refund-runner" not in outcome.credentials
    assert apply(asked).changes == []


def test_a_deactivated_owner_leaves_agents_that_stop():
    apply(ACME.replace("name: Alice,", "name: Alice, active: false,"))
    assert not User.objects.get(external_id="alice").is_active
    assert (agent("refund-runner").state, agent("refund-runner").ownerless) == ("suspended", True)


def test_people_are_deactivated_and_reactivated():
    apply(ACME)
    apply(ACME.replace("name: Bob,", "name: Bob, active: false,"))
    assert not User.objects.get(external_id="bob").is_active
    apply(ACME)
    assert User.objects.get(external_id="bob").is_active


def test_only_a_person_transfers_an_agent():
    apply(ACME)
    moved = ACME.replace("owner: alice, sponsor: bob", "owner: bob, sponsor: bob")
    with pytest.raises(Refused, match="Only a person can do this"):
        apply(moved)
    alice = User.objects.get(external_id="alice").as_actor()
    assert changed(apply(moved, by=alice)) == ["update agent refund-runner"]
    assert agent("helper").owner.external_id == "bob"
    assert apply(moved).changes == []


def test_whoever_applies_joins_no_team_and_moves_none_that_they_do_not_manage():
    apply(ACME)
    alice, before = User.objects.get(external_id="alice").as_actor(), counts()
    with pytest.raises(Refused, match="Nobody brings themselves into a team"):
        apply(ACME.replace("members: [bob]", "members: [alice, bob]"), by=alice)
    with pytest.raises(Refused, match="does not manage all of these teams"):
        apply(ACME.replace("{id: refunds, parent: finance}", "{id: refunds}"), by=alice)
    assert counts() == before
    assert changed(apply(ACME.replace("members: [bob]", "members: [alice, bob]"))) == ["update team finance"]


def test_a_stranger_changes_nothing():
    apply(ACME)
    apply("organization: {slug: other, name: Other, trust_domain: other.example}\npeople: [{id: mallory}]\n")
    mallory = User.objects.get(external_id="mallory").as_actor()
    before = counts()
    with pytest.raises(Refused, match="does not belong to this organization"):
        apply(ACME.replace("name: Alice,", "name: Alicia,"), by=mallory)
    assert counts() == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("blueprint: support-agent, parent", "parent", "An agent keeps its blueprint: this is support-agent."),
        ("state: suspended", "state: pending", "It is suspended and cannot be pending again; suspend or retire it."),
        ("trust_domain: acme.example", "trust_domain: acme.test", "The trust domain is acme.example and stays so"),
        ("id: bob, name", "id: bob, username: robert, name", "bob logs in as bob@acme"),
        ("up, parent: refund-runner", "up, owner: bob, parent: refund-runner", "A spawned agent has the owner of the agent"),
        ("up, parent: refund-runner", "up, parent: planner", "An agent keeps its parent: this is refund-runner."),
    ],
)
def test_what_stays_for_good_is_said(old, new, message):
    apply(ACME)
    assert old in ACME
    with pytest.raises(Unusable, match=re.escape(message)):
        apply(ACME.replace(old, new))


def test_the_limits_of_spawning_are_named():
    child = "  - {id: helper, purpose: Looks things up, parent: refund-runner}\n"
    many = "".join(child.replace("helper", f"helper-{number}") for number in range(4))
    with pytest.raises(Refused, match="has 3 living children, as many as support-agent allows"):
        apply(ACME.replace(child, many))


def test_a_guardrail_changes_by_versions():
    apply(ACME)
    apply(ACME.replace("amount > 200.0", "amount > 100.0"))
    assert sorted(GuardrailVersion.objects.filter(guardrail__external_id="big-amounts").values_list("number", "state")) == [
        (1, "superseded"),
        (2, "published"),
    ]
    assert changed(apply(ACME.replace("amount > 200.0", "amount > 100.0").replace("deny, state: report_only", "deny"))) == [
        "update guardrail watched"
    ]
    drafted = ACME.replace("id: watched, effect: deny, state: report_only", "id: watched, effect: deny, state: draft")
    apply(drafted)
    assert set(GuardrailVersion.objects.filter(guardrail__external_id="watched").values_list("state", flat=True)) == {
        "withdrawn",
        "draft",
    }
    assert apply(drafted).changes == []


def test_trust_needs_the_word_of_both_sides():
    apply("organization: {slug: partner, name: Partner, trust_domain: partner.example}\n")
    ours = ACME + "trusts: [{partner: partner, types: [record], data_classes: [internal], until: 2028-01-01T00:00:00Z}]\n"
    theirs = "organization: {slug: partner, name: Partner, trust_domain: partner.example}\nagreements: [acme]\n"
    assert apply(theirs).notes == ["acme has proposed no trust; apply again once it has."]
    assert "create trust partner" in changed(apply(ours))
    assert Trust.objects.get().agreed_there_at is None
    assert changed(apply(theirs)) == ["create agreement acme"]
    assert Trust.objects.agreed().count() == 1
    assert apply(ours, prune=True).changes == []
    assert apply(theirs, prune=True).changes == []
    outcome = apply(ours.replace("[internal]", "[internal, personal]"))
    assert outcome.notes == ["trust/partner is proposed anew: the partner has to agree again."]
    assert Trust.objects.agreed().filter(ended_at__isnull=True).count() == 0


def test_a_partners_agent_is_named_by_its_spiffe_id():
    apply(ACME.replace("acme", "partner"))
    spiffe_id = agent("refund-runner").spiffe_id
    apply(ACME + "trusts: [{partner: partner}]\n")
    grant = ACME.replace("{to: team/finance,", f"{{to: '{'agent/' + spiffe_id}',") + "trusts: [{partner: partner}]\n"
    apply(grant, prune=True)
    assert Grant.objects.not_over(NOW).filter(user__agent__spiffe_id=spiffe_id).exists()
    assert f"agent/{spiffe_id}" in export()
    assert apply(export(), prune=True).changes == []


def test_events_name_the_command_and_the_reason():
    apply(ACME, reason="apply acme.yaml")
    registered = Event.objects.get(type="agent.registered", target_id="refund-runner")
    assert (registered.actor_kind, registered.actor_id, registered.reason) == ("system", "apply", "apply acme.yaml")
