"""Who leaves by a manifest is offboarded like everybody who leaves; and what changed of an agent is reviewed all the same."""

import json

import pytest

from agentiam.manifest.mistakes import Refused
from audit.attestations import verify_attestation
from audit.models import Attestation
from directory.models import Agent, Organization, Team, User
from directory.services.console_roles import set_console_roles
from directory.services.fingerprints import review_agent
from permissions.models import Consent, Delegation, Grant, RoleAssignment
from tests.manifest.worlds import ACME, APPLY, HEAD, NOW, apply, changed

pytestmark = pytest.mark.django_db

HASHED = ACME.replace("name: Refund runner,", "name: Refund runner, hashes: {model: 'sha256:1'},")
DRIFTED = HASHED.replace("sha256:1", "sha256:2")
# Whoever retires an agent need not list what it held: that ends with it.
WITHOUT_HOLDINGS = ACME.partition("assignments:")[0]
RETIRED = WITHOUT_HOLDINGS.replace("parent: null, state: active", "parent: null, state: retired")


def agent(external_id):
    return Agent.objects.get(external_id=external_id)


def test_an_agent_that_is_retired_leaves_nothing_and_a_proof():
    apply(ACME)
    before = Organization.objects.get().revision
    outcome = apply(RETIRED)
    assert "update agent refund-runner" in changed(outcome)
    assert any(note.startswith("agent/refund-runner is offboarded for good") for note in outcome.notes)
    assert Organization.objects.get().revision == before + 1
    assert {agent("refund-runner").state, agent("helper").state} == {"retired"}
    assert [each.team.external_id for each in Grant.objects.filter(ended_at__isnull=True)] == ["finance"]
    for model in (RoleAssignment, Consent, Delegation):
        assert not model.objects.filter(ended_at__isnull=True).exists(), model
    proof = Attestation.objects.get()
    assert verify_attestation(proof).genuine
    assert (proof.target_id, json.loads(proof.body)["content"]["by"]["id"]) == ("refund-runner", APPLY.id)


def test_a_trial_run_leaves_no_proof():
    apply(ACME)
    apply(RETIRED, dry_run=True)
    assert not Attestation.objects.exists()
    assert agent("refund-runner").state == "active"


def test_a_person_who_is_left_out_is_offboarded_and_one_who_is_closed_can_come_back():
    apply(ACME)
    without = HEAD + "people:\n  - {id: alice, name: Alice, email: alice@acme.example, attributes: {department: support}}\n"
    told = [note for note in apply(without, prune=True, dry_run=True).notes if "offboarded" in note]
    assert [note.partition(" for good")[0] for note in told] == ["user/bob is offboarded"]
    assert apply(without, prune=True).notes == told
    assert not User.objects.get(external_id="bob").is_active
    assert Attestation.objects.get().target_id == "bob"
    assert not Team.objects.get(external_id="finance").members.exists()
    assert apply(without, prune=True).changes == []
    closed = without.replace("{id: alice,", "{id: alice, active: false,")
    apply(closed)
    assert not User.objects.get(external_id="alice").is_active
    assert Attestation.objects.count() == 1
    assert Consent.objects.filter(ended_at__isnull=True).exists(), "a closed account is not an offboarded person"


def test_what_cannot_end_for_not_being_listed_is_at_no_line():
    apply(ACME)
    bob = User.objects.get(external_id="bob")
    set_console_roles(person=bob, roles=["security_administrator"], by=APPLY, now=NOW)
    with pytest.raises(Refused, match="Bob is the last security administrator") as refused:
        apply(HEAD + "people:\n  - {id: alice, name: Alice}\n", prune=True)
    (mistake,) = refused.value.mistakes
    assert (str(mistake.place), mistake.path, mistake.excerpt) == ("acme.yaml", "people", "")
    assert mistake.as_text().startswith("acme.yaml: people: Bob is")


def test_a_fingerprint_that_a_manifest_changes_stops_the_agent_until_somebody_reviewed_it():
    apply(HASHED)
    outcome = apply(DRIFTED)
    assert agent("refund-runner").state == "suspended"
    assert agent("refund-runner").review_needed
    assert any("until somebody has reviewed" in note for note in outcome.notes)
    again = apply(DRIFTED)
    assert again.changes == []
    assert any("until somebody has reviewed" in note for note in again.notes)
    assert agent("refund-runner").state == "suspended"
    bob = User.objects.get(external_id="bob")
    review_agent(agent=agent("refund-runner"), by=bob.as_actor(), now=NOW)
    assert changed(apply(DRIFTED)) == ["update agent refund-runner"]
    assert agent("refund-runner").state == "active"


@pytest.mark.parametrize("state", ["suspended", "retired"])
def test_a_changed_fingerprint_may_come_with_another_state(state):
    apply(HASHED)
    drifted = DRIFTED.partition("assignments:")[0]
    apply(drifted.replace("parent: null, state: active", f"parent: null, state: {state}"))
    assert agent("refund-runner").state == state
