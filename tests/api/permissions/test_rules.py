"""Guardrails, consents, delegations, trusts and replacements: drafted, given, agreed to, ended, by those whose they are."""

import pytest

from audit.models import Event
from permissions.models import Consent, Delegation, GuardrailVersion, Trust
from tests.factories import make_agent, make_organization
from tests.permissions.factories import (
    make_consent,
    make_delegation,
    make_grant,
    make_guardrail,
    make_trust,
    spec,
)


def wording(world, **more):
    given = {"external_id": "no-export", "name": "No export", "effect": "deny", "type": str(world.record.pk)}
    return given | {"actions": ["write"], "message": "Not this one."} | more


def test_a_guardrail_goes_from_draft_to_force_to_withdrawal(as_, world):
    alice = as_("alice")
    made = alice.post("guardrails", wording(world))
    assert made.status_code == 201, made.content
    path = f"guardrails/{made.json()['id']}"
    assert [(each["number"], each["state"], each["message"]) for each in made.json()["versions"]] == [
        (1, "draft", "Not this one.")
    ]
    again = alice.replace(
        f"{path}/draft", {"name": "No export", "effect": "mask", "fields": ["email"], "type": str(world.record.pk)}
    )
    assert [each["number"] for each in again.json()["versions"]] == [2]
    stale = alice.post(f"{path}/publish", {"number": 1})
    assert (stale.status_code, stale.json()["fact"]) == (409, "DraftChanged")
    assert alice.post(f"{path}/publish", {"number": 2, "report_only": True}).json()["versions"][0]["state"] == "report_only"
    assert alice.post(f"{path}/publish", {"number": 2}).json()["versions"][0]["state"] == "published"
    assert [row["external_id"] for row in alice.get("guardrails?state=published").json()["items"]] == ["no-export"]
    assert alice.post(f"{path}/withdraw", {"reason": "wrong"}).json()["versions"][0]["state"] == "withdrawn"
    assert alice.post(f"{path}/withdraw").status_code == 409


@pytest.mark.parametrize("name", ["bob", "carol", "olivia", "dave", "agent", "application"])
def test_guardrails_are_written_by_security_administrators(as_, world, name):
    path = f"guardrails/{make_guardrail(world.acme, 'there').pk}"
    caller = as_(name)
    assert caller.post("guardrails", wording(world)).status_code == 403
    seen = caller.get(path).status_code
    assert seen == (200 if name == "carol" else 404)
    for verb, body in (("withdraw", {}), ("publish", {"number": 1}), ("draft", {})):
        assert caller.post(f"{path}/{verb}", body).status_code == (403 if name == "carol" else 404)
    assert GuardrailVersion.objects.get().state == "published"


def test_a_bad_wording_is_refused(as_, world):
    assert as_("alice").post("guardrails", wording(world, when="resource.colour == 1")).status_code == 422
    assert as_("alice").post("guardrails", wording(world, effect="forbid")).status_code == 422
    assert as_("alice").post("guardrails", wording(world, type=str(world.crm.pk))).status_code == 422


# --- consents ----------------------------------------------------------------------------------------------------------------


def consent(world, **more):
    return {"agent": str(world.runner.pk), "type": "record", "actions": ["read"], "purpose": "refunds"} | more


@pytest.mark.parametrize("name", ["alice", "bob", "dave", "olivia"])
def test_a_person_consents_for_themselves_and_takes_it_back(as_, world, name):
    made = as_(name).post("consents", consent(world))
    assert made.status_code == 201, made.content
    assert made.json()["person"]["external_id"] == name
    path = f"consents/{made.json()['id']}"
    assert [row["id"] for row in as_(name).get("consents").json()["items"]] == [made.json()["id"]]
    assert as_(name).post(f"{path}/end").json()["ended_at"] is not None
    assert as_(name).post(f"{path}/end").status_code == 409


def test_nobody_consents_for_somebody_else(as_, world):
    as_person = consent(world, person=str(world.people["alice"].pk))
    assert as_("bob").post("consents", as_person).status_code == 422
    for name in ("agent", "application"):
        assert as_(name).post("consents", consent(world)).status_code == 403
        # No body makes a person of them.
        assert as_(name).post("consents", {}).status_code == 403
    assert not Consent.objects.exists()


def test_anothers_consent_is_ended_with_the_right_and_a_reason_only(as_, world):
    row = make_consent(world.people["bob"], world.runner, world.record)
    path = f"consents/{row.pk}/end"
    assert as_("olivia").post(path, {"reason": "mine"}).status_code == 403
    assert as_("dave").post(path, {"reason": "mine"}).status_code == 404
    assert as_("agent").post(path, {"reason": "mine"}).status_code == 403
    assert as_("alice").post(path).status_code == 403
    assert as_("alice").post(path, {"reason": "he asked me to"}).status_code == 200


def test_an_agent_of_another_organization_is_not_there(as_, world, evil):
    theirs = make_agent(evil, "theirs")
    unknown = as_("bob").post("consents", consent(world, agent=str(world.crm.pk))).json()
    assert as_("bob").post("consents", consent(world, agent=str(theirs.pk))).json() == unknown


# --- delegations -------------------------------------------------------------------------------------------------------------


def delegation(delegator, delegate, **more):
    return {"delegator": str(delegator.pk), "delegate": str(delegate.pk), "type": "record", "actions": ["read"], **more}


def test_an_owner_lets_their_agent_delegate_to_one_that_they_see(as_, world):
    mine = make_agent(world.acme, "second", owner=world.people["olivia"])
    world.let("olivia", "view_application", world.crm)
    made = as_("olivia").post("delegations", delegation(world.runner, mine, reason="holidays"))
    assert made.status_code == 201, made.content
    assert (made.json()["delegator"]["external_id"], made.json()["depth"]) == ("runner", 1)
    assert as_("olivia").post("delegations", delegation(world.runner, world.helper)).status_code == 422
    assert as_("olivia").post("delegations", delegation(world.helper, mine)).status_code == 422
    assert as_("carol").post("delegations", delegation(world.runner, mine)).status_code == 403
    assert as_("olivia").post(f"delegations/{made.json()['id']}/end").json()["ended_at"] is not None


def test_an_agent_delegates_for_itself_what_it_holds_and_takes_it_back(as_, world):
    child = make_agent(parent=world.runner, external_id="child")
    caller = as_("agent")
    unheld = caller.post("delegations", delegation(world.runner, child))
    unknown = caller.post("delegations", delegation(world.runner, child, type="starship"))
    assert (unheld.status_code, unheld.json()) == (422, unknown.json())
    make_grant(world.acme, world.runner.user, spec(), delegate=True)
    made = caller.post("delegations", delegation(world.runner, child))
    assert made.status_code == 201, made.content
    assert caller.post("delegations", delegation(world.runner, world.helper)).status_code == 422
    assert caller.post(f"delegations/{made.json()['id']}/end").status_code == 200
    foreign = make_delegation(world.helper, world.runner)
    assert caller.post(f"delegations/{foreign.pk}/end").status_code == 403
    assert Delegation.objects.filter(ended_at__isnull=True).count() == 1


# --- trusts ------------------------------------------------------------------------------------------------------------------


def test_a_trust_stands_when_both_agreed_and_ends_by_either(as_, world, evil):
    proposal = {"partner": "evil", "types": ["record"], "reason": "a pilot"}
    # Whether there is such an organization is told by its own word only.
    unfound, unknown = (as_("alice").post("trusts", proposal | {"partner": slug}) for slug in ("evil", "nobody"))
    assert (
        (unfound.status_code, unfound.json()["fact"]) == (unknown.status_code, unknown.json()["fact"]) == (422, "NoSuchPartner")
    )
    assert as_("mallory").patch(f"organizations/{evil.pk}", {"discoverable": True}).json()["discoverable"] is True
    made = as_("alice").post("trusts", proposal)
    assert made.status_code == 201, made.content
    assert made.json()["agreed_there_at"] is None
    path = f"trusts/{made.json()['id']}"
    assert as_("alice").post(f"{path}/agree").status_code == 403
    assert as_("mallory").get(path).json()["organization"]["slug"] == "acme"
    assert as_("mallory").post(f"{path}/agree").json()["agreed_there_at"] is not None
    assert as_("carol").post(f"{path}/end").status_code == 403
    assert as_("mallory").post(f"{path}/end").json()["ended_at"] is not None
    assert Event.objects.filter(type="trust.ended").count() == 2


def test_a_third_organization_knows_nothing_of_a_trust(as_, world, evil):
    third = make_organization("third")
    row = make_trust(world.acme, third)
    assert as_("mallory").get(f"trusts/{row.pk}").status_code == 404
    assert as_("mallory").post(f"trusts/{row.pk}/end").status_code == 404
    assert Trust.objects.get().ended_at is None


@pytest.mark.parametrize("name", ["bob", "carol", "olivia", "dave", "agent", "application"])
def test_trusts_are_proposed_by_security_administrators(as_, world, evil, name):
    assert as_(name).post("trusts", {"partner": "evil"}).status_code == 403
    assert not Trust.objects.exists()


def test_a_partner_is_one_here_or_one_elsewhere(as_, world, evil):
    key = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
    for body in (
        {},
        {"partner": "nowhere"},
        {"partner": "acme"},
        {"partner": "evil", "issuer": "https://a.example", "keys": key},
    ):
        assert as_("alice").post("trusts", body).status_code == 422, body
    private = {"keys": [key["keys"][0] | {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}
    refused = as_("alice").post("trusts", {"issuer": "https://a.example", "keys": private})
    assert refused.status_code == 422
    assert "nWGxne" not in refused.content.decode()
    assert as_("alice").post("trusts", {"issuer": "https://a.example", "keys": key}).status_code == 201


# --- replacements ------------------------------------------------------------------------------------------------------------


def test_a_successor_is_proposed_reviewed_by_another_and_takes_over(as_, world):
    make_grant(world.acme, world.runner.user, spec())
    mine = make_agent(world.acme, "second", owner=world.people["olivia"])
    body = {"predecessor": str(world.runner.pk), "successor": str(mine.pk), "reason": "a newer model"}
    assert as_("carol").post("replacements", body).status_code == 403
    made = as_("olivia").post("replacements", body)
    assert made.status_code == 201, made.content
    path, shown = f"replacements/{made.json()['id']}", made.json()["difference_hash"]
    assert len(made.json()["difference"]["gains"]) == 1
    assert as_("olivia").post(f"{path}/review", {"difference_hash": shown}).status_code == 403
    assert as_("carol").post(f"{path}/review", {"difference_hash": shown}).status_code == 403
    assert as_("bob").post(f"{path}/review", {"difference_hash": "0" * 64}).status_code in {404, 409}
    reviewed = as_("alice").post(f"{path}/review", {"difference_hash": shown})
    assert (reviewed.status_code, reviewed.json()["state"]) == (200, "side_by_side")
    done = as_("olivia").post(f"{path}/complete", {"reason": "it works"})
    assert done.json()["state"] == "completed"
    [proof] = as_("olivia").get("attestations").json()["items"]
    assert (proof["kind"], proof["target_id"]) == ("offboarding", "runner")


def test_a_new_agent_can_be_proposed_and_given_up(as_, world):
    new = {"external_id": "v2", "name": "Runner 2", "purpose": "The same, better."}
    body = {"predecessor": str(world.runner.pk), "new_successor": new}
    made = as_("olivia").post("replacements", body)
    assert made.status_code == 201, made.content
    assert made.json()["successor"]["external_id"] == "v2"
    assert as_("olivia").post("replacements", body | {"successor": str(world.runner.pk)}).status_code == 422
    path = f"replacements/{made.json()['id']}"
    assert as_("olivia").post(f"{path}/compare").status_code == 200
    assert as_("olivia").post(f"{path}/abandon", {"reason": "no"}).json()["state"] == "abandoned"
    assert as_("mallory").get(path).status_code == 404
