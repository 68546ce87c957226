"""A credential that demands a proof of possession: said when it is made, shown, kept by rotation, and none of an API key's."""

import pytest

from directory.models import Credential

JWK = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
KINDS = {
    "client_secret": {},
    "public_key": {"jwk": JWK},
    "federated": {"issuer": "https://ci.example", "subject": "repo:acme/bot"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_credential_is_made_that_demands_it(as_, agent, kind):
    body = {"agent": str(agent.pk), "label": "bound", "kind": kind, "requires_dpop": True, **KINDS[kind]}
    made = as_("alice").post("credentials", body)
    assert (made.status_code, made.json()["requires_dpop"]) == (201, True), made.content
    assert as_("alice").get(f"credentials/{made.json()['id']}").json()["requires_dpop"] is True
    assert Credential.objects.get(label="bound").requires_dpop


def test_without_a_word_it_is_not_demanded(as_, agent):
    made = as_("alice").post("credentials", {"agent": str(agent.pk), "label": "free", "kind": "client_secret"})
    assert made.json()["requires_dpop"] is False


def test_the_next_secret_demands_it_too(as_, agent):
    body = {"agent": str(agent.pk), "label": "bound", "kind": "client_secret", "requires_dpop": True}
    made = as_("alice").post("credentials", body).json()
    rotated = as_("alice").post(f"credentials/{made['id']}/rotate")
    assert (rotated.status_code, rotated.json()["requires_dpop"]) == (201, True), rotated.content


def test_an_api_key_cannot_demand_it(as_, agent, people):
    before = Credential.objects.count()
    refused = as_("alice").post("credentials", {"agent": str(agent.pk), "label": "key", "requires_dpop": True})
    assert (refused.status_code, "gets no tokens" in refused.content.decode()) == (422, True)
    olivia = str(people["olivia"].pk)
    new = {"external_id": "new", "name": "New", "purpose": "Works.", "owner": olivia, "sponsor": olivia}
    refused = as_("alice").post("agents/onboard", new | {"credential": {"kind": "api_key", "requires_dpop": True}})
    assert (refused.status_code, "gets no tokens" in refused.content.decode()) == (422, True)
    assert Credential.objects.count() == before


def test_an_agent_is_onboarded_with_one_that_demands_it(as_, people):
    olivia = str(people["olivia"].pk)
    new = {"external_id": "new", "name": "New", "purpose": "Works.", "owner": olivia, "sponsor": olivia}
    made = as_("alice").post("agents/onboard", new | {"credential": {"kind": "client_secret", "requires_dpop": True}})
    assert made.status_code == 201, made.content
    assert Credential.objects.get(agent=made.json()["id"]).requires_dpop
