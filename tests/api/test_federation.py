"""Issuers elsewhere and the workloads that they vouch for, over the API: kept by administrators, read by auditors."""

import pytest

from audit.models import Event
from directory.models import Credential
from permissions.models import TrustedIssuer
from tests.directory.test_credentials import OKP_KEY

NEW = {"name": "CI", "issuer": "https://ci.example", "uses": ["workloads"], "reason": "our builds"}
PROOF = {
    "kind": "federated",
    "issuer": "https://ci.example",
    "subject": "repo:acme/*:ref:refs/heads/main",
    "audience": "api://acme",
    "conditions": {"environment": ["prod", "test"], "attempt": 1},
}


def test_an_issuer_is_added_changed_and_ended(as_):
    alice = as_("alice")
    made = alice.post("trusted-issuers", NEW)
    assert made.status_code == 201, made.content
    told, path = made.json(), f"trusted-issuers/{made.json()['id']}"
    assert (told["algorithms"], told["jwks"], told["user_claim"]) == (["RS256", "PS256", "ES256", "EdDSA"], None, "sub")
    again = alice.post("trusted-issuers", NEW)
    assert (again.status_code, again.json()["fact"]) == (409, "IssuerTrustedAlready")
    changed = alice.patch(path, {"jwks": {"keys": [OKP_KEY]}, "algorithms": ["EdDSA"], "user_claim": "email"})
    assert changed.status_code == 200, changed.content
    says = {"asserted_scopes": ["record:read"], "asserted_resources": ["https://files.example"]}
    assert (told["asserted_scopes"], told["asserted_resources"]) == ([], [])
    changed = alice.patch(path, says)
    assert {name: changed.json()[name] for name in says} == says
    assert (changed.json()["jwks"], changed.json()["name"]) == ({"keys": [OKP_KEY]}, "CI")
    assert alice.get("trusted-issuers?ended=false&issuer=https://ci.example").json()["items"] == [changed.json()]
    stale = alice.patch(path, {"name": "Builds"}, **{"If-Match": made.headers["ETag"]})
    assert stale.status_code == 412
    assert alice.post(f"{path}/end", {"reason": "moved"}).json()["ended_at"] is not None
    assert alice.get("trusted-issuers?ended=false").json()["items"] == []
    assert alice.patch(path, {"name": "Builds"}).status_code == 409
    assert [each["kind"] for each in as_("carol").get(f"{path}/versions").json()["items"]] == [
        "changed",
        "changed",
        "changed",
        "created",
    ]
    types = Event.objects.filter(type__startswith="trusted_issuer.").order_by("id").values_list("type", flat=True)
    assert list(types) == ["trusted_issuer.added", "trusted_issuer.updated", "trusted_issuer.updated", "trusted_issuer.ended"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"issuer": "http://ci.example"}, ""),
        ({"uses": []}, "/uses"),
        ({"uses": ["everything"]}, "/uses"),
        ({"algorithms": ["HS256"]}, "/algorithms"),
        ({"jwks_uri": "http://ci.example/keys"}, "/jwks_uri"),
        ({"jwks_uri": "https://ci.example/keys", "jwks": {"keys": [OKP_KEY]}}, "/jwks"),
        ({"jwks": {"keys": []}}, "/jwks"),
        ({"jwks": {"keys": [OKP_KEY | {"d": "private-half"}]}}, ""),
        ({"algorithm": "ES256"}, "/algorithm"),
    ],
)
def test_an_issuer_that_could_not_be_believed_is_refused(as_, body, pointer):
    answer = as_("alice").post("trusted-issuers", NEW | body)
    assert answer.status_code == 422, answer.content
    assert pointer in answer.content.decode()
    assert "private-half" not in answer.content.decode()
    assert not TrustedIssuer.objects.exists()


def test_the_same_issuer_in_another_organization_is_another_row(as_):
    ours, theirs = (as_(who).post("trusted-issuers", NEW).json()["id"] for who in ("alice", "mallory"))
    assert [row["id"] for row in as_("mallory").get("trusted-issuers").json()["items"]] == [theirs]
    for method, path, body in (
        ("GET", f"trusted-issuers/{ours}", None),
        ("GET", f"trusted-issuers/{ours}/versions", None),
        ("PATCH", f"trusted-issuers/{ours}", {"name": "Evil"}),
        ("POST", f"trusted-issuers/{ours}/end", {}),
    ):
        assert as_("mallory")(method, path, body, **{"If-Match": "*"}).status_code == 404, path
    assert TrustedIssuer.objects.get(pk=ours).ended_at is None


def test_a_federated_identity_is_registered_with_its_conditions(as_, agent):
    made = as_("olivia").post("credentials", {"agent": str(agent.pk), "label": "ci", **PROOF})
    assert made.status_code == 201, made.content
    told = made.json()
    assert {name: told[name] for name in PROOF} == PROOF
    assert told["secret"] is None
    other = as_("alice").post("credentials", {"agent": str(agent.pk), "label": "again", **PROOF})
    assert (other.status_code, other.json()["fact"]) == (409, "IdentityTaken")


@pytest.mark.parametrize(
    "body",
    [
        PROOF | {"subject": "*"},
        PROOF | {"subject": "repo:*"},
        PROOF | {"conditions": {"a": []}},
        PROOF | {"conditions": []},
        PROOF | {"conditions": "a"},
        PROOF | {"conditions": {"a": {"b": "c"}}},
        {"kind": "api_key", "conditions": {"a": "b"}},
        {"kind": "api_key", "audience": "api://acme"},
    ],
)
def test_an_identity_that_would_be_too_many_is_refused(as_, agent, body):
    answer = as_("alice").post("credentials", {"agent": str(agent.pk), "label": "ci", **body})
    assert answer.status_code == 422, answer.content
    assert not Credential.objects.filter(label="ci").exists()


def test_the_first_credential_can_be_such_an_identity(as_, people):
    answering = {"owner": str(people["olivia"].pk), "sponsor": str(people["olivia"].pk)}
    new = {"external_id": "new", "name": "New", "purpose": "Works.", "credential": PROOF, **answering}
    made = as_("alice").post("agents/onboard", new)
    assert made.status_code == 201, made.content
    stored = Credential.objects.get(agent__external_id="new")
    assert (stored.subject, stored.audience, stored.conditions) == (PROOF["subject"], PROOF["audience"], PROOF["conditions"])
