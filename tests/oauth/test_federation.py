"""A statement of an issuer elsewhere is believed for what it says to whom it is made out, by the issuer's own key alone."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from agentiam.kit.fetching import Document, NotFetched
from directory.services.credentials import register_federated, revoke_credential
from directory.services.proofs import published_key
from permissions.oauth import federation
from permissions.oauth.federation import Cause, NotVerified, keys_of, metadata_addresses, verified_claims, workload_credentials
from permissions.services.issuers import end_trusted_issuer
from tests.factories import NOW, SYSTEM, make_agent, make_organization
from tests.permissions.factories import make_trusted_issuer

ISSUER = "https://ci.example"
OURS = "https://iam.example/o/acme"
KEY = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
OKP = OKPKey.generate_key("Ed25519")


def public(key, **members):
    return key.as_dict(private=False) | members


KEYS = {"keys": [public(KEY, kid="1"), public(OTHER, kid="2")]}


@pytest.fixture
def acme(db):
    return make_organization("acme")


@pytest.fixture
def web(monkeypatch):
    """Stand for what is fetched: address to content; whatever is missing is not there. Notes what was asked for."""
    pages: dict[str, Any] = {}
    asked: list[str] = []

    def fetch(url):
        asked.append(url)
        if url not in pages:
            raise NotFetched("the answer was 404")
        return Document(pages[url], 3600)

    federation.DOCUMENTS.clear()
    monkeypatch.setattr(federation.DOCUMENTS, "fetch", fetch)
    yield pages, asked
    federation.DOCUMENTS.clear()


def claims(**more):
    start = int(NOW.timestamp())
    said = {"iss": ISSUER, "sub": "repo:acme/bot", "aud": OURS, "iat": start, "exp": start + 600} | more
    return {name: value for name, value in said.items() if value is not None}


def signed(said=None, *, key=KEY, alg="ES256", **header):
    head = {"alg": alg, "kid": "1", "typ": "JWT"} | header
    head = {name: value for name, value in head.items() if value is not None}
    body = json.dumps(claims() if said is None else said).encode()
    return jws.serialize_compact(head, body, key, algorithms=[alg, "HS256"])


def verify(acme, token, use="workloads", **more):
    return verified_claims(token, organization=acme, use=use, audiences=[OURS], now=NOW, **more)


def cause_of(acme, token, use="workloads"):
    with pytest.raises(NotVerified) as refused:
        verify(acme, token, use)
    assert not any(part in str(refused.value) for part in token.split(".") if part)
    assert "repo:" not in str(refused.value)
    return refused.value.cause


def test_a_statement_of_a_trusted_issuer_is_believed(acme):
    row = make_trusted_issuer(acme, ISSUER, jwks=KEYS)
    issuer, said = verify(acme, signed())
    assert (issuer, said["sub"]) == (row, "repo:acme/bot")
    assert verify(acme, signed(claims(aud=["x", OURS], nbf=int(NOW.timestamp()) + 59)))[0] == row
    assert verify(acme, signed(kid=None, typ=None))[0] == row
    assert verify(acme, signed(key=OTHER, kid="2"))[0] == row


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (RSA, "PS256"), (OKP, "EdDSA"), (OKP, "Ed25519"), (KEY, "ES256")])
def test_each_algorithm_goes_with_its_key(acme, key, alg):
    make_trusted_issuer(acme, ISSUER, jwks={"keys": [public(key, kid="1")]})
    assert verify(acme, signed(key=key, alg=alg))


BEFORE, AFTER = int(NOW.timestamp()) - 60, int(NOW.timestamp()) + 61


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"iss": "https://evil.example"}, Cause.UNKNOWN_ISSUER),
        ({"iss": ISSUER + "/"}, Cause.UNKNOWN_ISSUER),
        ({"iss": None}, Cause.UNKNOWN_ISSUER),
        ({"iss": 7}, Cause.UNKNOWN_ISSUER),
        ({"iss": [ISSUER]}, Cause.UNKNOWN_ISSUER),
        ({"iss": "a\0"}, Cause.UNREADABLE),
        ({"sub": None}, Cause.BAD_CLAIMS),
        ({"sub": ""}, Cause.BAD_CLAIMS),
        ({"sub": 7}, Cause.BAD_CLAIMS),
        ({"exp": None}, Cause.BAD_CLAIMS),
        ({"exp": "soon"}, Cause.BAD_CLAIMS),
        ({"exp": BEFORE}, Cause.BAD_CLAIMS),
        ({"exp": AFTER + 25 * 3600}, Cause.BAD_CLAIMS),
        ({"iat": AFTER}, Cause.BAD_CLAIMS),
        ({"nbf": AFTER}, Cause.BAD_CLAIMS),
        ({"nbf": True}, Cause.BAD_CLAIMS),
        ({"aud": None}, Cause.BAD_CLAIMS),
        ({"aud": []}, Cause.BAD_CLAIMS),
        ({"aud": [OURS, 7]}, Cause.BAD_CLAIMS),
        ({"aud": "https://other.example"}, Cause.WRONG_AUDIENCE),
        ({"aud": OURS + "/"}, Cause.WRONG_AUDIENCE),
        ({"long": "x" * 9000}, Cause.UNREADABLE),
    ],
)
def test_a_statement_that_says_something_else_is_not(acme, said, cause):
    make_trusted_issuer(acme, ISSUER, jwks=KEYS)
    assert cause_of(acme, signed(claims(**said))) is cause


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": public(KEY)},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"cty": "JWT"},
        {"typ": "dpop+jwt"},
        {"typ": "oauth-id-jag+jwt"},
        {"typ": "logout+jwt"},
    ],
)
def test_a_header_says_what_it_may_and_no_more(acme, header):
    make_trusted_issuer(acme, ISSUER, jwks=KEYS)
    assert cause_of(acme, signed(**header)) is Cause.UNREADABLE


def test_a_statement_without_a_signature_or_by_another_key_is_not_believed(acme):
    make_trusted_issuer(acme, ISSUER, jwks=KEYS)
    head, body, signature = signed().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    secret = OctKey.import_key(json.dumps(public(KEY, kid="1")))
    tampered = base64.urlsafe_b64encode(json.dumps(claims(sub="other")).encode()).decode().rstrip("=")
    assert cause_of(acme, f"{none}.{body}.") is Cause.UNREADABLE
    assert cause_of(acme, f"{none}.{body}.{signature}") is Cause.BAD_SIGNATURE
    assert cause_of(acme, f"{head}.{tampered}.{signature}") is Cause.BAD_SIGNATURE
    assert cause_of(acme, signed(key=secret, alg="HS256")) is Cause.BAD_SIGNATURE
    assert cause_of(acme, signed(key=OTHER)) is Cause.BAD_SIGNATURE
    assert cause_of(acme, signed(kid="9")) is Cause.UNKNOWN_KID
    assert cause_of(acme, "xx.zz") is Cause.UNREADABLE


def test_an_algorithm_that_the_issuer_does_not_sign_with_is_not_taken(acme):
    keys = {"keys": [public(RSA, kid="1"), public(KEY, kid="2", alg="ES512"), public(KEY, kid="3")]}
    make_trusted_issuer(acme, ISSUER, jwks=keys, algorithms=["PS256", "ES256"])
    assert verify(acme, signed(key=RSA, alg="PS256"))
    assert verify(acme, signed(kid="3"))
    assert cause_of(acme, signed(key=RSA, alg="RS256")) is Cause.BAD_SIGNATURE
    assert cause_of(acme, signed(kid="2")) is Cause.BAD_SIGNATURE, "a key is for the algorithm that it says"


def test_an_issuer_is_believed_for_what_it_is_trusted_with_and_as_long(acme):
    row = make_trusted_issuer(acme, ISSUER, jwks=KEYS, uses=["people", "assertions"])
    assert verify(acme, signed(), "people")
    assert verify(acme, signed(typ="oauth-id-jag+jwt"), "assertions")
    assert cause_of(acme, signed()) is Cause.UNKNOWN_ISSUER
    assert cause_of(acme, signed(), "assertions") is Cause.UNREADABLE, "what is no assertion is none"
    assert cause_of(acme, signed(typ="oauth-id-jag+jwt"), "people") is Cause.UNREADABLE
    end_trusted_issuer(trusted=row, by=SYSTEM, now=NOW)
    assert cause_of(acme, signed(), "people") is Cause.UNKNOWN_ISSUER


def test_another_organizations_issuer_is_not_ones_own(acme):
    make_trusted_issuer(make_organization("elsewhere"), ISSUER, jwks=KEYS)
    assert cause_of(acme, signed()) is Cause.UNKNOWN_ISSUER


def test_an_issuer_with_an_audience_makes_its_statements_out_to_that_alone(acme):
    make_trusted_issuer(acme, ISSUER, jwks=KEYS, audience="api://acme")
    assert verify(acme, signed(claims(aud="api://acme")))
    assert cause_of(acme, signed()) is Cause.WRONG_AUDIENCE


def test_a_trust_domain_vouches_for_its_own_workloads_and_need_not_be_named(acme):
    row = make_trusted_issuer(acme, "spiffe://acme.example", jwks=KEYS)
    subject = "spiffe://acme.example/bot"
    assert verify(acme, signed(claims(iss=None, sub=subject)))[0] == row
    assert verify(acme, signed(claims(iss="spiffe://acme.example", sub=subject), typ="JOSE"))[0] == row
    for iss, sub in (("spiffe://acme.example", "spiffe://acme.example.evil/bot"), ("spiffe://acme.example", "bot")):
        assert cause_of(acme, signed(claims(iss=iss, sub=sub))) is Cause.BAD_CLAIMS
    assert cause_of(acme, signed(claims(iss=None, sub="spiffe://other.example/bot"))) is Cause.UNKNOWN_ISSUER


# --- where keys come from -----------------------------------------------------------------------------------------------------


def test_keys_are_fetched_once_and_anew_for_an_id_that_is_not_known(acme, web):
    pages, asked = web
    address = f"{ISSUER}/keys"
    pages[address] = {"keys": [public(KEY, kid="1", x5c=["MIIB"], use="sig"), {"kty": "oct", "k": "AA"}, "x"]}
    row = make_trusted_issuer(acme, ISSUER, jwks_uri=address)
    assert verify(acme, signed())
    assert verify(acme, signed())
    assert asked == [address]
    pages[address] = KEYS
    assert cause_of(acme, signed(key=OTHER, kid="2")) is Cause.UNKNOWN_KID, "not more often than may be"
    later = NOW + timedelta(seconds=31)
    assert [key.kid for key in keys_of(row, "2", now=later)] == ["2"]
    assert keys_of(row, "3", now=later) == []
    assert len(keys_of(row, None, now=later)) == 2
    assert asked == [address] * 2


def test_keys_that_cannot_be_had_are_a_cause_of_their_own(acme, web):
    pages, _ = web
    make_trusted_issuer(acme, ISSUER, jwks_uri=f"{ISSUER}/keys")
    assert cause_of(acme, signed()) is Cause.NO_KEYS
    federation.DOCUMENTS.clear()
    pages[f"{ISSUER}/keys"] = {"keys": "none"}
    assert cause_of(acme, signed()) is Cause.NO_KEYS


@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("path", ["", "/tenant/a"])
def test_keys_are_found_by_the_issuers_own_metadata(acme, web, form, path):
    pages, asked = web
    issuer = ISSUER + path
    addresses = metadata_addresses(issuer)
    pages[addresses[form]] = {"issuer": issuer, "jwks_uri": "https://keys.example/set"}
    pages["https://keys.example/set"] = KEYS
    make_trusted_issuer(acme, issuer)
    assert verify(acme, signed(claims(iss=issuer)))
    assert asked == [*addresses[: form + 1], "https://keys.example/set"]


def test_metadata_are_looked_for_where_the_standards_put_them():
    assert metadata_addresses("https://a.example:8443/t/b") == (
        "https://a.example:8443/t/b/.well-known/openid-configuration",
        "https://a.example:8443/.well-known/oauth-authorization-server/t/b",
    )
    assert metadata_addresses("https://a.example/")[0] == "https://a.example/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": ISSUER + "/", "jwks_uri": "https://keys.example/set"},
        {"issuer": "https://evil.example", "jwks_uri": "https://keys.example/set"},
        {"jwks_uri": "https://keys.example/set"},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": "http://keys.example/set"},
        {"issuer": ISSUER, "jwks_uri": ["https://keys.example/set"]},
    ],
)
def test_metadata_of_somebody_else_name_no_keys(acme, web, metadata):
    pages, _ = web
    pages[metadata_addresses(ISSUER)[0]] = metadata
    pages["https://keys.example/set"] = pages["http://keys.example/set"] = KEYS
    make_trusted_issuer(acme, ISSUER)
    assert cause_of(acme, signed()) is Cause.NO_KEYS


@pytest.mark.parametrize(
    "jwk",
    [
        public(KEY, use="enc"),
        public(KEY, key_ops=["sign"]),
        public(KEY, key_ops="verify"),
        public(KEY, kid=7),
        KEY.as_dict(private=True),
        ECKey.generate_key("P-384").as_dict(private=False),
        {"kty": "oct", "k": "AAAA"},
        {"kty": ["EC"]},
        "key",
        None,
    ],
)
def test_a_published_key_that_is_of_no_use_is_passed_over(jwk):
    assert published_key(jwk) is None


def test_a_published_key_is_read_without_what_is_not_needed():
    assert published_key(public(KEY, kid="1", use="jwt-svid", x5t="x", key_ops=["verify"])) == public(KEY, kid="1")


# --- which workload -----------------------------------------------------------------------------------------------------------


def federated(agent, subject="repo:acme/*", **more):
    return register_federated(agent=agent, label="ci", issuer=ISSUER, subject=subject, by=SYSTEM, now=NOW, **more)


def workloads(acme, said=None):
    return workload_credentials(signed(said), organization=acme, audiences=[OURS], now=NOW)[0]


def test_a_workload_is_the_agent_whose_credential_it_matches(acme):
    make_trusted_issuer(acme, ISSUER, jwks=KEYS)
    prod = federated(make_agent(acme), conditions={"environment": "prod"})
    test = federated(make_agent(acme), conditions={"environment": "test"})
    assert workloads(acme, claims(environment="prod")) == [prod]
    assert workloads(acme, claims(environment="test")) == [test]
    with pytest.raises(NotVerified, match="not registered"):
        workloads(acme)
    exact = federated(make_agent(acme), "repo:acme/bot")
    assert workloads(acme) == [exact]
    assert {row.pk for row in workloads(acme, claims(environment="prod"))} == {prod.pk, exact.pk}
    revoke_credential(credential=exact, by=SYSTEM, now=NOW)
    assert workloads(acme, claims(environment="prod")) == [prod]


def test_a_credential_with_an_audience_takes_what_is_made_out_to_it_alone(acme):
    make_trusted_issuer(acme, ISSUER, jwks=KEYS)
    own = federated(make_agent(acme), audience="api://bot")
    other = federated(make_agent(acme), "repo:acme/bot")
    assert workloads(acme, claims(aud="api://bot")) == [own]
    assert workloads(acme) == [other]
    assert {row.pk for row in workloads(acme, claims(aud=["api://bot", OURS]))} == {own.pk, other.pk}
    with pytest.raises(NotVerified) as refused:
        workloads(acme, claims(aud="api://else"))
    assert refused.value.cause is Cause.WRONG_AUDIENCE


def test_another_organizations_credential_matches_nothing_here(acme):
    elsewhere = make_organization("elsewhere")
    for organization in (acme, elsewhere):
        make_trusted_issuer(organization, ISSUER, jwks=KEYS)
    federated(make_agent(elsewhere))
    with pytest.raises(NotVerified):
        workloads(acme)
