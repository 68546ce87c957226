"""Secrets shown once, public keys only, ends, networks, rotation, use."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.conf import settings

from agentiam.kit.errors import IllegalTransition
from agentiam.kit.tokens import Peppers, split_token
from audit.models import Event
from directory.lifecycle import State
from directory.models import Agent, Credential
from directory.selectors import credential_facts
from directory.services.credentials import (
    MethodNotAllowed,
    NotRotatable,
    issue_api_key,
    issue_client_secret,
    note_use,
    register_public_key,
    revoke_credential,
    rotate_api_key,
)
from directory.services.proofs import BadEnd, BadNetwork, BadPublicKey, PrivateKeyShown, check_networks, check_public_jwk
from directory.services.revisions import ForeignOrganization
from directory.services.transitions import AgentIsOver
from tests.directory.recorded import data_of, last_event, last_touched, versions_of
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint

DAY = timedelta(days=1)


def issue(agent, **values):
    given: dict[str, Any] = {"label": "key", "by": SYSTEM, "now": NOW}
    return issue_api_key(agent=agent, **given | values)


def facts_of(public_id):
    found = credential_facts(public_id)
    assert found is not None
    return found


def octets(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return octets(value.to_bytes((value.bit_length() + 7) // 8, "big"))


P256 = ec.generate_private_key(ec.SECP256R1())
POINT = P256.public_key().public_numbers()
EC_KEY = {"kty": "EC", "crv": "P-256", "x": octets(POINT.x.to_bytes(32, "big")), "y": octets(POINT.y.to_bytes(32, "big"))}
OKP_KEY = {"kty": "OKP", "crv": "Ed25519", "x": octets(ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw())}


def rsa_key(bits):
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}


RSA_KEY = rsa_key(2048)


def test_a_key_proves_the_agent_and_its_digest_is_all_that_is_kept(cast):
    credential, token = issue(cast.agent)
    assert token.text.startswith("aia_")
    shown = split_token(token.text)
    facts = facts_of(shown.public_id)
    assert (facts.holder, facts.organization_id, facts.state, facts.kind) == ("crm-bot", cast.acme.pk, "active", "api_key")
    assert Peppers(settings.CREDENTIAL_PEPPERS).matches(shown.secret, facts.digest, facts.pepper)
    assert facts.digest not in repr(facts)
    assert credential.organization == cast.acme
    assert last_touched(cast.acme) == sorted(["agent/crm-bot", f"key/{token.public_id}"])


def test_no_secret_and_no_digest_is_in_a_repr_a_version_or_an_event(cast):
    key, token = issue(cast.agent)
    secret, secret_token = issue_client_secret(agent=cast.agent, label="client", by=SYSTEM, now=NOW)
    new, new_token = rotate_api_key(credential=key, overlap=DAY, by=SYSTEM, now=NOW)
    revoke_credential(credential=secret, by=SYSTEM, now=NOW)
    hidden = {each.secret for each in (token, secret_token, new_token)}
    hidden |= set(Credential.objects.values_list("digest", flat=True))
    assert len(hidden) == 6
    bodies = "".join(Event.objects.values_list("body", flat=True))
    versions = "".join(str(row) for row in versions_of(Credential).values())
    for text in (bodies, versions, repr(token), repr(key), str(key), repr(new), str(new)):
        for value in hidden:
            assert value not in text


def test_a_lost_pepper_matches_nothing_and_a_new_one_is_used(cast, settings):
    _, old = issue(cast.agent)
    settings.CREDENTIAL_PEPPERS = {**settings.CREDENTIAL_PEPPERS, 2: b"another"}
    credential, _ = issue(cast.agent)
    assert credential.pepper == 2
    facts = facts_of(old.public_id)
    assert Peppers(settings.CREDENTIAL_PEPPERS).matches(old.secret, facts.digest, facts.pepper)
    settings.CREDENTIAL_PEPPERS = {2: b"another"}
    assert not Peppers(settings.CREDENTIAL_PEPPERS).matches(old.secret, facts.digest, facts.pepper)


def test_every_credential_ends_within_the_blueprints_days(cast):
    assert issue(cast.agent)[0].expires_at == NOW + 90 * DAY
    agent = make_agent(cast.acme, blueprint=make_blueprint(cast.acme, credential_days=7))
    assert issue(agent)[0].expires_at == NOW + 7 * DAY
    assert issue(agent, expires_at=NOW + DAY)[0].expires_at == NOW + DAY
    for end in (NOW, NOW + 8 * DAY):
        with pytest.raises(BadEnd):
            issue(agent, expires_at=end)


def test_the_blueprint_says_which_kinds_are_allowed(cast):
    agent = make_agent(cast.acme, blueprint=make_blueprint(cast.acme, credential_methods=["public_key"]))
    with pytest.raises(MethodNotAllowed, match="API key"):
        issue(agent)
    register_public_key(agent=agent, label="key", jwk=EC_KEY, by=SYSTEM, now=NOW)


@pytest.mark.parametrize("state", State)
def test_an_agent_gets_credentials_from_registration_until_it_is_retired(cast, state):
    agent = make_agent(cast.acme, state=state)
    if state in (State.DISCOVERED, State.RETIRED):
        with pytest.raises(IllegalTransition):
            issue(agent)
    else:
        issue(agent)


def test_an_agent_that_is_over_gets_no_credentials(cast):
    agent = make_agent(cast.acme, expires_at=NOW + DAY)
    with pytest.raises(AgentIsOver):
        issue(agent, now=NOW + DAY)


def test_nobody_gives_credentials_to_an_agent_of_another_organization(cast):
    with pytest.raises(ForeignOrganization):
        issue(cast.agent, by=cast.mallory.as_actor())
    credential, _ = issue(cast.agent)
    with pytest.raises(ForeignOrganization):
        revoke_credential(credential=credential, by=cast.mallory.as_actor(), now=NOW)


def test_networks_are_cidr_blocks():
    assert check_networks(["192.0.2.0/24", "2001:DB8::/32", "192.0.2.7"]) == ["192.0.2.0/24", "2001:db8::/32", "192.0.2.7/32"]
    for bad in ("192.0.2.1/24", "everywhere", "", "192.0.2.0/33"):
        with pytest.raises(BadNetwork):
            check_networks([bad])


def test_a_credential_admits_its_networks_only(cast):
    _, token = issue(cast.agent, allowed_networks=["192.0.2.0/24", "2001:db8::/32"])
    facts = facts_of(token.public_id)
    assert facts.admits("192.0.2.7")
    assert facts.admits("::ffff:192.0.2.7")
    assert facts.admits("2001:db8::1")
    for outside in ("198.51.100.1", "2001:db9::1", "", "nonsense"):
        assert not facts.admits(outside)
    _, anywhere = issue(cast.agent)
    assert facts_of(anywhere.public_id).admits("")


def test_a_credential_ends_by_the_clock_and_by_revocation(cast):
    credential, token = issue(cast.agent, expires_at=NOW + DAY)
    facts = facts_of(token.public_id)
    assert facts.live(NOW + DAY - timedelta(microseconds=1))
    assert not facts.live(NOW + DAY)
    assert credential in Credential.objects.live(NOW)
    assert credential not in Credential.objects.live(NOW + DAY)
    revoke_credential(credential=credential, by=SYSTEM, now=NOW)
    assert not facts_of(token.public_id).live(NOW)
    assert not Credential.objects.live(NOW).exists()
    with pytest.raises(IllegalTransition):
        revoke_credential(credential=credential, by=SYSTEM, now=NOW)


def test_an_unknown_public_id_has_no_facts(cast):
    register_public_key(agent=cast.agent, label="key", jwk=OKP_KEY, by=SYSTEM, now=NOW)
    assert credential_facts("nobody") is None


def test_after_a_rotation_both_keys_work_until_the_overlap_is_over(cast):
    old, _ = issue(cast.agent, allowed_networks=["192.0.2.0/24"])
    new, token = rotate_api_key(credential=old, overlap=DAY, by=cast.bob.as_actor(), reason="Quarterly.", now=NOW)
    old.refresh_from_db()
    assert (old.successor, old.expires_at, old.revoked_at) == (new, NOW + DAY, None)
    assert (new.label, new.allowed_networks, new.kind) == (old.label, old.allowed_networks, old.kind)
    assert token.public_id != old.public_id
    assert set(Credential.objects.live(NOW)) == {old, new}
    assert set(Credential.objects.live(NOW + DAY)) == {new}
    assert data_of(last_event(cast.acme, "credential.rotated"))["successor"] == str(new.pk)


def test_a_rotation_never_puts_off_the_end_and_may_end_the_old_key_at_once(cast):
    short, _ = issue(cast.agent, expires_at=NOW + DAY / 2)
    rotate_api_key(credential=short, overlap=DAY, by=SYSTEM, now=NOW)
    short.refresh_from_db()
    assert short.expires_at == NOW + DAY / 2
    leaked, _ = issue_client_secret(agent=cast.agent, label="client", by=SYSTEM, now=NOW)
    new, _ = rotate_api_key(credential=leaked, overlap=timedelta(0), by=SYSTEM, now=NOW)
    leaked.refresh_from_db()
    assert leaked.revoked_at == NOW
    assert new.kind == "client_secret"


def test_what_has_ended_or_has_a_successor_or_no_secret_is_not_rotated(cast):
    credential, _ = issue(cast.agent)
    with pytest.raises(BadEnd):
        rotate_api_key(credential=credential, overlap=-DAY, by=SYSTEM, now=NOW)
    assert cast.agent.credentials.count() == 1
    rotate_api_key(credential=credential, overlap=DAY, by=SYSTEM, now=NOW)
    revoked, _ = issue(cast.agent)
    revoke_credential(credential=revoked, by=SYSTEM, now=NOW)
    over, _ = issue(cast.agent, expires_at=NOW + DAY)
    public = register_public_key(agent=cast.agent, label="key", jwk=EC_KEY, by=SYSTEM, now=NOW)
    for each, at in ((credential, NOW), (revoked, NOW), (over, NOW + DAY), (public, NOW)):
        with pytest.raises(NotRotatable):
            rotate_api_key(credential=each, overlap=DAY, by=SYSTEM, now=at)


def test_use_is_noted_once_a_minute_without_a_version_or_an_event(cast):
    credential, _ = issue(cast.agent)
    versions, events = versions_of(credential).count(), Event.objects.count()
    assert note_use(credential=credential, now=NOW)
    assert not note_use(credential=credential, now=NOW + timedelta(seconds=59))
    assert Credential.objects.get(pk=credential.pk).last_used_at == NOW
    assert note_use(credential=credential, now=NOW + timedelta(seconds=60))
    assert Credential.objects.get(pk=credential.pk).last_used_at == NOW + timedelta(seconds=60)
    assert Agent.objects.get(pk=cast.agent.pk).last_seen_at == NOW + timedelta(seconds=60)
    assert (versions_of(credential).count(), Event.objects.count()) == (versions, events)


@pytest.mark.parametrize("jwk", [EC_KEY, OKP_KEY, RSA_KEY, EC_KEY | {"kid": "1", "use": "sig", "alg": "ES256"}])
def test_public_keys_of_three_kinds_are_accepted(jwk):
    assert check_public_jwk(jwk) == jwk


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
@pytest.mark.parametrize("jwk", [EC_KEY, OKP_KEY, RSA_KEY, {"kty": "oct"}, {}])
def test_a_private_key_is_refused_whatever_else_it_is(jwk, member):
    with pytest.raises(PrivateKeyShown) as refused:
        check_public_jwk(jwk | {member: "s3cr3t"})
    assert "s3cr3t" not in refused.value.message + refused.value.remedy


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        "key",
        {},
        {"kty": ["EC"]},
        {"kty": "oct"},
        {"kty": "EC"},
        EC_KEY | {"crv": "P-384"},
        EC_KEY | {"y": EC_KEY["x"]},
        EC_KEY | {"x": 7},
        EC_KEY | {"x": "!!!!"},
        EC_KEY | {"use": "enc"},
        EC_KEY | {"x5c": []},
        OKP_KEY | {"crv": "X25519"},
        OKP_KEY | {"x": "AAAA"},
        RSA_KEY | {"e": "Ag"},
        RSA_KEY | {"n": number(2**2047 + 1)[:-40]},
        RSA_KEY | {"n": number(2**8192 + 1)},
    ],
)
def test_anything_else_is_not_a_public_key(jwk):
    with pytest.raises(BadPublicKey):
        check_public_jwk(jwk)
