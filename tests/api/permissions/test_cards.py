"""Another's agent card is believed for one's own organization's trusts alone, whoever presents it, and nothing is fetched."""

import socket

import pytest
from django.utils import timezone
from joserfc import jws
from joserfc.jwk import OKPKey

from directory.cards.document import signed_bytes
from directory.cards.signing import thumbprint
from permissions.models import Trust
from permissions.services.trusts import TrustTerms, agree_trust, end_trust, propose_trust
from tests.directory.cards.written import CARD
from tests.factories import NOW, SYSTEM

ISSUER = "https://partner.example"
THEIRS = OKPKey.generate_key("Ed25519")
STRANGER = OKPKey.generate_key("Ed25519")
WHOLE = {**CARD, "name": "Partner", "version": "1"}


def presented(key=THEIRS, **changed):
    public = key.as_dict(private=False)
    header = {"alg": "EdDSA", "kid": thumbprint(public), "jku": "https://partner.example/keys.json"}
    first, _, signature = jws.serialize_compact(header, signed_bytes(WHOLE), key, algorithms=["EdDSA"]).split(".")
    return {"card": {**WHOLE, "signatures": [{"protected": first, "signature": signature}], **changed}}


@pytest.fixture
def trust(acme):
    keys = {"keys": [THEIRS.as_dict(private=False)]}
    proposed = propose_trust(organization=acme, issuer=ISSUER, keys=keys, terms=TrustTerms(), by=SYSTEM, now=NOW)
    return agree_trust(trust=proposed, by=SYSTEM, now=NOW)


@pytest.mark.parametrize("who", ["alice", "carol"])
def test_the_verdict_names_the_partner_and_the_trust(as_, people, agent, trust, who):
    assert as_(who).post("cards/verify", presented()).json() == {
        "genuine": True,
        "partner": ISSUER,
        "trust": str(trust.pk),
        "kid": thumbprint(THEIRS.as_dict(private=False)),
        "problem": "",
    }


@pytest.mark.parametrize("who", ["bob", "olivia", "dave", "agent", "application"])
def test_who_does_not_see_trusts_is_told_the_partner_and_no_more(as_, trust, who):
    told = as_(who).post("cards/verify", presented()).json()
    assert (told["genuine"], told["partner"], told["trust"]) == (True, ISSUER, None)


def test_it_is_for_those_who_read_and_for_nobody_unknown(as_, trust):
    assert as_("agent", ("read",)).post("cards/verify", presented()).status_code == 200
    refused = as_("agent", ("decide",)).post("cards/verify", presented())
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:agentiam:problem:insufficient-scope")
    assert as_("anonymous").post("cards/verify", presented()).status_code == 401
    assert as_("alice").get("cards/verify").status_code == 405


def test_another_organizations_trust_is_not_ones_own(as_, trust):
    told = as_("mallory").post("cards/verify", presented()).json()
    assert (told["genuine"], told["partner"], told["trust"], told["kid"]) == (False, None, None, "")
    assert "not trusted" in told["problem"]


@pytest.mark.parametrize("forged", [presented(STRANGER), presented(name="Other"), presented(signatures=[]), {"card": {}}])
def test_what_no_trusted_key_signed_is_not_genuine_and_nothing_is_fetched(as_, trust, forged, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("it went out")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    answer = as_("alice").post("cards/verify", forged)
    assert (answer.status_code, answer.json()["genuine"], answer.json()["trust"]) == (200, False, None)
    assert answer.json()["problem"]


def test_a_trust_that_ended_vouches_for_nobody_also_when_the_request_is_repeated(as_, trust):
    alice, key = as_("alice"), {"Idempotency-Key": "0123456789abcdef"}
    assert alice.post("cards/verify", presented()).json()["genuine"] is True
    end_trust(trust=Trust.objects.get(pk=trust.pk), by=SYSTEM, now=timezone.now())
    assert alice.post("cards/verify", presented()).json()["genuine"] is False
    assert alice.post("cards/verify", presented(), **key).json()["type"] == "urn:agentiam:problem:not-repeatable"


@pytest.mark.parametrize("body", [{}, {"card": "x"}, {"card": None}, {"card": [1]}, {**presented(), "keys": {}}])
def test_what_is_no_card_is_refused(as_, trust, body):
    assert as_("alice").post("cards/verify", body).status_code == 422
