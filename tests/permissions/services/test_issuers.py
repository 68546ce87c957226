"""Issuers elsewhere: believed for what was said, by keys from one place, until somebody ends it."""

import pytest

from agentiam.kit.ids import uuid7
from audit.events import Severity
from audit.models import Event
from directory.services.proofs import BadPublicKey, BadTokenAudience, BadWorkloadIdentity, PrivateKeyShown
from directory.services.revisions import ForeignOrganization
from permissions import events
from permissions.models import TrustedIssuer
from permissions.services.issuers import (
    BadAlgorithm,
    BadAssertedResources,
    BadAssertedScopes,
    BadKeyAddress,
    BadKeySource,
    BadUse,
    BadUserClaim,
    IssuerTerms,
    IssuerTrustedAlready,
    OwnIssuer,
    add_trusted_issuer,
    end_trusted_issuer,
    update_trusted_issuer,
)
from permissions.services.rows import EndedAlready
from tests.directory.recorded import data_of, last_event, last_touched
from tests.directory.test_credentials import OKP_KEY
from tests.factories import NOW
from tests.permissions.factories import make_trusted_issuer

ISSUER = "https://ci.example"
KEYS = {"keys": [OKP_KEY]}


def added(cast, issuer=ISSUER, **terms):
    given = {"name": "CI", "uses": ["workloads"]} | terms
    return add_trusted_issuer(
        organization=cast.acme, issuer=issuer, terms=IssuerTerms(**given), by=cast.alice.as_actor(), now=NOW
    )


def test_an_issuer_is_added_with_what_fits_and_told_in_the_log(cast):
    row = TrustedIssuer.objects.get(pk=added(cast, uses=["people", "workloads", "people"]).pk)
    assert (row.uses, row.algorithms) == (["workloads", "people"], ["RS256", "PS256", "ES256", "EdDSA"])
    assert (row.jwks_uri, row.jwks, row.audience, row.user_claim, row.ended_at) == ("", None, "", "sub", None)
    event = last_event(cast.acme, "trusted_issuer.added")
    assert (data_of(event)["issuer"], data_of(event)["uses"], event.target_id) == (ISSUER, row.uses, str(row.pk))
    assert last_touched(cast.acme) == [f"issuer/{ISSUER}"]
    assert events.TRUSTED_ISSUER_ADDED.severity == events.TRUSTED_ISSUER_ENDED.severity == Severity.HIGH


def test_given_keys_say_which_algorithms_fit(cast):
    assert added(cast, jwks=KEYS).algorithms == ["EdDSA"]
    with pytest.raises(BadAlgorithm):
        added(cast, "https://other.example", jwks=KEYS, algorithms=["RS256"])


def test_a_trust_domain_is_an_issuer_whose_keys_are_given_or_fetched(cast):
    assert added(cast, "spiffe://acme.example", jwks=KEYS).issuer == "spiffe://acme.example"
    assert added(cast, "spiffe://b.example", jwks_uri="https://b.example/keys?x=1").jwks_uri == "https://b.example/keys?x=1"
    with pytest.raises(BadKeySource):
        added(cast, "spiffe://c.example")


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"issuer": "http://ci.example"}, BadWorkloadIdentity),
        ({"issuer": "https://CI.example"}, BadWorkloadIdentity),
        ({"issuer": ""}, BadWorkloadIdentity),
        ({"jwks_uri": "https://ci.example/keys", "jwks": KEYS}, BadKeySource),
        ({"jwks": {}}, BadKeySource),
        ({"jwks": {"keys": []}}, BadKeySource),
        ({"jwks": {"keys": [OKP_KEY] * 51}}, BadKeySource),
        ({"jwks": {"keys": [{"kty": "oct"}]}}, BadPublicKey),
        ({"jwks": {"keys": [OKP_KEY, OKP_KEY | {"d": "x"}]}}, PrivateKeyShown),
        ({"jwks_uri": "http://ci.example/keys"}, BadKeyAddress),
        ({"jwks_uri": "https://user@ci.example/keys"}, BadKeyAddress),
        ({"jwks_uri": "https://ci.example/keys#x"}, BadKeyAddress),
        ({"uses": []}, BadUse),
        ({"uses": ["everything"]}, BadUse),
        ({"algorithms": []}, BadAlgorithm),
        ({"algorithms": ["HS256"]}, BadAlgorithm),
        ({"algorithms": ["none"]}, BadAlgorithm),
        ({"audience": "a\nb"}, BadTokenAudience),
        ({"user_claim": " "}, BadUserClaim),
        ({"asserted_scopes": ["everything"]}, BadAssertedScopes),
        ({"asserted_scopes": ["record:read record:write"]}, BadAssertedScopes),
        ({"asserted_scopes": [f"record:a{number}" for number in range(101)]}, BadAssertedScopes),
        ({"asserted_resources": ["files"]}, BadAssertedResources),
        ({"asserted_resources": ["https://files.example/#part"]}, BadAssertedResources),
    ],
)
def test_what_could_not_be_believed_is_refused(cast, terms, refusal):
    with pytest.raises(refusal):
        added(cast, **terms)
    assert not TrustedIssuer.objects.exists()


def test_ones_own_issuer_is_not_believed_by_a_row(cast, settings):
    settings.BASE_URL = "https://iam.example"
    for issuer in ("https://iam.example", "https://iam.example/o/acme"):
        with pytest.raises(OwnIssuer):
            added(cast, issuer)
    assert added(cast, "https://iam.example.org")


def test_an_issuer_is_trusted_once_in_an_organization_at_a_time(cast):
    row = added(cast)
    with pytest.raises(IssuerTrustedAlready):
        added(cast)
    assert make_trusted_issuer(cast.elsewhere, ISSUER).organization == cast.elsewhere
    end_trusted_issuer(trusted=row, by=cast.alice.as_actor(), now=NOW)
    assert added(cast).pk != row.pk


def test_what_is_believed_is_changed_until_it_is_ended(cast):
    row, by = added(cast, jwks=KEYS), cast.alice.as_actor()
    terms = IssuerTerms(name="Builds", uses=["assertions"], jwks_uri="https://ci.example/keys")
    changed = update_trusted_issuer(trusted=row, terms=terms, by=by, now=NOW)
    assert (changed.name, changed.uses, changed.jwks, changed.issuer) == ("Builds", ["assertions"], None, ISSUER)
    assert data_of(last_event(cast.acme, "trusted_issuer.updated"))["changed"]["name"] == ["CI", "Builds"]
    assert row.history.count() == 2
    ended = end_trusted_issuer(trusted=changed, by=by, now=NOW)
    assert ended.ended_at == NOW
    for again in (
        lambda: end_trusted_issuer(trusted=ended, by=by, now=NOW),
        lambda: update_trusted_issuer(trusted=ended, terms=terms, by=by, now=NOW),
    ):
        with pytest.raises(EndedAlready):
            again()


def test_another_organization_sees_and_changes_nothing(cast):
    row, mallory = added(cast), cast.mallory.as_actor()
    before = Event.objects.count()
    for act in (
        lambda: add_trusted_issuer(
            organization=cast.acme,
            issuer="https://evil.example",
            terms=IssuerTerms(name="E", uses=["people"]),
            by=mallory,
            now=NOW,
        ),
        lambda: update_trusted_issuer(trusted=row, terms=IssuerTerms(name="E", uses=["people"]), by=mallory, now=NOW),
        lambda: end_trusted_issuer(trusted=row, by=mallory, now=NOW),
    ):
        with pytest.raises(ForeignOrganization):
            act()
    assert Event.objects.count() == before
    assert not TrustedIssuer.objects.visible_to(cast.mallory).exists()
    assert not TrustedIssuer.objects.in_organization(uuid7()).exists()
