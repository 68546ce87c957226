"""Onboarding in one call: registered, credentialed, and at work or waiting for those who may sign; and vouched workloads."""

from datetime import timedelta

import pytest

from directory.lifecycle import State
from directory.models import Agent, Credential, User
from directory.services.access import give_access
from directory.services.agents import AgentProfile
from directory.services.blueprints import UnknownCredentialMethod
from directory.services.credentials import IdentityTaken, MethodNotAllowed, register_federated, revoke_credential
from directory.services.onboarding import FirstCredential, approve_onboarding, onboard_agent, who_may_sign
from directory.services.proofs import BadPublicKey, BadWorkloadIdentity
from directory.services.revisions import ForeignOrganization
from tests.directory.recorded import event_types, revision
from tests.directory.test_credentials import OKP_KEY
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_person, make_team

PROFILE = AgentProfile(name="New", purpose="Is new.")
ISSUER = "https://ci.example"


def onboarded(cast, **values):
    given = {"organization": cast.acme, "external_id": "new", "profile": PROFILE, "owner": cast.bob, "sponsor": cast.bob}
    return onboard_agent(**given | values, by=cast.alice.as_actor(), now=NOW)


def federated(agent, subject="repo:acme/bot", issuer=ISSUER, **values):
    return register_federated(agent=agent, label="ci", issuer=issuer, subject=subject, **{"by": SYSTEM, "now": NOW} | values)


def test_without_sign_offs_it_works_at_once_and_it_is_one_change(cast):
    number = revision(cast.acme)
    done = onboarded(cast, credential=FirstCredential(label="main"))
    assert (done.agent.state, done.missing, done.may_sign) == (State.ACTIVE, 0, ())
    assert (done.credential.agent, done.credential.label) == (done.agent, "main")
    assert event_types(cast.acme)[-3:] == ["agent.registered", "agent.activated", "credential.issued"]
    assert revision(cast.acme) == number + 1
    assert done.token.secret not in repr(done)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"kind": "api_key"}, "api_key"),
        ({"kind": "client_secret"}, "client_secret"),
        ({"kind": "public_key", "jwk": OKP_KEY}, "public_key"),
        ({"kind": "federated", "issuer": ISSUER, "subject": "repo:1"}, "federated"),
    ],
)
def test_every_kind_of_credential_can_be_the_first(cast, values, kind):
    done = onboarded(cast, credential=FirstCredential(**values))
    assert done.credential.kind == kind
    assert (done.token is not None) == (kind in ("api_key", "client_secret"))


@pytest.mark.parametrize(
    ("credential", "refusal"),
    [
        (FirstCredential(kind="client_secret"), MethodNotAllowed),
        (FirstCredential(kind="password"), UnknownCredentialMethod),
        (FirstCredential(kind="public_key"), BadPublicKey),
    ],
)
def test_a_credential_that_is_refused_refuses_the_whole(cast, credential, refusal):
    blueprint = make_blueprint(cast.acme, credential_methods=["api_key", "public_key"])
    number = revision(cast.acme)
    with pytest.raises(refusal):
        onboarded(cast, blueprint=blueprint, credential=credential)
    assert not Agent.objects.filter(external_id="new").exists()
    assert revision(cast.acme) == number


def test_with_sign_offs_it_waits_for_those_who_may_sign(cast):
    approver = make_person(cast.acme, "approver", console_roles=["approver"])
    auditor = make_person(cast.acme, "auditor", console_roles=["auditor"])
    permitted = make_person(cast.acme, "permitted", permissions=("view_agent", "approve_agent"))
    teammate = make_person(cast.acme, "teammate")
    team = make_team(cast.acme, "below", parent=cast.sales, members=(teammate,))
    done = onboarded(cast, sponsor=None, sponsor_team=cast.sales, blueprint=make_blueprint(cast.acme, sign_offs=2))
    assert (done.agent.state, done.missing) == (State.PENDING, 2)
    assert set(done.may_sign) == {approver, permitted, teammate}
    assert auditor not in done.may_sign, "who may only look may not sign"
    assert cast.alice not in done.may_sign, "who registered it does not sign"
    give_access(thing=done.agent, right="approve_agent", to=cast.carol, by=SYSTEM, now=NOW)
    approve_onboarding(agent=done.agent, by=approver.as_actor(), now=NOW)
    User.objects.filter(pk=permitted.pk).update(is_active=False)
    assert set(who_may_sign(done.agent)) == {cast.carol, teammate}
    give_access(thing=done.agent, right="approve_agent", to=make_team(cast.acme, members=(auditor,)), by=SYSTEM, now=NOW)
    assert set(who_may_sign(done.agent)) == {auditor, cast.carol, teammate}
    assert team.parent == cast.sales


def test_nobody_of_elsewhere_onboards_here_or_is_asked_to_sign(cast):
    boss = make_person(cast.elsewhere, console_roles=["security_administrator"])
    with pytest.raises(ForeignOrganization):
        onboard_agent(
            organization=cast.acme,
            external_id="new",
            profile=PROFILE,
            owner=cast.bob,
            sponsor=cast.bob,
            by=cast.mallory.as_actor(),
            now=NOW,
        )
    done = onboarded(cast, blueprint=make_blueprint(cast.acme, sign_offs=1))
    assert boss not in done.may_sign
    assert cast.mallory not in done.may_sign


def test_a_workloads_identity_stands_for_one_agent_of_an_organization(cast):
    credential = federated(cast.agent)
    assert (credential.kind, credential.issuer, credential.subject) == ("federated", ISSUER, "repo:acme/bot")
    assert (credential.public_id, credential.digest) == (None, "")
    other = make_agent(cast.acme)
    for agent in (cast.agent, other):
        with pytest.raises(IdentityTaken):
            federated(agent)
    assert federated(other, subject="repo:acme/other").agent == other
    assert federated(make_agent(cast.elsewhere)).organization == cast.elsewhere
    revoke_credential(credential=credential, by=SYSTEM, now=NOW)
    assert federated(other).agent == other


def test_an_identity_is_free_again_when_its_credential_is_over(cast):
    federated(cast.agent, expires_at=NOW + timedelta(hours=1))
    later = NOW + timedelta(hours=1)
    assert federated(make_agent(cast.acme), now=later).expires_at > later


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [
        ("http://ci.example", "a"),
        ("https://CI.example", "a"),
        ("https://user@ci.example", "a"),
        ("https://ci.example?x", "a"),
        ("https://ci.example#x", "a"),
        ("ci.example", "a"),
        ("", "a"),
        (ISSUER, ""),
        (ISSUER, "  "),
        (ISSUER, "a\nb"),
        (ISSUER, "a\0b"),
    ],
)
def test_an_identity_is_spelled_in_one_way(cast, issuer, subject):
    with pytest.raises(BadWorkloadIdentity):
        federated(cast.agent, issuer=issuer, subject=subject)
    assert not Credential.objects.exists()


def test_a_spiffe_trust_domain_is_an_issuer(cast):
    assert (
        federated(cast.agent, issuer="spiffe://ci.example", subject="spiffe://ci.example/bot").issuer == "spiffe://ci.example"
    )


def test_a_blueprint_that_does_not_allow_it_does_not(cast):
    with pytest.raises(MethodNotAllowed):
        federated(make_agent(cast.acme, blueprint=make_blueprint(cast.acme, credential_methods=["api_key"])))
