"""Another's card is a partner's only while the organization's own trust says so, and says so of that key."""

from datetime import timedelta

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from directory.cards.document import signed_bytes
from directory.cards.signing import signed, thumbprint
from directory.services.organizations import suspend_organization
from permissions.selectors.cards import verify_card
from permissions.services.trusts import TrustTerms, agree_trust, end_trust, propose_trust
from tests.directory.cards.written import CARD
from tests.factories import NOW, SYSTEM
from tests.permissions.factories import make_trust
from tests.permissions.services.conftest import make_cast

WHOLE = {**CARD, "name": "Partner", "version": "1"}
HOUR = timedelta(hours=1)
THEIRS = OKPKey.generate_key("Ed25519")
STRANGER = OKPKey.generate_key("Ed25519")


@pytest.fixture
def cast(db):
    return make_cast()


def public(key):
    return key.as_dict(private=False)


def card_of(key, **header):
    protected = {"alg": "EdDSA", "kid": thumbprint(public(key)), **header}
    first, _, signature = jws.serialize_compact(protected, signed_bytes(WHOLE), key, algorithms=["EdDSA"]).split(".")
    return {**WHOLE, "signatures": [{"protected": first, "signature": signature}]}


def trusting(organization, *, agreed=True, issuer="https://partner.example", key=THEIRS, **terms):
    trust = propose_trust(
        organization=organization,
        issuer=issuer,
        keys={"keys": [public(key)]},
        terms=TrustTerms(**terms),
        by=SYSTEM,
        now=NOW,
    )
    return agree_trust(trust=trust, by=SYSTEM, now=NOW) if agreed else trust


def test_the_verdict_names_the_trust_and_the_key(cast):
    trusting(cast.acme, issuer="https://other.example", key=STRANGER)
    trust = trusting(cast.acme)
    verdict = verify_card(card_of(THEIRS), organization=cast.acme, now=NOW)
    assert (verdict.genuine, verdict.trust, verdict.kid) == (True, trust, thumbprint(public(THEIRS)))


def test_without_a_trust_no_card_is_believed_whatever_it_brings(cast):
    card = card_of(STRANGER, jku="https://partner.example/keys.json")
    for each in (card, card_of(THEIRS)):
        verdict = verify_card(each, organization=cast.acme, now=NOW)
        assert not verdict.genuine
        assert verdict.trust is None
        assert verdict.problem
    trusting(cast.acme)
    assert not verify_card(card, organization=cast.acme, now=NOW).genuine


def test_the_trust_of_one_organization_is_none_of_anothers(cast):
    trusting(cast.elsewhere)
    assert not verify_card(card_of(THEIRS), organization=cast.acme, now=NOW).genuine
    assert verify_card(card_of(THEIRS), organization=cast.elsewhere, now=NOW).genuine


def test_a_trust_counts_while_it_stands(cast):
    trust = trusting(cast.acme, agreed=False, ends_at=NOW + HOUR)
    assert not verify_card(card_of(THEIRS), organization=cast.acme, now=NOW).genuine, "they have not agreed"
    agree_trust(trust=trust, by=SYSTEM, now=NOW)
    assert verify_card(card_of(THEIRS), organization=cast.acme, now=NOW).genuine
    assert not verify_card(card_of(THEIRS), organization=cast.acme, now=NOW + HOUR).genuine, "it is over"
    end_trust(trust=trust, by=SYSTEM, now=NOW)
    assert not verify_card(card_of(THEIRS), organization=cast.acme, now=NOW).genuine, "it was ended"


def test_what_was_changed_is_not_believed(cast):
    trusting(cast.acme)
    card = card_of(THEIRS) | {"supportedInterfaces": []}
    assert not verify_card(card, organization=cast.acme, now=NOW).genuine


def test_a_partner_here_signs_with_its_own_key(cast):
    url = "https://iam.example/o/elsewhere/.well-known/agent-card-keys.json"
    card = signed(WHOLE, cast.elsewhere, keys_url=url)
    assert not verify_card(card, organization=cast.acme, now=NOW).genuine
    trust = make_trust(cast.acme, cast.elsewhere)
    assert verify_card(card, organization=cast.acme, now=NOW).trust == trust
    ours = signed(WHOLE, cast.acme, keys_url=url)
    assert not verify_card(ours, organization=cast.acme, now=NOW).genuine, "one's own key is no partner's"
    suspend_organization(organization=cast.elsewhere, by=SYSTEM, now=NOW)
    assert not verify_card(card, organization=cast.acme, now=NOW).genuine


@pytest.mark.parametrize("card", [None, [], {}, WHOLE])
def test_what_is_not_signed_is_not_believed(cast, card):
    trusting(cast.acme)
    assert not verify_card(card, organization=cast.acme, now=NOW).genuine
