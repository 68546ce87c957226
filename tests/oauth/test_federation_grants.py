"""Words of issuers elsewhere as proofs and grants: of workloads, of people, and of other authorization servers."""

import time
import uuid
from typing import Any

import pytest
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from audit.models import Event
from directory.cards.signing import thumbprint
from directory.services.credentials import register_federated
from permissions.models import AccessToken, Consent, TrustedIssuer
from permissions.services.consents import end_consent
from permissions.services.issuers import IssuerTerms, add_trusted_issuer
from tests.factories import SYSTEM, make_organization, make_person
from tests.oauth.worlds import (
    ACCESS_TOKEN,
    BASE,
    CRM,
    ISSUER,
    JWT_BEARER,
    TOKEN_EXCHANGE,
    World,
    ask,
    claims_of,
    dpop_proof,
    exchanged,
    header_of,
    introspected,
    own_token,
    post,
    signed,
)

pytestmark = pytest.mark.django_db

KEY = ECKey.generate_key("P-256")
JWKS = {"keys": [{**KEY.as_dict(private=False), "kid": "k1", "alg": "ES256"}]}
CLUSTER, IDP, PARTNER = "https://cluster.example", "https://idp.example", "https://partner.example"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def trust(world: World, issuer: str, *uses: str, **values: Any) -> Any:
    terms = IssuerTerms(**{"name": issuer, "uses": list(uses), "jwks": JWKS} | values)
    return add_trusted_issuer(organization=world.acme, issuer=issuer, terms=terms, by=SYSTEM, now=timezone.now())


def said(issuer: str, typ: str = "JWT", key: Any = KEY, **claims: Any) -> str:
    now = int(time.time())
    given = {"iss": issuer, "aud": ISSUER, "iat": now, "exp": now + 300} | claims
    header = {"typ": typ, "kid": "k1"}
    return signed({k: v for k, v in given.items() if v is not None}, "ES256", key=key, header=header)


# --- workloads ----------------------------------------------------------------------------------------------------------------

SUBJECT = "system:serviceaccount:prod:planner"


@pytest.fixture
def workload(world: World) -> World:
    trust(world, CLUSTER, "workloads")
    arguments = {"label": "k8s", "issuer": CLUSTER, "subject": SUBJECT, "by": SYSTEM, "now": timezone.now()}
    register_federated(agent=world.planner, conditions={"kubernetes.io.namespace": "prod"}, **arguments)
    return world


def by_workload(text: str, **data: Any) -> Any:
    given = {"grant_type": "client_credentials", "resource": CRM, "client_assertion_type": JWT_BEARER}
    return post("token", given | {"client_assertion": text} | data)


def pod(**claims: Any) -> str:
    return said(CLUSTER, **{"sub": SUBJECT, "kubernetes": {"io": {"namespace": "prod"}}} | claims)


def test_a_workload_is_the_agent_that_its_cluster_vouches_for(workload: World) -> None:
    text = pod()
    answer = by_workload(text)
    assert answer.claims["sub"] == "agent/planner"
    assert by_workload(text, client_id="planner").status == 200


REFUSED: dict[str, dict[str, Any]] = {
    "another subject": {"sub": "system:serviceaccount:prod:other"},
    "another namespace": {"kubernetes": {"io": {"namespace": "test"}}},
    "no namespace": {"kubernetes": {}},
    "another audience": {"aud": "https://kubernetes.default.svc"},
    "another issuer": {"iss": "https://other.example"},
    "over": {"exp": int(time.time()) - 120},
    "without an end": {"exp": None},
    "without a subject": {"sub": None},
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_workload_is_nobody(workload: World, name: str) -> None:
    answer = by_workload(pod(**REFUSED[name]))
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")


def test_a_workload_is_no_other_client_and_another_key_is_no_cluster(workload: World) -> None:
    assert by_workload(pod(), client_id="worker").status == 401
    assert by_workload(said(CLUSTER, key=ECKey.generate_key("P-256"), sub=SUBJECT)).status == 401


def test_an_issuer_that_is_trusted_for_people_vouches_for_no_workload(world: World) -> None:
    trust(world, CLUSTER, "people")
    arguments = {"label": "k8s", "issuer": CLUSTER, "subject": SUBJECT, "by": SYSTEM, "now": timezone.now()}
    register_federated(agent=world.planner, **arguments)
    assert by_workload(pod()).status == 401


# --- people -------------------------------------------------------------------------------------------------------------------


def for_ada(world: World, text: str, **data: Any) -> Any:
    given = {"grant_type": TOKEN_EXCHANGE, "subject_token": text, "subject_token_type": ID_TOKEN, "resource": CRM}
    return ask(world, "planner", given | data)


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"azp": "planner"}, 200),
        ({"azp": "agent/planner", "client_id": "planner"}, 200),
        ({"azp": "worker"}, 400),
        ({"client_id": "worker"}, 400),
        ({"azp": ["planner"]}, 400),
        ({"azp": "planner", "client_id": ""}, 400),
    ],
    ids=str,
)
def test_an_id_token_that_names_a_client_is_good_for_it_alone(world: World, claims: dict[str, Any], status: int) -> None:
    trust(world, IDP, "people")
    assert for_ada(world, said(IDP, sub="ada", **claims)).status == status


def test_who_consented_to_nothing_lets_an_agent_do_nothing_at_agentiam_either(world: World) -> None:
    trust(world, IDP, "people")
    end_consent(consent=Consent.objects.get(), by=world.ada.as_actor(), now=timezone.now())
    answer = for_ada(world, said(IDP, sub="ada"), resource=BASE, scope="decide read write")
    assert answer.body["error"] in {"invalid_grant", "invalid_scope"}


def test_an_id_token_lets_a_consented_agent_act_for_its_user(world: World) -> None:
    trust(world, IDP, "people")
    answer = for_ada(world, said(IDP, sub="ada"))
    claims = answer.claims
    assert (claims["sub"], claims["act"]["sub"], claims["scope"]) == ("user/ada", "agent/planner", "record:read record:write")
    assert "refresh_token" not in answer.body
    assert introspected(world, answer.token)["username"] == "ada"
    end_consent(consent=Consent.objects.get(), by=world.ada.as_actor(), now=timezone.now())
    assert introspected(world, answer.token) == {"active": False}
    assert for_ada(world, said(IDP, sub="ada")).status == 400


def test_the_address_counts_where_it_is_verified(world: World) -> None:
    make_person(world.acme, "ben@acme.example")
    trust(world, IDP, "people", user_claim="email")
    unverified = for_ada(world, said(IDP, sub="x", email="ben@acme.example"))
    assert unverified.body["error"] == "invalid_grant"
    verified = for_ada(world, said(IDP, sub="x", email="ben@acme.example", email_verified=True))
    # Known, and so refused for another reason: Ben consented to nothing.
    assert verified.body["error"] in ("invalid_scope", "invalid_grant")


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "nobody"},
        {"sub": "planner"},
        {"sub": "ada", "act": {"sub": "agent/worker"}},
        {"sub": "ada", "may_act": {"sub": "agent/worker"}},
        {"sub": "ada", "aud": "https://other.example"},
        {"sub": "ada", "exp": int(time.time()) - 100},
        {"sub": ""},
    ],
)
def test_an_id_token_that_speaks_of_nobody_here_is_refused(world: World, claims: dict[str, Any]) -> None:
    trust(world, IDP, "people")
    assert for_ada(world, said(IDP, **claims)).body["error"] == "invalid_grant"


def test_without_trust_an_id_token_is_a_text(world: World) -> None:
    assert for_ada(world, said(IDP, sub="ada")).body["error"] == "invalid_grant"
    trust(world, IDP, "workloads")
    assert for_ada(world, said(IDP, sub="ada")).body["error"] == "invalid_grant"


# --- assertions for others, and of others -------------------------------------------------------------------------------------


FILES = "https://files.example"
TO_PARTNER = {"requested_token_type": ID_JAG, "audience": PARTNER, "resource": FILES}


def trust_to_receive(world: World, **values: Any) -> Any:
    given = {"asserted_scopes": ["record:read", "record:write"], "asserted_resources": [FILES]} | values
    return trust(world, PARTNER, "receives_assertions", **given)


def test_an_assertion_for_another_server_names_the_user_the_client_and_the_actor(world: World, client) -> None:
    trust(world, IDP, "people")
    trust_to_receive(world)
    token = for_ada(world, said(IDP, sub="ada")).token
    answer = exchanged(world, "planner", token, **TO_PARTNER, scope="record:read")
    assert (answer.status, answer.body["issued_token_type"], answer.body["token_type"]) == (200, ID_JAG, "N_A")
    text = answer.body["access_token"]
    assert header_of(text)["typ"] == "oauth-id-jag+jwt"
    keys = KeySet.import_key_set(client.get("/o/acme/oauth/jwks").json())
    claims = jwt.decode(text, keys, algorithms=["ES256"]).claims
    assert (claims["iss"], claims["sub"], claims["aud"], claims["client_id"]) == (ISSUER, "ada", PARTNER, "planner")
    assert (claims["scope"], claims["resource"], claims["act"]["sub"]) == (
        "record:read",
        FILES,
        "agent/planner",
    )
    assert claims["exp"] - claims["iat"] == 300
    assert introspected(world, text) == {"active": False}
    assert Event.objects.filter(type="token.issued", target_id=claims["jti"]).exists()


def test_an_assertion_goes_only_to_servers_that_take_some_and_for_users_alone(world: World) -> None:
    trust(world, IDP, "people")
    token = for_ada(world, said(IDP, sub="ada")).token
    given = {"requested_token_type": ID_JAG, "audience": PARTNER}
    assert exchanged(world, "planner", token, **given).body["error"] == "invalid_target"
    trust(world, PARTNER, "receives_assertions")
    assert exchanged(world, "planner", own_token(world).token, **given).body["error"] == "invalid_grant"
    assert exchanged(world, "worker", token, **given).body["error"] == "invalid_grant"


@pytest.fixture
def receiver(world: World) -> World:
    trust(world, IDP, "people")
    trust_to_receive(world)
    return world


def scope_of(answer: Any) -> Any:
    return claims_of(answer.body["access_token"])["scope"] if answer.status == 200 else answer.body["error"]


def test_without_a_word_about_what_may_be_asserted_nothing_is(world: World) -> None:
    trust(world, IDP, "people")
    trust(world, PARTNER, "receives_assertions", asserted_resources=[FILES])
    token = for_ada(world, said(IDP, sub="ada")).token
    assert scope_of(exchanged(world, "planner", token, **TO_PARTNER, scope="record:read")) == "invalid_scope"
    assert scope_of(exchanged(world, "planner", token, **TO_PARTNER)) == "invalid_scope"
    TrustedIssuer.objects.filter(issuer=PARTNER).update(asserted_scopes=["record:read"], asserted_resources=[])
    assert scope_of(exchanged(world, "planner", token, **TO_PARTNER, scope="record:read")) == "invalid_target"
    assert scope_of(exchanged(world, "planner", token, **TO_PARTNER | {"resource": ""})) == "invalid_target"


def test_an_assertion_says_no_more_than_the_token_and_the_trust(receiver: World) -> None:
    wide = for_ada(receiver, said(IDP, sub="ada")).token
    narrow = for_ada(receiver, said(IDP, sub="ada"), scope="record:read").token
    for token, scope, result in (
        (wide, "record:read record:write", "record:read record:write"),
        (wide, "record:read record:delete admin:everything", "record:read"),
        (wide, "admin:everything", "invalid_scope"),
        (narrow, "record:read record:write", "record:read"),
        (narrow, "record:write", "invalid_scope"),
        (narrow, "", "record:read"),
    ):
        assert scope_of(exchanged(receiver, "planner", token, **TO_PARTNER, scope=scope)) == result, scope
    elsewhere = TO_PARTNER | {"resource": "https://other.example"}
    assert scope_of(exchanged(receiver, "planner", wide, **elsewhere, scope="record:read")) == "invalid_target"
    statement = {"subject_token_type": ID_TOKEN}
    given = {**TO_PARTNER, **statement, "scope": "record:read record:delete"}
    assert scope_of(exchanged(receiver, "planner", said(IDP, sub="ada"), **given)) == "record:read"


def test_a_token_for_one_object_or_some_classes_asserts_nothing(receiver: World) -> None:
    for narrowing in ('"identifier":"r1"', '"datatypes":["internal"]'):
        details = f'[{{"type":"entitlement","resource_type":"record","actions":["read"],{narrowing}}}]'
        token = for_ada(receiver, said(IDP, sub="ada"), authorization_details=details).token
        assert scope_of(exchanged(receiver, "planner", token, **TO_PARTNER, scope="record:read")) == "invalid_scope"


@pytest.mark.parametrize("values", [{"data_classes": ["internal"]}, {"purpose": "billing"}, {"actions": ["write"]}])
def test_a_consent_that_is_narrower_does_not_cover(receiver: World, values: dict[str, Any]) -> None:
    Consent.objects.update(**values)
    given = {**TO_PARTNER, "subject_token_type": ID_TOKEN, "scope": "record:read"}
    assert scope_of(exchanged(receiver, "planner", said(IDP, sub="ada"), **given)) == "invalid_scope"


def test_may_act_and_the_key_of_the_subject_token_count(receiver: World) -> None:
    token = for_ada(receiver, said(IDP, sub="ada")).token
    given = {**TO_PARTNER, "scope": "record:read"}
    AccessToken.objects.update(may_act="agent/worker")
    assert scope_of(exchanged(receiver, "planner", token, **given)) == "invalid_grant"
    thumb = thumbprint(KEY.as_dict(private=False))
    AccessToken.objects.update(may_act="", jkt=thumb)
    assert scope_of(exchanged(receiver, "planner", token, **given)) == "invalid_grant"
    sent = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN} | given
    nonce = ask(receiver, "planner", sent, dpop=dpop_proof(KEY)).headers["DPoP-Nonce"]
    answer = ask(receiver, "planner", sent, dpop=dpop_proof(KEY, nonce=nonce))
    assert claims_of(answer.body["access_token"])["cnf"] == {"jkt": thumb}


def asserted(world: World, text: str, **data: Any) -> Any:
    return ask(world, "planner", {"grant_type": BEARER, "assertion": text, "resource": CRM} | data)


def jag(**claims: Any) -> str:
    given = {"sub": "ada", "client_id": "planner", "jti": uuid.uuid4().hex} | claims
    return said(PARTNER, **{"typ": "oauth-id-jag+jwt"} | given)


@pytest.fixture
def partner(world: World) -> World:
    trust(world, PARTNER, "assertions")
    return world


def test_an_assertion_of_a_trusted_server_gets_a_token_once(partner: World) -> None:
    text = jag(scope="record:read")
    answer = asserted(partner, text)
    claims = answer.claims
    assert (claims["sub"], claims["act"]["sub"], claims["scope"]) == ("user/ada", "agent/planner", "record:read")
    assert "refresh_token" not in answer.body
    assert asserted(partner, text).body["error"] == "invalid_grant"


ASSERTED: dict[str, dict[str, Any]] = {
    "for another client": {"client_id": "worker"},
    "for no client": {"client_id": None},
    "of another type": {"typ": "JWT"},
    "made out to two": {"aud": [ISSUER, PARTNER]},
    "made out to the token endpoint": {"aud": f"{ISSUER}/oauth/token"},
    "made out to the issuer without a path": {"aud": BASE},
    "without an id": {"jti": None},
    "of a user who is not known": {"sub": "nobody"},
    "bound to another key": {"cnf": {"jkt": "x" * 43}},
    "with an end too far away": {"exp": int(time.time()) + 20_000},
    "with a scope that is a list": {"scope": ["record:read"]},
}


@pytest.mark.parametrize("name", ASSERTED)
def test_a_bad_assertion_is_no_grant(partner: World, name: str) -> None:
    answer = asserted(partner, jag(**ASSERTED[name]))
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")


def test_what_an_assertion_does_not_say_is_not_given(partner: World) -> None:
    assert asserted(partner, jag(scope="record:write"), scope="record:read").body["error"] == "invalid_scope"
    assert asserted(partner, jag(resource="https://lake.acme.example")).body["error"] == "invalid_target"
    assert asserted(partner, jag(scope="record:read")).claims["scope"] == "record:read"


def test_our_own_assertion_is_worth_nothing_here(world: World) -> None:
    trust(world, IDP, "people")
    trust_to_receive(world)
    token = for_ada(world, said(IDP, sub="ada")).token
    text = exchanged(world, "planner", token, **TO_PARTNER).body["access_token"]
    assert asserted(world, text).body["error"] == "invalid_grant"
    kind = {"subject_token_type": ACCESS_TOKEN}
    assert exchanged(world, "planner", text, **kind).body["error"] == "invalid_grant"
    assert claims_of(text)["aud"] == PARTNER


def test_the_trust_of_another_organization_counts_nothing_here(world: World) -> None:
    other = make_organization("other")
    terms = IssuerTerms(name="p", uses=["assertions"], jwks=JWKS)
    add_trusted_issuer(organization=other, issuer=PARTNER, terms=terms, by=SYSTEM, now=timezone.now())
    assert asserted(world, jag()).body["error"] == "invalid_grant"
